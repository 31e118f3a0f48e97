using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Messages, and what is made of them: the same on both nodes, and what the log says.</summary>
public sealed class ChatScenarios(TwoNodes nodes) : RoomOnTwoNodes(nodes)
{
    private static readonly string[] Users = ["ada", "bob", "eve"];
    private static readonly string[] Emojis = ["👍", "🎉"];

    [Fact]
    public async Task Whatever_three_users_do_at_once_on_two_nodes_both_show_the_same_which_is_what_the_log_says_and_what_a_rebuild_makes()
    {
        var seed = Random.Shared.Next();
        for (var i = 0; i < 5; i++)
            await SayAsync("ada", $"message {i}");
        await Task.WhenAll(Users.SelectMany((user, i) => new[] { (user, node: Nodes.First, seed: seed + i), (user, node: Nodes.Second, seed: seed + 10 + i) })
            .Select(who => ActAsync(who.user, who.node, new Random(who.seed))));

        // A reader sees what was published before he asks, whichever node he asks.
        var shown = await ReadAllAsync(Nodes.First);
        Assert.Equal(shown, await ReadAllAsync(Nodes.Second));
        Assert.Equal(await FoldAsync(), shown);
        await CountsAgreeAsync();
        await Nodes.Second.Services.GetRequiredService<ChatProjector>().RebuildAsync(Topic, Topology.Cancelled);
        Assert.Equal(shown, await ReadAllAsync(Nodes.First));
        await CountsAgreeAsync();

        // Neither counts anything twice: what each says of reactions is what is stored.
        var page = await GetAsync(Nodes.First, "eve", "messages?limit=200");
        Assert.All(page.GetProperty("messages").EnumerateArray(), message => Assert.All(
            message.GetProperty("reactions").EnumerateArray(), reaction => Assert.Equal(reaction.GetProperty("count").GetInt32(), reaction.GetProperty("users").GetArrayLength())));
    }

    [Fact]
    public async Task What_comes_to_nothing_is_refused_before_the_log_with_its_reason()
    {
        var id = await SayAsync("ada", "mine");

        Assert.Equal("not_author", await RefusalAsync("bob", "chat:edit", id, new { text = "yours" }));
        Assert.Equal("not_author", await RefusalAsync("bob", "chat:delete", id, new { by = "bob" }));
        Assert.Equal("message_not_found", await RefusalAsync("ada", "chat:edit", "99", new { text = "x" }));
        Assert.Equal("message_not_found", await RefusalAsync("ada", "chat:reaction", null, new { emoji = "👍", on = true }));
        Assert.Equal("message_not_found", await RefusalAsync("bob", "chat:message", null, new { text = "x", replyTo = "0" }));
        Assert.Null(await RefusalAsync("ada", "chat:edit", id, new { text = "mine still" }));
        Assert.Null(await RefusalAsync("ada", "chat:delete", id, new { }));
        Assert.Equal("message_not_found", await RefusalAsync("bob", "chat:reaction", id, new { emoji = "👍", on = true }));
        Assert.Equal("payload_invalid", await RefusalAsync("bob", "chat:reaction", id, new { emoji = "", on = true }));

        Assert.Equal([("chat:message", "1"), ("chat:edit", "2"), ("chat:delete", "3")], (await LogAsync()).Select(logged => (logged.Event, $"{logged.Position.Offset}")));
    }

    [Fact]
    public async Task A_room_is_read_in_both_directions_and_from_any_place()
    {
        for (var i = 1; i <= 9; i++)
            await SayAsync("ada", $"message {i}");
        await SayAsync("bob", "in a thread", new { thread = "3" });

        Assert.Equal((Ids(7, 8, 9), true, false), await PageAsync("limit=3"));
        Assert.Equal((Ids(4, 5, 6), true, true), await PageAsync("limit=3&before=7"));
        Assert.Equal((Ids(1, 2, 3), false, true), await PageAsync("limit=3&before=4"));
        Assert.Equal((Ids(8, 9), true, false), await PageAsync("limit=3&after=7"));
        Assert.Equal((Ids(3, 4, 5, 6), true, true), await PageAsync("limit=4&around=5"));
        var fifth = (await GetAsync(Nodes.First, "ada", "messages/5")).GetProperty("at").GetString();
        Assert.Contains("5", (await PageAsync($"limit=6&at={Uri.EscapeDataString(fifth!)}")).Ids, StringComparison.Ordinal);
        Assert.Equal((Ids(10), false, false), Slice(await GetAsync(Nodes.First, "ada", "messages/3/thread")));
        Assert.Equal(1, (await GetAsync(Nodes.First, "ada", "messages/3")).GetProperty("replies").GetInt32());
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(Nodes.First, "ada", HttpMethod.Get, "messages?before=3&after=2")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(Nodes.First, "ada", HttpMethod.Get, "messages/77")).StatusCode);
    }

    [Fact]
    public async Task What_is_unread_is_counted_exactly_and_a_position_never_moves_back()
    {
        await JoinAsync("bob");
        for (var i = 1; i <= 6; i++)
            await SayAsync("ada", $"message {i}", i % 2 == 0 ? new { mentions = new[] { "bob" } } : null);
        await SayAsync("bob", "my own");
        Assert.Null(await RefusalAsync("ada", "chat:delete", "6", new { }));

        Assert.Equal((5, 2), await UnreadAsync("bob"));
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.Second, "bob", HttpMethod.Post, "read", new { offset = 3 })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "bob", HttpMethod.Post, "read", new { offset = 2 })).StatusCode);
        Assert.Equal((2, 1), await UnreadAsync("bob"));
        Assert.Equal("4", (await GetAsync(Nodes.First, "bob", "messages?unread=true")).GetProperty("firstUnread").GetString());
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "eve", HttpMethod.Post, "delivered", new { offset = 4 })).StatusCode);
        var receipts = await GetAsync(Nodes.First, "ada", "messages/3/receipts");
        Assert.Equal((2, 1), (receipts.GetProperty("delivered").GetInt32(), receipts.GetProperty("read").GetInt32()));
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(Nodes.First, "bob", HttpMethod.Post, "read", new { offset = 99 })).StatusCode);
    }

    [Fact]
    public async Task What_is_unread_is_exact_over_many_blocks_of_messages_for_whoever_stopped_wherever_in_them_also_when_the_log_keeps_less()
    {
        await JoinAsync("bob");
        await Nodes.Database.ExecuteAsync($$"""
            select realtime.publish('room:{{Room}}', 'chat:message', json_build_object('text', 'm' || i, 'mentions', case when i % 7 = 0 then array['bob'] else '{}' end), publisher => case when i % 5 = 0 then 'bob' else 'ada' end)
              from generate_series(1, 1500) i
            """);
        await Nodes.Database.ExecuteAsync($"select realtime.publish('room:{Room}', 'chat:delete', '{{}}', entity_id => (i * 11)::text) from generate_series(1, 100) i");
        await Nodes.Database.ExecuteAsync($$"""select realtime.publish('room:{{Room}}', 'chat:edit', '{"text":"x","mentions":["bob"]}', entity_id => i::text, publisher => 'ada') from generate_series(601, 604) i""");

        foreach (var read in new[] { 0, 1, 510, 511, 512, 513, 1023, 1024, 1499, 1500, 1604 })
        {
            if (read > 0)
                Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "bob", HttpMethod.Post, "read", new { offset = read })).StatusCode);
            // First who reads the room: the messages are there from then on.
            var unread = await UnreadAsync("bob");
            Assert.Equal((read, await CountedAsync(read)), (read, unread));
        }

        // What the log does not keep any more is counted no more, in the middle of a block too.
        await Nodes.Database.ExecuteAsync("update realtime.topics set floor = 700 where topic = $1", $"room:{Room}");
        await SayAsync("ada", "one more");
        Assert.Equal((1, 0), await UnreadAsync("bob"));
        await CountsAgreeAsync();

        async Task<(int, int)> CountedAsync(int read)
        {
            const string Theirs = """select count(*)::int from realtime.chat_messages m join realtime.topics t using (topic_id) where t.topic = $1 and m."offset" > $2 and m.deleted_at is null and m.author <> 'bob'""";
            return (await Nodes.Database.ReadAsync<int>(Theirs, $"room:{Room}", read), await Nodes.Database.ReadAsync<int>($"{Theirs} and 'bob' = any(m.mentions)", $"room:{Room}", read));
        }
    }

    [Fact]
    public async Task What_was_taken_before_the_message_was_deleted_or_its_author_muted_is_a_retry_with_its_first_outcome()
    {
        using (var made = await SendAsync(Nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Talk", name = Room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var id = await SayAsync("bob", "hello");
        (string Name, string? Entity, object Payload, string Id)[] said =
        [
            ("chat:message", null, new { text = "again" }, "m"), ("chat:edit", id, new { text = "hello!" }, "e"), ("chat:reaction", id, new { emoji = "👍", on = true }, "r"), ("chat:delete", id, new { }, "d"),
        ];
        var first = new List<(long, bool)>();
        foreach (var one in said)
            first.Add(await OutcomeAsync(one));
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "ada", HttpMethod.Put, "mutes/bob", new { seconds = 600 })).StatusCode);

        Assert.Equal("muted", await RefusalAsync("bob", "chat:message", null, new { text = "another" }, id: "other"));
        for (var i = 0; i < said.Length; i++)
            Assert.Equal((first[i].Item1, true), await OutcomeAsync(said[i]));
        Assert.Equal("id_conflict", await RefusalAsync("bob", "chat:edit", id, new { text = "something else" }, id: "e"));

        async Task<(long, bool)> OutcomeAsync((string Name, string? Entity, object Payload, string Id) one)
        {
            using var answer = await SendAsync(Nodes.First, "bob", HttpMethod.Post, $"/topics/room:{Room}/events", new { @event = one.Name, entityId = one.Entity, payload = one.Payload, id = one.Id });
            var outcome = await ReadAsync(answer);
            Assert.True(answer.IsSuccessStatusCode, outcome.ToString());
            return (outcome.GetProperty("position").GetProperty("offset").GetInt64(), outcome.GetProperty("duplicate").GetBoolean());
        }
    }

    [Fact]
    public async Task What_an_application_publishes_in_SQL_is_there_for_the_next_reader()
    {
        await Nodes.Database.ExecuteAsync($"select realtime.publish('room:{Room}', 'chat:message', json_build_object('text', 'from ' || i)) from generate_series(1, 2500) i");

        Assert.Equal((Ids(2500), true, false), await PageAsync("limit=1"));
    }

    [Fact]
    public async Task Names_that_nobody_has_do_not_keep_a_room_from_being_read()
    {
        await SayAsync("ada", "before");
        var huge = new string('x', 300);
        Assert.Equal("payload_invalid", await RefusalAsync("ada", "chat:message", null, new { text = "hi", mentions = new[] { huge } }));
        Assert.Equal("payload_invalid", await RefusalAsync("ada", "chat:edit", "1", new { text = "hi", mentions = new[] { huge } }));
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "a hundred", mentions = Enumerable.Range(0, 100).Select(_ => $"{Guid.NewGuid()}{Guid.NewGuid()}") }));
        // What is published in SQL is not checked, and such names do not compress.
        await Nodes.Database.ExecuteAsync($"""
            select realtime.publish('room:{Room}', 'chat:message', json_build_object('text', 'after', 'mentions', (
              select json_agg((select string_agg(md5(random()::text || i || n), '') from generate_series(1, case when i = 1 then 300 else 7 end) n)) from generate_series(1, 120) i)))
            """);

        Assert.Equal((Ids(1, 2, 3), false, false), await PageAsync(""));
        var last = (await GetAsync(Nodes.First, "bob", null)).GetProperty("lastMessage");
        Assert.Equal(("after", 100), (last.GetProperty("text").GetString(), last.GetProperty("mentions").GetArrayLength()));
        Assert.All(last.GetProperty("mentions").EnumerateArray(), name => Assert.Equal(224, name.GetString()!.Length));
    }

    private TopicKey Topic => new("default", TopicName.Parse($"room:{Room}"));

    private async Task<(string Ids, bool HasBefore, bool HasAfter)> PageAsync(string query) => Slice(await GetAsync(Nodes.Second, "bob", $"messages?{query}"));

    private async Task ActAsync(string user, TenantNode node, Random random)
    {
        for (var i = 0; i < 12; i++)
        {
            var target = $"{random.Next(1, 9)}";
            // Some of it is refused; what it is by then depends on who was first.
            await RefusalAsync(user, random.Next(7) switch
            {
                0 => ("chat:message", null, new { text = $"{user} {i}" }),
                1 => ("chat:message", null, new { text = $"{user} {i}", thread = target }),
                2 => ("chat:edit", target, new { text = $"{user} edits {i}" }),
                3 when i % 4 == 0 => ("chat:delete", target, new { }),
                4 => ("chat:pin", target, new { on = random.Next(2) == 0 }),
                _ => ((string, string?, object))("chat:reaction", target, new { emoji = Emojis[random.Next(2)], on = random.Next(3) > 0 }),
            }, node);
        }
    }

    /// <summary>Everything that a node says of the room's messages, threads too.</summary>
    private async Task<string> ReadAllAsync(TenantNode node)
    {
        var page = (await GetAsync(node, "ada", "messages?limit=200")).GetProperty("messages").EnumerateArray().ToList();
        foreach (var root in page.Where(message => message.GetProperty("replies").GetInt32() > 0 || message.GetProperty("lastReply").ValueKind is not JsonValueKind.Null).ToList())
            page.AddRange((await GetAsync(node, "ada", $"messages/{root.GetProperty("id").GetString()}/thread?limit=200")).GetProperty("messages").EnumerateArray());
        return string.Join('\n', page.OrderBy(message => long.Parse(message.GetProperty("id").GetString()!, System.Globalization.CultureInfo.InvariantCulture)).Select(message =>
            string.Join('|', new[] { "id", "author", "text", "thread", "replyTo", "at", "editedAt", "deletedAt", "deletedBy", "pinnedAt", "pinnedBy", "replies", "lastReply" }.Select(name => message.GetProperty(name).ToString()))
            + string.Join(',', message.GetProperty("reactions").EnumerateArray().SelectMany(reaction => reaction.GetProperty("users").EnumerateArray().Select(user => $"{reaction.GetProperty("emoji")}{user}")).Order(StringComparer.Ordinal))));
    }

    /// <summary>The same from the log, folded here.</summary>
    private async Task<string> FoldAsync()
    {
        var room = new RoomProjection();
        foreach (var event_ in (await LogAsync()).Select(RoomEvent.Read).OfType<RoomEvent>())
            room.Apply(event_);
        var reactions = room.Reactions.ToLookup(reaction => reaction.Offset);
        return string.Join('\n', room.Messages.Select(message =>
            string.Join('|', $"{message.Offset}", message.Author, message.Text, $"{message.Thread}", $"{message.ReplyTo}", Time(message.At), Time(message.EditedAt), Time(message.DeletedAt), message.DeletedBy, Time(message.PinnedAt), message.PinnedBy, $"{message.Replies}", $"{message.LastReply}")
            + string.Join(',', reactions[message.Offset].Select(reaction => $"{reaction.Emoji}{reaction.UserId}").Order(StringComparer.Ordinal))));

        static string Time(DateTimeOffset? time) => time?.UtcDateTime.ToString(TimestampConverter.Format, System.Globalization.CultureInfo.InvariantCulture) ?? "";
    }

    private async Task<IReadOnlyList<LoggedEvent>> LogAsync() =>
        (await Nodes.First.Services.GetRequiredService<PostgresTopicLog>().ReadAsync(Topic, new LogRange.After(0), 1_000, Topology.Cancelled)).Events;

    /// <summary>The numbers that are kept are those of the messages that are there.</summary>
    private async Task CountsAgreeAsync() => Assert.Equal(0L, await Nodes.Database.ReadAsync<long>(
        """
        with t as (select topic_id from realtime.topics where topic = $1),
        kept as (select c.* from realtime.chat_counts c join t using (topic_id) where c.messages <> 0 or c.mentions <> 0),
        counted as (select c.* from t cross join lateral realtime.chat_counted(t.topic_id, 0, 9223372036854775807) c)
        select (select count(*) from (table kept except table counted) a) + (select count(*) from (table counted except table kept) b)
        """,
        $"room:{Room}"));

    private async Task<(int Messages, int Mentions)> UnreadAsync(string user)
    {
        var room = await GetAsync(Nodes.Second, user, null);
        return (room.GetProperty("unread").GetInt32(), room.GetProperty("mentions").GetInt32());
    }

    private Task<string?> RefusalAsync(string user, (string Name, string? Entity, object Payload) what, TenantNode node) => RefusalAsync(user, what.Name, what.Entity, what.Payload, node: node);
}
