using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>What was said of a room when it was made, and since.</summary>
internal sealed record RoomRecord(string Kind, string Title, string Description, int SlowSeconds, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>A room that has had events, or was made.</summary>
/// <param name="Topic">Its topic.</param>
/// <param name="Position">Where its log is.</param>
/// <param name="At">When it had its last event; before the first, when it was made.</param>
/// <param name="State">Where its projection is; null: it has no events.</param>
/// <param name="Record">Null: nobody has made it, it is there because somebody spoke in it.</param>
internal sealed record RoomRow(TopicName Topic, Position Position, DateTimeOffset At, ProjectionState? State, RoomRecord? Record);

/// <summary>The rooms of a tenant.</summary>
internal sealed class RoomStore(Database database)
{
    private const string Columns = """
        coalesce(t.topic, r.topic), coalesce(t.epoch || (select realtime.incarnation()), ''), coalesce(t.last_offset, 0), coalesce(t.last_at, r.created_at),
        t.topic_id, t.epoch, coalesce(t.floor, 1), case when p.epoch = t.epoch then p."offset" else 0 end,
        r.kind, r.name, r.description, r.slow_seconds, r.created_by, r.created_at
        """;

    private const string List = $"""
        select {Columns}
          from (select * from realtime.topics where tenant = $1 and topic like $2 and last_offset > 0) t
          full join (select * from realtime.chat_rooms where tenant = $1) r on r.topic = t.topic
          left join realtime.chat_projections p on p.topic_id = t.topic_id
         where (coalesce(t.last_at, r.created_at) < $3 or coalesce(t.last_at, r.created_at) = $3 and coalesce(t.topic, r.topic) > $4)
           and ($6::text[] is null or coalesce(t.topic, r.topic) = any($6)
             or not exists (select from realtime.private_topics x where x.tenant = $1 and x.topic = coalesce(t.topic, r.topic)))
         order by coalesce(t.last_at, r.created_at) desc, coalesce(t.topic, r.topic)
         limit $5
        """;

    private const string Find = $"""
        select {Columns}
          from (select $1 as tenant, $2 as topic) a
          left join (select * from realtime.topics where last_offset > 0) t on t.tenant = a.tenant and t.topic = a.topic
          left join realtime.chat_rooms r on r.tenant = a.tenant and r.topic = a.topic
          left join realtime.chat_projections p on p.topic_id = t.topic_id
         where t.topic is not null or r.topic is not null
        """;

    private const string Insert = """
        insert into realtime.chat_rooms (tenant, topic, kind, name, description, created_by) values ($1, $2, $3, $4, $5, $6) on conflict (tenant, topic) do nothing
        """;

    private const string Change = """
        insert into realtime.chat_rooms as r (tenant, topic, kind, name, description, slow_seconds, created_by)
        values ($1, $2, $3, coalesce($4, $7), coalesce($5, ''), greatest($6, 0), $8)
            on conflict (tenant, topic) do update set name = coalesce($4, r.name), description = coalesce($5, r.description), slow_seconds = case when $6 < 0 then r.slow_seconds else $6 end
        """;

    /// <summary>The rooms behind one that a user may see, the one with the latest event first; and where his token says what he may, others too.</summary>
    /// <param name="caller">The user.</param>
    /// <param name="before">Its time.</param>
    /// <param name="after">Its topic.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<RoomRow>> ListAsync(Caller caller, DateTimeOffset before, string after, int limit, CancellationToken cancellationToken) => database.ReadAsync(
        List, Read, cancellationToken, caller.Tenant, $"{TopicCatalog.Room}:%", before, after, (long)limit, caller.Grants is null ? caller.Places?.Topics.ToArray() ?? [] : null);

    /// <summary>Null: nobody has made it, nor spoken in it.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<RoomRow?> FindAsync(TopicKey topic, CancellationToken cancellationToken) =>
        await database.ReadAsync(Find, Read, cancellationToken, topic.Tenant, topic.Name.Value) is [var room] ? room : null;

    /// <returns>Whether it is new.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> InsertAsync(TopicKey topic, string kind, string title, string description, string by, CancellationToken cancellationToken) =>
        await database.RunAsync(Insert, cancellationToken, topic.Tenant, topic.Name.Value, kind, title, description, by) > 0;

    /// <summary>Changes what is said of a room; what is null stays.</summary>
    /// <param name="topic">The room.</param>
    /// <param name="kind">What it is, where nobody has made it.</param>
    /// <param name="title">Its name.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="slowSeconds">How long a member waits between two messages.</param>
    /// <param name="by">Who says so.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task ChangeAsync(TopicKey topic, string kind, string? title, string? description, int? slowSeconds, string by, CancellationToken cancellationToken) => database.RunAsync(
        Change, cancellationToken, topic.Tenant, topic.Name.Value, kind, title, description, slowSeconds ?? -1, topic.Name.Identifier, by);

    private static RoomRow Read(Npgsql.NpgsqlDataReader reader)
    {
        var (offset, hasLog) = (reader.GetInt64(2), !reader.IsDBNull(4));
        return new RoomRow(
            TopicName.Parse(reader.GetString(0)),
            hasLog ? new Position(reader.GetString(1), offset) : Position.Origin,
            reader.GetFieldValue<DateTimeOffset>(3),
            hasLog ? new ProjectionState(reader.GetInt64(4), reader.GetString(5), offset, reader.GetInt64(6), reader.GetInt64(7)) : null,
            reader.IsDBNull(8)
                ? null
                : new RoomRecord(reader.GetString(8), reader.GetString(9), reader.GetString(10), reader.GetInt32(11), reader.GetString(12), reader.GetFieldValue<DateTimeOffset>(13)));
    }
}
