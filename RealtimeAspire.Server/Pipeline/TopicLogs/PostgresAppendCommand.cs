using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>What the database says of one publish.</summary>
/// <param name="Outcome">Where the event is; meaningless with a conflict.</param>
/// <param name="Conflict">The id stands for another event.</param>
internal readonly record struct Placement(AppendOutcome Outcome, bool Conflict);

/// <summary>
/// The append: two statements and one sync, which is one transaction in one round trip. Prepared once per connection; one
/// batch at a time.
/// </summary>
internal sealed class PostgresAppendCommand : IAsyncDisposable
{
    // In a statement of its own: the next one then has a snapshot taken after the locks. In one statement two nodes would
    // both find an id new.
    private const string Lock = "select 1 from realtime.topics where topic_id = any($1) order by topic_id for update";

    // An id that is past its window is forgotten before it is noted again: the day's partition has it once. Its day is
    // looked at as a whole for that. The upper bound spares the days ahead; clocks are not that wrong.
    private const string Place = """
        with req as (
          select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[],
              $10::integer[], $11::interval[], $13::text[])
            with ordinality r(topic_id, publisher, id, content, event, version, entity_id, payload, trace_id, retention_class, id_window, signature, n)),
        known as (
          select r.n, r.topic_id, r.publisher, r.id, i."offset" as off, i.created_at as at, i.content <> r.content as conflict,
                 i.created_at > now() - r.id_window as valid
            from req r join realtime.event_ids i on i.topic_id = r.topic_id and i.publisher = r.publisher and i.id = r.id
             and i.created_at >= date_trunc('day', now() - $12::interval, 'UTC') and i.created_at < now() + interval '1 day'),
        seen as (select distinct on (n) * from known where valid order by n, at desc),
        forgotten as (
          delete from realtime.event_ids i using known k
           where not k.valid and i.topic_id = k.topic_id and i.publisher = k.publisher and i.id = k.id and i.created_at = k.at
          returning 1),
        fresh as (
          select r.*, row_number() over (partition by r.topic_id order by r.n) as rn
            from req r where not exists (select from seen s where s.n = r.n)),
        moved as (
          update realtime.topics t
             set last_offset = t.last_offset + c.k, last_at = greatest(t.last_at, date_trunc('milliseconds', clock_timestamp()))
            from (select topic_id, count(*) as k from fresh group by 1) c where t.topic_id = c.topic_id
          returning t.topic_id, t.tenant, t.epoch, t.last_offset - c.k as base, t.last_at as at),
        placed as (select f.*, m.tenant, m.base + f.rn as off, m.at, m.epoch from fresh f join moved m using (topic_id)),
        stored as (
          insert into realtime.events (tenant, topic_id, "offset", id, event, version, entity_id, payload, user_id, trace_id, created_at, retention_class, signature)
          select tenant, topic_id, off, id, event, version, entity_id, payload, nullif(publisher, ''), trace_id, at, retention_class, signature from placed),
        noted as (
          insert into realtime.event_ids (tenant, topic_id, publisher, id, "offset", content, created_at)
          select tenant, topic_id, publisher, id, off, content, at from placed where (select count(*) from forgotten) >= 0)
        select n, off, at, epoch, false, false from placed
        union all
        select s.n, s.off, s.at, t.epoch, true, s.conflict
          from seen s join realtime.topics t using (topic_id)
        """;

    // A publish that is sent again must find its own first try, however short its window: longer than a publish can wait.
    private static readonly TimeSpan ResendTime = TimeSpan.FromMinutes(6);

    private readonly string _incarnation;
    private readonly NpgsqlBatch _batch;
    private readonly NpgsqlParameter<long[]> _locks = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint };
    private readonly NpgsqlParameter<long[]> _topics = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint };
    private readonly NpgsqlParameter<string[]> _publishers = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<string[]> _ids = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<byte[][]> _contents = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea };
    private readonly NpgsqlParameter<string[]> _events = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<int[]> _versions = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer };
    private readonly NpgsqlParameter<string?[]> _entities = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<byte[][]> _payloads = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<string?[]> _traces = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<int[]> _classes = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer };
    private readonly NpgsqlParameter<byte[]?[]> _signatures = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    private readonly NpgsqlParameter<TimeSpan[]> _windows = new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Interval };

    /// <param name="connection">Open.</param>
    /// <param name="incarnation">The database's, which every epoch ends with. It stays the same for as long as the connection.</param>
    /// <param name="longestWindow">How far back ids are looked for.</param>
    /// <param name="timeoutSeconds">How long the round trip may take.</param>
    public PostgresAppendCommand(NpgsqlConnection connection, string incarnation, TimeSpan longestWindow, int timeoutSeconds)
    {
        _incarnation = incarnation;
        var longest = new NpgsqlParameter<TimeSpan> { NpgsqlDbType = NpgsqlDbType.Interval, TypedValue = Max(longestWindow, ResendTime) };
        _batch = new NpgsqlBatch(connection)
        {
            Timeout = timeoutSeconds,
            BatchCommands =
            {
                new NpgsqlBatchCommand(Lock) { Parameters = { _locks } },
                new NpgsqlBatchCommand(Place)
                {
                    Parameters = { _topics, _publishers, _ids, _contents, _events, _versions, _entities, _payloads, _traces, _classes, _windows, longest, _signatures },
                },
            },
        };
        SetParameters([], []);
    }

    public Task PrepareAsync(CancellationToken cancellationToken) => _batch.PrepareAsync(cancellationToken);

    /// <returns>One placement per publish; null where the topic's row is gone.</returns>
    public async Task<Placement?[]> ExecuteAsync(IReadOnlyList<PendingAppend> appends, long[] topicIds, CancellationToken cancellationToken)
    {
        SetParameters(appends, topicIds);
        var placements = new Placement?[appends.Count];
        await using var reader = await _batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var position = new Position(reader.GetString(3) + _incarnation, reader.GetInt64(1));
            var outcome = new AppendOutcome(position, reader.GetFieldValue<DateTimeOffset>(2), reader.GetBoolean(4));
            placements[reader.GetInt64(0) - 1] = new Placement(outcome, reader.GetBoolean(5));
        }

        return placements;
    }

    public ValueTask DisposeAsync() => _batch.DisposeAsync();

    private void SetParameters(IReadOnlyList<PendingAppend> appends, long[] topicIds)
    {
        _locks.TypedValue = [.. topicIds.Distinct()];
        _topics.TypedValue = topicIds;
        _publishers.TypedValue = Column(appends, pending => pending.Append.Publisher);
        _ids.TypedValue = Column(appends, pending => pending.Append.Id);
        _contents.TypedValue = Column(appends, pending => pending.Append.ContentHash);
        _events.TypedValue = Column(appends, pending => pending.Append.Event);
        _versions.TypedValue = Column(appends, pending => pending.Append.Version);
        _entities.TypedValue = Column(appends, pending => pending.Append.EntityId);
        _payloads.TypedValue = Column(appends, pending => pending.Append.Payload);
        _traces.TypedValue = Column(appends, pending => pending.Append.TraceParent);
        _signatures.TypedValue = Column(appends, pending => pending.Append.Signature);
        _classes.TypedValue = Column(appends, pending => PostgresRetention.ClassOf(pending.Policy));
        _windows.TypedValue = Column(appends, pending => pending.Resent ? Max(pending.Policy.IdempotencyWindow, ResendTime) : pending.Policy.IdempotencyWindow);
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private static T[] Column<T>(IReadOnlyList<PendingAppend> appends, Func<PendingAppend, T> value)
    {
        var column = new T[appends.Count];
        for (var i = 0; i < column.Length; i++)
        {
            column[i] = value(appends[i]);
        }

        return column;
    }
}
