using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A message as it is after everything that was done to it.</summary>
/// <param name="Offset">Its id.</param>
/// <param name="Author">Who wrote it; null: the server.</param>
/// <param name="At">When the log took it.</param>
/// <param name="Text">Markdown source; empty once it is deleted.</param>
internal sealed record RoomMessage(long Offset, string? Author, DateTimeOffset At, string Text)
{
    /// <summary>The message that began its thread; null: it is in none.</summary>
    public long? Thread { get; init; }

    public long? ReplyTo { get; init; }

    public IReadOnlyList<string> Mentions { get; init; } = [];

    public IReadOnlyList<string> Attachments { get; init; } = [];

    public DateTimeOffset? EditedAt { get; init; }

    public DateTimeOffset? DeletedAt { get; init; }

    public string? DeletedBy { get; init; }

    public DateTimeOffset? PinnedAt { get; init; }

    public string? PinnedBy { get; init; }

    /// <summary>How many messages its thread has that are not deleted.</summary>
    public int Replies { get; init; }

    /// <summary>The newest of its thread, whatever became of it.</summary>
    public long? LastReply { get; init; }

    [JsonIgnore]
    public bool IsDeleted => DeletedAt is not null;
}

/// <summary>What a message said before it was edited.</summary>
/// <param name="Offset">The message.</param>
/// <param name="Edit">The offset of the edit.</param>
/// <param name="Text">What it said until then.</param>
/// <param name="Until">When that was.</param>
internal sealed record RoomEdit(long Offset, long Edit, string Text, DateTimeOffset Until);

/// <summary>Somebody's reaction to a message: it is there or not, whichever was said last.</summary>
internal readonly record struct RoomReaction(long Offset, string Emoji, string UserId);

/// <summary>Somebody is mentioned who was not before.</summary>
/// <param name="Offset">By which message.</param>
/// <param name="UserId">Who, and not its author.</param>
/// <param name="Event">The offset of the message, or of the edit.</param>
/// <param name="At">When that was.</param>
internal readonly record struct RoomMention(long Offset, string UserId, long Event, DateTimeOffset At);

/// <summary>
/// By how much the numbers of a user have changed in a block of the room: messages that are his and not deleted, and those of others that mention
/// him. The user "" stands for all: how many messages there are.
/// </summary>
internal readonly record struct RoomCount(string UserId, long Block, long Messages, long Mentions);

/// <summary>
/// The messages of a room, as its log has them: the events applied in the order of their offsets, and nothing else. Rules that must hold
/// whoever has published an event are here: only the author edits, only the author or the server deletes, nothing is done to a message that
/// is deleted, or not there.
/// </summary>
/// <remarks>
/// It works on the whole of a room or on a part of it, as long as it knows the messages that the events touch and those that began their
/// threads; what has changed of that is told by <see cref="TakeChanges"/>.
/// </remarks>
internal sealed class RoomProjection
{
    /// <summary>Numbers are kept by blocks of so many bits of the offset; the tables say so too.</summary>
    private const int BlockBits = 9;

    private readonly Dictionary<long, RoomMessage> _messages;

    // As they were when changes were taken last; null: not there.
    private readonly Dictionary<long, RoomMessage?> _before = [];
    private readonly Dictionary<long, Dictionary<RoomReaction, bool>> _reactions = [];
    private readonly List<RoomEdit> _edits = [];
    private readonly HashSet<long> _emptied = [];
    private readonly List<RoomMention> _mentions = [];

    /// <param name="known">What is known of the room.</param>
    public RoomProjection(IEnumerable<RoomMessage> known) => _messages = known.ToDictionary(static message => message.Offset);

    public RoomProjection()
        : this([])
    {
    }

    /// <summary>All messages, in their order.</summary>
    public IEnumerable<RoomMessage> Messages => _messages.Values.OrderBy(static message => message.Offset);

    public IEnumerable<RoomEdit> Edits => _edits.OrderBy(static edit => (edit.Offset, edit.Edit));

    /// <summary>The reactions that are there.</summary>
    public IEnumerable<RoomReaction> Reactions => Said(isOn: true);

    /// <param name="event_">The next one of the log.</param>
    public void Apply(RoomEvent event_)
    {
        switch (event_)
        {
            case RoomEvent.Said said:
                Add(said);
                break;
            case RoomEvent.Edited edited when Living(edited.Target) is { } message && message.Author == edited.By:
                _edits.Add(new RoomEdit(message.Offset, edited.Offset, message.Text, edited.At));
                Mention(message, edited.Mentions.Except(message.Mentions), edited);
                Set(message with { Text = edited.Text, Mentions = edited.Mentions, EditedAt = edited.At });
                break;
            case RoomEvent.Deleted deleted when Living(deleted.Target) is { } message && (deleted.By is null || message.Author == deleted.By):
                Delete(message, deleted);
                break;
            case RoomEvent.Reacted { By: { } user } reacted when Living(reacted.Target) is { } message:
                (_reactions.TryGetValue(message.Offset, out var reactions) ? reactions : _reactions[message.Offset] = [])[new RoomReaction(message.Offset, reacted.Emoji, user)] = reacted.On;
                break;
            case RoomEvent.Pinned pinned when Living(pinned.Target) is { } message && message.PinnedAt is null == pinned.On:
                Set(message with { PinnedAt = pinned.On ? pinned.At : null, PinnedBy = pinned.On ? pinned.By : null });
                break;
        }
    }

    /// <summary>What has changed since it was asked last.</summary>
    public RoomChanges TakeChanges()
    {
        var changes = new RoomChanges(
            [.. _before.Keys.Order().Select(offset => _messages[offset])], [.. Edits], [.. Said(isOn: true)], [.. Said(isOn: false)], [.. _emptied.Order()], [.. Counts()], [.. _mentions]);
        _before.Clear();
        _emptied.Clear();
        _edits.Clear();
        _reactions.Clear();
        _mentions.Clear();
        return changes;
    }

    private void Add(RoomEvent.Said said)
    {
        var (replyTo, opening) = (Find(said.ReplyTo), Find(said.Thread));
        // A thread within a thread is the same one.
        var root = opening?.Thread is { } outer ? Find(outer) : opening;
        var message = new RoomMessage(said.Offset, said.By, said.At, said.Text)
        {
            ReplyTo = replyTo?.Offset,
            Thread = root?.Offset,
            Mentions = said.Mentions,
            Attachments = said.Attachments,
        };
        Mention(message, said.Mentions, said);
        Set(message);
        if (root is not null)
        {
            Set(root with { Replies = root.Replies + 1, LastReply = said.Offset });
        }
    }

    /// <summary>What is left of it is that it was there.</summary>
    private void Delete(RoomMessage message, RoomEvent.Deleted deleted)
    {
        Set(message with
        {
            Text = "",
            Mentions = [],
            Attachments = [],
            EditedAt = null,
            PinnedAt = null,
            PinnedBy = null,
            DeletedAt = deleted.At,
            DeletedBy = deleted.By ?? deleted.Moderator,
        });
        _emptied.Add(message.Offset);
        _reactions.Remove(message.Offset);
        _edits.RemoveAll(edit => edit.Offset == message.Offset);
        _mentions.RemoveAll(mention => mention.Offset == message.Offset);
        if (Find(message.Thread) is { } root)
        {
            Set(root with { Replies = root.Replies - 1 });
        }
    }

    private void Mention(RoomMessage message, IEnumerable<string> users, RoomEvent by) =>
        _mentions.AddRange(users.Where(user => user != message.Author).Select(user => new RoomMention(message.Offset, user, by.Offset, by.At)));

    private RoomMessage? Find(long? offset) => offset is { } id ? _messages.GetValueOrDefault(id) : null;

    private RoomMessage? Living(long offset) => _messages.TryGetValue(offset, out var message) && !message.IsDeleted ? message : null;

    private void Set(RoomMessage message)
    {
        _before.TryAdd(message.Offset, _messages.GetValueOrDefault(message.Offset));
        _messages[message.Offset] = message;
    }

    private IEnumerable<RoomCount> Counts() => _before
        .SelectMany(change => Counted(change.Value, -1).Concat(Counted(_messages[change.Key], 1)))
        .GroupBy(static count => (count.UserId, count.Block))
        .Select(static counts => new RoomCount(counts.Key.UserId, counts.Key.Block, counts.Sum(static count => count.Messages), counts.Sum(static count => count.Mentions)))
        .Where(static count => count is not { Messages: 0, Mentions: 0 })
        .OrderBy(static count => count.UserId, StringComparer.Ordinal).ThenBy(static count => count.Block);

    private static IEnumerable<RoomCount> Counted(RoomMessage? message, int times)
    {
        if (message is null or { IsDeleted: true })
        {
            yield break;
        }

        var block = message.Offset >> BlockBits;
        yield return new RoomCount("", block, times, 0);
        if (message.Author is { } author)
        {
            yield return new RoomCount(author, block, times, 0);
        }

        foreach (var user in message.Mentions.Where(user => user != message.Author))
        {
            yield return new RoomCount(user, block, 0, times);
        }
    }

    private IEnumerable<RoomReaction> Said(bool isOn) => _reactions
        .OrderBy(static message => message.Key)
        .SelectMany(message => message.Value.Where(reaction => reaction.Value == isOn).Select(static reaction => reaction.Key)
            .OrderBy(static reaction => reaction.Emoji, StringComparer.Ordinal).ThenBy(static reaction => reaction.UserId, StringComparer.Ordinal));
}

/// <summary>What some events have changed.</summary>
/// <param name="Messages">As they are now.</param>
/// <param name="Edits">Those that were added.</param>
/// <param name="On">Reactions that are there.</param>
/// <param name="Off">Reactions that are not.</param>
/// <param name="Emptied">Messages of which earlier edits and reactions are gone.</param>
/// <param name="Counts">By how much the numbers of users are others, which follow from the messages.</param>
/// <param name="Mentions">Who is mentioned that was not.</param>
internal sealed record RoomChanges(
    IReadOnlyList<RoomMessage> Messages, IReadOnlyList<RoomEdit> Edits, IReadOnlyList<RoomReaction> On, IReadOnlyList<RoomReaction> Off, IReadOnlyList<long> Emptied,
    IReadOnlyList<RoomCount> Counts, IReadOnlyList<RoomMention> Mentions);
