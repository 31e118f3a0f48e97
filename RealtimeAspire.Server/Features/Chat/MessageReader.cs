using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Which messages of a room are read.</summary>
internal abstract record MessageRange
{
    private MessageRange()
    {
    }

    /// <summary>The newest.</summary>
    public sealed record Newest : MessageRange;

    /// <summary>The newest before a message.</summary>
    public sealed record Before(long Id) : MessageRange;

    /// <summary>The oldest after a message.</summary>
    public sealed record After(long Id) : MessageRange;

    /// <summary>Those on both sides of a message, and that one.</summary>
    public sealed record Around(long Id) : MessageRange;

    /// <summary>Those on both sides of the first one of a time or later.</summary>
    public sealed record At(DateTimeOffset Time) : MessageRange;
}

/// <summary>Messages in their order.</summary>
/// <param name="Messages">Ascending.</param>
/// <param name="HasBefore">There are older ones.</param>
/// <param name="HasAfter">There are newer ones.</param>
internal sealed record MessageSlice(IReadOnlyList<RoomMessage> Messages, bool HasBefore, bool HasAfter);

/// <summary>Reads messages, as a role that sees those of one tenant alone.</summary>
internal sealed class MessageReader(Database database)
{
    // A room's own line is what is in no thread; a thread is what is in it.
    private const string InRoom = "m.thread is null";
    private const string InThread = "m.thread = $5";

    private const string FindTime = """
        select coalesce(min("offset"), $4) from (select "offset" from realtime.chat_messages where topic_id = $1 and at >= $2 and "offset" > $3 order by at, "offset" limit 1) m
        """;

    private const string FindOne = $"""
        select {MessageRow.Columns} from realtime.chat_messages m where m.topic_id = $1 and m."offset" = $2 and m."offset" > $3
        """;

    private const string FindPins = $"""
        select {MessageRow.Columns} from realtime.chat_messages m where m.topic_id = $1 and m.pinned_at is not null and m."offset" > $2 order by m.pinned_at desc, m."offset" desc limit $3
        """;

    private const string FindEdits = """
        select edit, text, until from realtime.chat_edits where topic_id = $1 and "offset" = $2 order by edit limit $3
        """;

    private const string FindReactions = """
        select "offset", emoji, count(*), (array_agg(user_id order by user_id))[:$3], bool_or(user_id = $4)
          from realtime.chat_reactions where topic_id = $1 and "offset" = any($2)
         group by "offset", emoji order by "offset", count(*) desc, emoji
        """;

    /// <param name="room">As who asks sees it.</param>
    /// <param name="range">Which messages.</param>
    /// <param name="thread">Of which thread; null: of the room's own line.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<MessageSlice> ReadAsync(RoomView room, MessageRange range, long? thread, int limit, CancellationToken cancellationToken)
    {
        if (room.State is null)
        {
            return new MessageSlice([], HasBefore: false, HasAfter: false);
        }

        if (range is MessageRange.At at)
        {
            range = new MessageRange.Around(await FindTimeAsync(room, at.Time, cancellationToken));
        }

        switch (range)
        {
            case MessageRange.After after:
                var newer = await ReadSideAsync(room, after.Id, isNewer: true, thread, limit, cancellationToken);
                return new MessageSlice(newer.Messages, HasBefore: after.Id > room.Horizon, newer.IsCut);
            case MessageRange.Around around:
                var (old, young) = (await ReadSideAsync(room, around.Id, isNewer: false, thread, limit / 2, cancellationToken),
                    await ReadSideAsync(room, around.Id - 1, isNewer: true, thread, limit - (limit / 2), cancellationToken));
                return new MessageSlice([.. old.Messages, .. young.Messages], old.IsCut, young.IsCut);
            default:
                var end = range is MessageRange.Before before ? before.Id : long.MaxValue;
                var older = await ReadSideAsync(room, end, isNewer: false, thread, limit, cancellationToken);
                return new MessageSlice(older.Messages, older.IsCut, HasAfter: end <= room.Tip);
        }
    }

    /// <summary>Null: it is not there, or not for him.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<RoomMessage?> FindAsync(RoomView room, long id, CancellationToken cancellationToken) =>
        await ReadAllAsync(room, FindOne, static reader => MessageRow.Read(reader), cancellationToken, room.TopicId, id, room.Horizon) is [var message] ? message : null;

    /// <summary>The pinned messages, the one that was pinned last first.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<RoomMessage>> ReadPinsAsync(RoomView room, int limit, CancellationToken cancellationToken) =>
        ReadAllAsync(room, FindPins, static reader => MessageRow.Read(reader), cancellationToken, room.TopicId, room.Horizon, limit);

    /// <summary>What a message said before, the oldest first.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<RoomEdit>> ReadEditsAsync(RoomView room, long id, int limit, CancellationToken cancellationToken) => ReadAllAsync(
        room, FindEdits, reader => new RoomEdit(id, reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2)), cancellationToken, room.TopicId, id, limit);

    /// <summary>The reactions to messages, for each the most frequent first.</summary>
    /// <param name="room">As who asks sees it.</param>
    /// <param name="messages">To which.</param>
    /// <param name="users">How many of those who have reacted are named.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<ILookup<long, ReactionEntry>> ReadReactionsAsync(RoomView room, IReadOnlyCollection<RoomMessage> messages, int users, CancellationToken cancellationToken)
    {
        var found = messages.Count == 0 ? [] : await ReadAllAsync(
            room,
            FindReactions,
            static reader => (Offset: reader.GetInt64(0), Entry: new ReactionEntry(reader.GetString(1), reader.GetInt64(2), reader.GetFieldValue<string[]>(3), reader.GetBoolean(4))),
            cancellationToken,
            room.TopicId,
            messages.Select(static message => message.Offset).ToArray(),
            users,
            room.Caller.UserId);
        return found.ToLookup(static reaction => reaction.Offset, static reaction => reaction.Entry);
    }

    private async Task<long> FindTimeAsync(RoomView room, DateTimeOffset at, CancellationToken cancellationToken) =>
        (await ReadAllAsync(room, FindTime, static reader => reader.GetInt64(0), cancellationToken, room.TopicId, at, room.Horizon, room.Tip + 1))[0];

    /// <summary>One more than is asked for says whether there are more.</summary>
    private async Task<(IReadOnlyList<RoomMessage> Messages, bool IsCut)> ReadSideAsync(
        RoomView room, long from, bool isNewer, long? thread, int limit, CancellationToken cancellationToken)
    {
        var (side, order) = isNewer ? (">", "asc") : ("<", "desc");
        var sql = $"""
            select {MessageRow.Columns} from realtime.chat_messages m
             where m.topic_id = $1 and {(thread is null ? InRoom : InThread)} and m."offset" {side} $2 and m."offset" > $3 order by m."offset" {order} limit $4
            """;
        object?[] values = [room.TopicId, from, room.Horizon, limit + 1];
        var read = await ReadAllAsync(room, sql, static reader => MessageRow.Read(reader), cancellationToken, thread is { } root ? [.. values, root] : values);
        var kept = read.Take(limit);
        return ([.. isNewer ? kept : kept.Reverse()], read.Count > limit);
    }

    private Task<IReadOnlyList<T>> ReadAllAsync<T>(RoomView room, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values) =>
        room.State is null ? Task.FromResult<IReadOnlyList<T>>([]) : database.ReadAsync(room.Topic.Tenant, sql, row, cancellationToken, values);
}
