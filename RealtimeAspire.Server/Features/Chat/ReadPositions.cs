using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>How far somebody has come in a room.</summary>
/// <param name="User">Who.</param>
/// <param name="Read">Everything up to this offset is read.</param>
/// <param name="Delivered">Everything up to this one is on one of his devices.</param>
internal sealed record PositionEntry(string User, long Read, long Delivered);

/// <summary>What somebody has not read.</summary>
/// <param name="Messages">By others, not deleted.</param>
/// <param name="Mentions">Those of them that mention him.</param>
internal readonly record struct Unread(long Messages, long Mentions);

/// <summary>How far members have come, and what follows from it. A position never moves back; of two that cross, the greater one stays.</summary>
internal sealed class ReadPositions(Database database, TopicCatalog topics, ITopicPublisher publisher)
{
    private const string MoveOn = """
        insert into realtime.chat_reads as r (tenant, topic, user_id, epoch, read_offset, delivered_offset) values ($1, $2, $3, $4, $5, $6)
            on conflict (tenant, topic, user_id) do update set epoch = excluded.epoch,
               read_offset = case when r.epoch = excluded.epoch then greatest(r.read_offset, excluded.read_offset) else excluded.read_offset end,
               delivered_offset = case when r.epoch = excluded.epoch then greatest(r.delivered_offset, excluded.delivered_offset) else excluded.delivered_offset end
         where r.epoch <> excluded.epoch or r.read_offset < excluded.read_offset or r.delivered_offset < excluded.delivered_offset
        returning read_offset
        """;

    private const string FindReads = "select topic, epoch, read_offset from realtime.chat_reads where tenant = $1 and user_id = $2 and topic = any($3)";

    private const string List = """
        select user_id, read_offset, delivered_offset from realtime.chat_reads where tenant = $1 and topic = $2 and epoch = $3 and user_id > $4 order by user_id limit $5
        """;

    private const string Count = """
        select count(*) filter (where delivered_offset >= $4), count(*) filter (where read_offset >= $4)
          from realtime.chat_reads where tenant = $1 and topic = $2 and epoch = $3 and user_id is distinct from $5
        """;

    private const string FirstUnread = """
        select "offset" from realtime.chat_messages
         where topic_id = $1 and "offset" > $2 and deleted_at is null and author is distinct from $3 and thread is null order by "offset" limit 1
        """;

    // What is behind the block of 512 offsets in which he stopped, as it was counted when it came, and the rest of that block. Each from an index of its own.
    private const string CountUnread = """
        select a.topic_id,
               coalesce((select sum(c.messages) from realtime.chat_counts c where c.topic_id = a.topic_id and c.user_id = '' and c.block > a.seen >> 9), 0)::bigint
                 - coalesce(his.messages, 0)::bigint
                 + (select count(*) from realtime.chat_messages m
                     where m.topic_id = a.topic_id and m."offset" > a.seen and m."offset" <= a.seen | 511 and m.deleted_at is null and m.author is distinct from $3),
               coalesce(his.mentions, 0)::bigint
                 + (select count(*) from realtime.chat_messages m
                     where m.topic_id = a.topic_id and m."offset" > a.seen and m."offset" <= a.seen | 511 and m.deleted_at is null and m.mentions <> '{}'
                       and m.author is distinct from $3 and $3 = any(m.mentions))
          from unnest($1::bigint[], $2::bigint[]) a(topic_id, seen)
         cross join lateral (
           select sum(c.messages) as messages, sum(c.mentions) as mentions from realtime.chat_counts c where c.topic_id = a.topic_id and c.user_id = $3 and c.block > a.seen >> 9) his
        """;

    /// <summary>Moves the caller on. Whoever listens to the room is told where he has read to.</summary>
    /// <param name="room">As he sees it.</param>
    /// <param name="offset">Untrusted.</param>
    /// <param name="isRead">He has read it; else it has only arrived.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>position_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task MoveAsync(RoomView room, long offset, bool isRead, CancellationToken cancellationToken)
    {
        if (offset < 1 || offset > room.Tip)
        {
            throw new RealtimeException(ErrorCode.PositionInvalid, "The offset is not one of this room as it is now.");
        }

        var moved = await database.ReadAsync(
            MoveOn,
            static reader => reader.GetInt64(0),
            cancellationToken,
            room.Topic.Tenant,
            room.Topic.Name.Value,
            room.Caller.UserId,
            room.State!.Epoch,
            isRead ? offset : 0L,
            offset);
        if (isRead && moved.Count > 0 && topics.Get(room.Topic).IsEphemeral(ChatFeature.ReadEvent))
        {
            await TellAsync(room, moved[0]);
        }
    }

    /// <summary>Nothing is lost where that cannot be: the position is stored, and whoever looks sees it.</summary>
    private async Task TellAsync(RoomView room, long offset)
    {
        var payload = JsonSerializer.SerializeToElement(new ChatRead(room.Caller.UserId, offset), ChatEventJson.Default.ChatRead);
        try
        {
            await publisher.PublishAsync(room.Topic.Name.Value, new PublishRequest { Event = ChatFeature.ReadEvent, Payload = payload, EntityId = ToEntity(room.Caller.UserId) }, room.Topic.Tenant);
        }
        catch (RealtimeException)
        {
            // The room is for clients alone, or takes signed events only.
        }
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<PositionEntry>> ListAsync(RoomView room, string after, int limit, CancellationToken cancellationToken) => database.ReadAsync(
        List,
        static reader => new PositionEntry(reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2)),
        cancellationToken,
        room.Topic.Tenant,
        room.Topic.Name.Value,
        room.State?.Epoch ?? "",
        after,
        limit);

    /// <summary>To how many others a message was delivered, and how many have read it.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<(long Delivered, long Read)> CountAsync(RoomView room, RoomMessage message, CancellationToken cancellationToken) => (await database.ReadAsync(
        Count,
        static reader => (reader.GetInt64(0), reader.GetInt64(1)),
        cancellationToken,
        room.Topic.Tenant,
        room.Topic.Name.Value,
        room.State!.Epoch,
        message.Offset,
        message.Author ?? ""))[0];

    /// <summary>Null: there is none.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<long?> FindFirstUnreadAsync(RoomView room, CancellationToken cancellationToken)
    {
        if (room.State is not { } state)
        {
            return null;
        }

        var seen = await FindSeenAsync(room.Caller, [(room.Topic.Name, state)], cancellationToken);
        var first = await database.ReadAsync(room.Topic.Tenant, FirstUnread, static reader => reader.GetInt64(0), cancellationToken, state.TopicId, Math.Max(seen[state.TopicId], room.Horizon), room.Caller.UserId);
        return first.Count > 0 ? first[0] : null;
    }

    /// <summary>What the caller has not read of rooms, by their topics' rows.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<Dictionary<long, Unread>> CountUnreadAsync(Caller caller, IReadOnlyList<(TopicName Topic, ProjectionState State)> rooms, CancellationToken cancellationToken)
    {
        var seen = await FindSeenAsync(caller, rooms, cancellationToken);
        var counts = await database.ReadAsync(caller.Tenant, CountUnread,
            static reader => (TopicId: reader.GetInt64(0), Unread: new Unread(reader.GetInt64(1), reader.GetInt64(2))),
            cancellationToken,
            seen.Keys.ToArray(),
            seen.Values.ToArray(),
            caller.UserId);
        return counts.ToDictionary(static count => count.TopicId, static count => count.Unread);
    }

    /// <summary>What he has read, or what was there before he joined. A room that he has never looked into has nothing unread for who is no member.</summary>
    private async Task<Dictionary<long, long>> FindSeenAsync(Caller caller, IReadOnlyList<(TopicName Topic, ProjectionState State)> rooms, CancellationToken cancellationToken)
    {
        var reads = (await database.ReadAsync(
            FindReads,
            static reader => (Topic: reader.GetString(0), Epoch: reader.GetString(1), Offset: reader.GetInt64(2)),
            cancellationToken,
            caller.Tenant,
            caller.UserId,
            rooms.Select(static room => room.Topic.Value).ToArray())).ToDictionary(static read => (read.Topic, read.Epoch), static read => read.Offset);
        return rooms.ToDictionary(static room => room.State.TopicId, room =>
        {
            var joined = Memberships.RoleOf(caller, room.Topic)?.JoinedOffset;
            return reads.TryGetValue((room.Topic.Value, room.State.Epoch), out var read) ? Math.Max(read, joined ?? 0) : joined ?? room.State.Tip;
        });
    }

    private static string? ToEntity(string user) => user.Length <= 128 && !user.Any(char.IsControl) ? user : null;
}
