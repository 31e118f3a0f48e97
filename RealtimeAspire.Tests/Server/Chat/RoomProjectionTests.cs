using System.Text;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server.Chat;

/// <summary>What a room's messages are follows from its log, and from nothing else.</summary>
public sealed class RoomProjectionTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 5, 0, 0, TimeSpan.Zero);
    private static readonly string[] Users = ["ada", "bob", "eve"];
    private static readonly string[] Emojis = ["👍", "🎉"];

    [Fact]
    public void Only_the_author_edits_and_what_it_said_before_is_kept()
    {
        var room = Fold(Said(1, "ada", "hello"), Edited(2, "bob", 1, "stolen"), Edited(3, "ada", 1, "hello there"), Edited(4, "ada", 9, "nothing"));

        var message = Assert.Single(room.Messages);
        Assert.Equal(("hello there", Start.AddSeconds(3)), (message.Text, message.EditedAt));
        Assert.Equal([new RoomEdit(1, 3, "hello", Start.AddSeconds(3))], room.Edits);
    }

    [Fact]
    public void A_deleted_message_is_a_tombstone_to_which_nothing_is_done_any_more()
    {
        var room = Fold(
            Said(1, "ada", "secret", mentions: ["bob"]), Edited(2, "ada", 1, "secret too"), Reacted(3, "bob", 1, "👍"), Pinned(4, "bob", 1), Deleted(5, "bob", 1), Deleted(6, "ada", 1),
            Edited(7, "ada", 1, "again"), Reacted(8, "bob", 1, "🎉"), Pinned(9, "ada", 1), Deleted(10, null, 1, "mod"));

        var message = Assert.Single(room.Messages);
        Assert.Equal(("", Start.AddSeconds(6), "ada", null, null), (message.Text, message.DeletedAt, message.DeletedBy, message.PinnedAt, message.EditedAt));
        Assert.Empty(message.Mentions);
        Assert.Empty(room.Edits);
        Assert.Empty(room.Reactions);
    }

    [Fact]
    public void The_server_deletes_for_a_moderator_and_a_client_cannot_say_that_it_is_one()
    {
        var room = Fold(Said(1, "ada", "one"), Said(2, "ada", "two"), Deleted(3, null, 1, "mod"), Deleted(4, "bob", 2, "mod"));

        Assert.Equal(["mod", null], room.Messages.Select(message => message.DeletedBy));
    }

    [Fact]
    public void A_thread_within_a_thread_is_the_same_one_and_counts_those_that_are_there()
    {
        var room = Fold(Said(1, "ada", "root"), Said(2, "bob", "a", thread: 1), Said(3, "eve", "b", thread: 2), Said(4, "eve", "c", thread: 77, replyTo: 1), Deleted(5, "bob", 2));

        Assert.Equal([null, 1L, 1L, null], room.Messages.Select(message => message.Thread));
        Assert.Equal((1, 3L), (room.Messages.First().Replies, room.Messages.First().LastReply));
        Assert.Equal(1, room.Messages.Last().ReplyTo);
    }

    [Fact]
    public void A_reaction_is_there_or_not_however_often_it_was_said()
    {
        var room = Fold(Said(1, "ada", "x"), Reacted(2, "bob", 1, "👍"), Reacted(3, "bob", 1, "👍"), Reacted(4, "eve", 1, "👍"), Reacted(5, "bob", 1, "👍", on: false));

        Assert.Equal([new RoomReaction(1, "👍", "eve")], room.Reactions);
    }

    [Theory]
    [InlineData("chat:message", null, """{"text":""}""")]
    [InlineData("chat:message", null, """{"words":"x"}""")]
    [InlineData("chat:message", null, """{"text":"\ud800"}""")]
    [InlineData("chat:message", null, "7")]
    [InlineData("chat:edit", null, """{"text":"x"}""")]
    [InlineData("chat:edit", "01", """{"text":"x"}""")]
    [InlineData("chat:edit", "-1", """{"text":"x"}""")]
    [InlineData("chat:reaction", "1", """{"emoji":"","on":true}""")]
    [InlineData("app:note", "1", """{"text":"x"}""")]
    public void What_an_application_publishes_in_SQL_and_is_no_chat_says_nothing(string name, string? entity, string payload) =>
        Assert.Null(RoomEvent.Read(Logged(1, name, entity, payload)));

    [Fact]
    public void A_zero_character_is_replaced_since_the_database_has_none() =>
        Assert.Equal("a\uFFFDb", Assert.IsType<RoomEvent.Said>(RoomEvent.Read(Logged(1, "chat:message", null, """{"text":"a\u0000b"}"""))).Text);

    /// <summary>Whoever goes on with a room in whichever pages, from what the pages before have left, has the same as who reads all of it.</summary>
    [Fact]
    public void A_log_taken_page_by_page_from_what_each_page_touches_is_the_log_taken_at_once() => Holds(numbers =>
    {
        var events = ToEvents(numbers);
        var whole = Fold([.. events]);
        var stored = new StoredRoom();
        foreach (var page in events.Chunk(1 + (numbers.Length % 7)))
            stored.Take(page);

        Assert.Equal(whole.Messages.Select(Show), stored.Messages.Values.Select(Show));
        Assert.Equal(whole.Edits, stored.Edits.OrderBy(edit => (edit.Offset, edit.Edit)));
        Assert.Equal(whole.Reactions.ToHashSet(), stored.Reactions);
        Assert.Equal(Counted(whole), stored.Counts.Where(count => count.Value != (0, 0)).OrderBy(count => count.Key));
    });

    [Fact]
    public void What_is_deleted_leaves_nothing_and_threads_count_what_is_there() => Holds(numbers =>
    {
        var room = Fold([.. ToEvents(numbers)]);
        var messages = room.Messages.ToDictionary(message => message.Offset);

        foreach (var gone in messages.Values.Where(message => message.IsDeleted))
        {
            Assert.Equal("", gone.Text);
            Assert.DoesNotContain(room.Edits, edit => edit.Offset == gone.Offset);
            Assert.DoesNotContain(room.Reactions, reaction => reaction.Offset == gone.Offset);
        }

        foreach (var root in messages.Values)
            Assert.Equal(messages.Values.Count(message => message.Thread == root.Offset && !message.IsDeleted), root.Replies);
        Assert.All(messages.Values.Where(message => message.Thread is not null), message => Assert.Null(messages[message.Thread!.Value].Thread));
    });

    /// <summary>A log of chat out of numbers, which shrink when it fails: mostly of what is allowed, partly of what is not.</summary>
    private static List<RoomEvent> ToEvents(int[] numbers)
    {
        List<RoomEvent> events = [];
        foreach (var number in numbers)
        {
            // Apart, so that they are in several blocks.
            var (offset, user, target) = ((events.Count * 100) + 1L, Users[number / 8 % 3], 1L + (number / 24 % Math.Max(1, events.Count) * 100));
            RoomEvent next = (number % 8) switch
            {
                0 or 1 => Said(offset, user, $"text {offset}", replyTo: number % 5 == 0 ? target : null, mentions: number % 4 == 0 ? [.. new[] { Users[number / 50 % 3], "ada" }.Distinct()] : []),
                2 => Said(offset, user, $"text {offset}", thread: target),
                3 => Edited(offset, user, target, $"edit {offset}", number % 7 == 0 ? [Users[number / 50 % 3]] : []),
                4 => Deleted(offset, number % 3 == 0 ? null : user, target, "mod"),
                5 or 6 => Reacted(offset, user, target, Emojis[number / 100 % 2], number % 3 != 0),
                _ => Pinned(offset, user, target, number % 3 != 0),
            };
            events.Add(next);
        }

        return events;
    }

    private static void Holds(Action<int[]> law) => Prop.ForAll(Gen.Choose(0, 100_000).ArrayOf().ToArbitrary(), law)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(200).WithEndSize(120));

    /// <summary>What is unread for whoever has read nothing, by counting.</summary>
    private static IEnumerable<KeyValuePair<(string User, long Block), (long Messages, long Mentions)>> Counted(RoomProjection room)
    {
        var there = room.Messages.Where(message => !message.IsDeleted).ToList();
        return Users.Append("").SelectMany(user => there.Select(message => message.Offset / 512).Distinct().Select(block => KeyValuePair.Create((user, block), (
            there.LongCount(message => message.Offset / 512 == block && (user.Length == 0 || message.Author == user)),
            there.LongCount(message => message.Offset / 512 == block && message.Author != user && message.Mentions.Contains(user))))))
            .Where(count => count.Value != (0L, 0L)).OrderBy(count => count.Key);
    }

    // Lists are compared by reference in records.
    private static string Show(RoomMessage message) => $"{message with { Mentions = [], Attachments = [] }} {string.Join(',', message.Mentions)}";

    private static RoomProjection Fold(params RoomEvent[] events)
    {
        var room = new RoomProjection();
        foreach (var event_ in events)
            room.Apply(event_);
        return room;
    }

    private static RoomEvent.Said Said(long offset, string? by, string text, long? replyTo = null, long? thread = null, string[]? mentions = null) =>
        new RoomEvent.Said(offset, by, Start.AddSeconds(offset), text, replyTo, thread, mentions ?? [], []);

    private static RoomEvent.Edited Edited(long offset, string? by, long target, string text, string[]? mentions = null) =>
        new RoomEvent.Edited(offset, by, Start.AddSeconds(offset), target, text, mentions ?? []);

    private static RoomEvent.Deleted Deleted(long offset, string? by, long target, string? moderator = null) => new RoomEvent.Deleted(offset, by, Start.AddSeconds(offset), target, by is null ? moderator : null);

    private static RoomEvent.Reacted Reacted(long offset, string? by, long target, string emoji, bool on = true) => new RoomEvent.Reacted(offset, by, Start.AddSeconds(offset), target, emoji, on);

    private static RoomEvent.Pinned Pinned(long offset, string? by, long target, bool on = true) => new RoomEvent.Pinned(offset, by, Start.AddSeconds(offset), target, on);

    private static LoggedEvent Logged(long offset, string name, string? entity, string payload) => new()
    {
        Topic = new TopicKey("default", TopicName.Parse("room:a")),
        Position = new Position("e", offset),
        Id = "x",
        Event = name,
        Version = 1,
        EntityId = entity,
        Payload = Encoding.UTF8.GetBytes(payload),
        UserId = "ada",
        Timestamp = Start,
    };

    /// <summary>What tables do with changes, without any.</summary>
    private sealed class StoredRoom
    {
        public SortedDictionary<long, RoomMessage> Messages { get; } = [];

        public List<RoomEdit> Edits { get; } = [];

        public HashSet<RoomReaction> Reactions { get; } = [];

        public Dictionary<(string User, long Block), (long Messages, long Mentions)> Counts { get; } = [];

        public void Take(RoomEvent[] page)
        {
            var touched = page.SelectMany(event_ => event_.Touched).Where(Messages.ContainsKey).ToHashSet();
            touched.UnionWith(touched.Select(offset => Messages[offset].Thread).OfType<long>().ToList());
            var room = new RoomProjection(touched.Select(offset => Messages[offset]));
            foreach (var event_ in page)
                room.Apply(event_);
            var changes = room.TakeChanges();
            foreach (var message in changes.Messages)
                Messages[message.Offset] = message;
            Edits.RemoveAll(edit => changes.Emptied.Contains(edit.Offset));
            Reactions.RemoveWhere(reaction => changes.Emptied.Contains(reaction.Offset));
            Edits.AddRange(changes.Edits);
            Reactions.ExceptWith(changes.Off);
            Reactions.UnionWith(changes.On);
            foreach (var count in changes.Counts)
            {
                var (messages, mentions) = Counts.GetValueOrDefault((count.UserId, count.Block));
                Counts[(count.UserId, count.Block)] = (messages + count.Messages, mentions + count.Mentions);
            }
        }
    }
}
