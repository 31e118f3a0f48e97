using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>What somebody is told of rooms that he may see.</summary>
internal sealed class RoomDetails(RoomStore rooms, AccessStore members, ReadPositions positions, ChatProjector projector, Memberships memberships, RoomDoor door, Database database)
{
    private const string FindLast = $"""
        select a.topic_id, {MessageRow.Columns}
          from unnest($1::bigint[], $2::bigint[]) a(topic_id, horizon)
         cross join lateral (select * from realtime.chat_messages c where c.topic_id = a.topic_id and c.thread is null and c."offset" > a.horizon order by c."offset" desc limit 1) m
        """;

    /// <exception cref="RealtimeException"><c>not_found</c>, <c>log_unavailable</c>, <c>overloaded</c>.</exception>
    public async Task<Room> DescribeAsync(Caller caller, TopicKey topic, CancellationToken cancellationToken)
    {
        var row = await rooms.FindAsync(topic, cancellationToken) ?? throw new RealtimeException(ErrorCode.NotFound, "There is no such room.");
        if (row.State is { IsBehind: true })
        {
            await projector.CatchUpAsync(topic, cancellationToken);
        }

        return (await ReadAsync(caller, [row], cancellationToken))[0];
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<Room>> DescribeAsync(Caller caller, IReadOnlyList<RoomRow> rows, CancellationToken cancellationToken)
    {
        await projector.TryCatchUpAsync(caller.Tenant, rows, cancellationToken);
        return await ReadAsync(caller, rows, cancellationToken);
    }

    private async Task<IReadOnlyList<Room>> ReadAsync(Caller caller, IReadOnlyList<RoomRow> rows, CancellationToken cancellationToken)
    {
        var spoken = rows.Where(static row => row.State is not null).ToList();
        var open = spoken.Where(row => door.MayGlance(caller, row.Topic)).ToList();
        var unread = await positions.CountUnreadAsync(caller, [.. spoken.Select(static row => (row.Topic, row.State!))], cancellationToken);
        var last = (await database.ReadAsync(
            caller.Tenant,
            FindLast,
            static reader => (TopicId: reader.GetInt64(0), Message: MessageRow.Read(reader, from: 1)),
            cancellationToken,
            open.Select(static row => row.State!.TopicId).ToArray(),
            open.Select(row => memberships.HorizonOf(caller, row.Topic)).ToArray())).ToDictionary(static found => found.TopicId, static found => found.Message);
        var counts = await members.CountMembersAsync(caller.Tenant, [.. rows.Select(static row => row.Topic.Value)], cancellationToken);
        return [.. rows.Select(row => ToRoom(
            caller,
            row,
            row.State is { } state ? unread.GetValueOrDefault(state.TopicId) : default,
            row.State is { } at ? last.GetValueOrDefault(at.TopicId) : null,
            counts.GetValueOrDefault(row.Topic.Value)))];
    }

    private Room ToRoom(Caller caller, RoomRow row, Unread unread, RoomMessage? last, long count) => new(
        row.Topic.Value,
        row.Topic.Identifier,
        row.Position,
        row.At,
        row.Record?.Kind ?? (memberships.IsPrivate(caller.Tenant, row.Topic) ? "private" : "public"),
        row.Record?.Title ?? row.Topic.Identifier,
        row.Record?.Description ?? "",
        row.Record?.CreatedBy,
        row.Record?.SlowSeconds ?? 0,
        Memberships.RoleOf(caller, row.Topic)?.Role.ToString().ToLowerInvariant(),
        count,
        unread.Messages,
        unread.Mentions,
        last is null ? null : MessageEntry.Of(last));
}
