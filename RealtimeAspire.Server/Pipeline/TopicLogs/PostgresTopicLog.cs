using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The durable log: appends go through the node's one appender, reads through the pool. A reader sees the retention of the
/// configuration at once, whatever of the rest is still stored. What reads events runs as a role that sees the topic's tenant
/// alone; see <see cref="DatabaseRoles"/>.
/// </summary>
internal sealed class PostgresTopicLog(NpgsqlDataSource dataSource, TopicCatalog catalog, PostgresAppender appender, TimeProvider time) : ITopicLog, IDisposable
{
    private const int CommandTimeoutSeconds = 2;
    private const int MaxReaders = 32;
    private const int MaxReadersOfTenant = 24;

    private static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(2);

    /// <summary>Nearly every reader wants what is younger; clocks of nodes and database differ by less.</summary>
    private static readonly TimeSpan RecentTime = TimeSpan.FromDays(2);

    private const string Tips = """
        select t.tenant, t.topic, t.epoch || (select realtime.incarnation()), t.last_offset
          from unnest($1::text[], $2::text[]) a(tenant, topic) join realtime.topics t using (tenant, topic)
        """;

    private static readonly string ReadAfter = Read("e.\"offset\" > $3", "asc");
    private static readonly string ReadBefore = Read("e.\"offset\" < $3", "desc");
    private static readonly string ReadNewest = Read("e.\"offset\" > t.last_offset - $3", "desc");
    private static readonly string ReadSince = Read("e.created_at >= $3", "asc");

    private readonly SemaphoreSlim _readers = new(MaxReaders);
    private readonly FairPlaces<string> _tenants = new(MaxReadersOfTenant);

    public bool AnnouncesAppends => false;

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) => appender.AppendAsync(append, committed);

    public async Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        // Tip checks and appends need connections too, however many readers come at once; and other tenants' readers.
        if (!await _tenants.TryEnterAsync(topic.Tenant, TurnTime, cancellationToken))
        {
            throw new RealtimeException(ErrorCode.Overloaded);
        }

        var isReader = false;
        try
        {
            isReader = await _readers.WaitAsync(TurnTime, cancellationToken);
            if (!isReader)
            {
                throw new RealtimeException(ErrorCode.Overloaded);
            }

            var retention = catalog.Find(topic)?.Retention ?? default;
            var now = time.GetUtcNow();
            if (range is LogRange.Since since)
            {
                return await ReadAsync(topic, range, limit, retention, since.Time, cancellationToken);
            }

            var recent = await ReadAsync(topic, range, limit, retention, now - RecentTime, cancellationToken);
            return IsWhole(recent, range, limit)
                ? recent
                : await ReadAsync(topic, range, limit, retention, retention.Age is { } age ? now - age - RecentTime : null, cancellationToken);
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
        finally
        {
            if (isReader)
            {
                _readers.Release();
            }

            _tenants.Leave(topic.Tenant);
        }
    }

    public void Dispose() => _readers.Dispose();

    /// <summary>Whether a page that was read from the newest partitions is what all of them would have given.</summary>
    internal static bool IsWhole(LogPage page, LogRange range, int limit)
    {
        var first = page.Events.Count == 0 ? page.Tip.Offset + 1 : page.Events[0].Position.Offset;
        return range switch
        {
            LogRange.After after => first <= Math.Max(after.Offset + 1, page.Floor),
            LogRange.Newest newest => page.Events.Count >= Math.Min(newest.Count, limit) || first <= page.Floor || IsFull(page),
            _ => page.Events.Count >= limit || first <= page.Floor || IsFull(page),
        };
    }

    private static bool IsFull(LogPage page) => page.Events.Sum(logged => (long)logged.Payload.Length) >= LogPage.MaxBytes;

    /// <param name="topic">The topic.</param>
    /// <param name="range">Which events.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="retention">What of them is still to be read.</param>
    /// <param name="notBefore">Partitions of earlier days are not even opened: there may be hundreds, each with a lock. Null: all are.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    private async Task<LogPage> ReadAsync(
        TopicKey topic, LogRange range, int limit, Retention retention, DateTimeOffset? notBefore, CancellationToken cancellationToken)
    {
        var (sql, bound) = range switch
        {
            LogRange.After after => (ReadAfter, new NpgsqlParameter { Value = after.Offset }),
            LogRange.Before before => (ReadBefore, new NpgsqlParameter { Value = before.Offset }),
            LogRange.Newest newest => (ReadNewest, new NpgsqlParameter { Value = (long)newest.Count }),
            LogRange.Since since => (ReadSince, new NpgsqlParameter { Value = since.Time.ToUniversalTime() }),
            _ => throw new ArgumentOutOfRangeException(nameof(range)),
        };
        await using var batch = dataSource.CreateReading(topic.Tenant);
        batch.Timeout = CommandTimeoutSeconds;
        var command = new NpgsqlBatchCommand(sql);
        command.Parameters.Add(new NpgsqlParameter { Value = topic.Tenant });
        command.Parameters.Add(new NpgsqlParameter { Value = topic.Name.Value });
        command.Parameters.Add(bound);
        command.Parameters.Add(new NpgsqlParameter { Value = (long)limit });
        command.Parameters.Add(new NpgsqlParameter { Value = (long)LogPage.MaxBytes });
        command.Parameters.Add(new NpgsqlParameter { Value = retention.Events ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
        command.Parameters.Add(new NpgsqlParameter { Value = retention.Age ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Interval });
        command.Parameters.Add(new NpgsqlParameter { Value = (notBefore ?? DateTimeOffset.UnixEpoch).ToUniversalTime() });
        batch.BatchCommands.Add(command);
        await using var reader = await batch.ReadAsync(cancellationToken);
        return await ReadPageAsync(topic, reader, cancellationToken);
    }

    public async Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
    {
        var tips = topics.ToDictionary(topic => topic, _ => Position.Origin);
        var byName = topics.ToDictionary(topic => (topic.Tenant, topic.Name.Value));
        try
        {
            await using var batch = dataSource.CreateTipReading();
            batch.Timeout = CommandTimeoutSeconds;
            var command = new NpgsqlBatchCommand(Tips);
            command.Parameters.Add(new NpgsqlParameter { Value = topics.Select(topic => topic.Tenant).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
            command.Parameters.Add(new NpgsqlParameter { Value = topics.Select(topic => topic.Name.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
            batch.BatchCommands.Add(command);
            await using var reader = await batch.ReadAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                tips[byName[(reader.GetString(0), reader.GetString(1))]] = TipOf(reader.GetString(2), reader.GetInt64(3));
            }
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }

        return tips;
    }

    private static async Task<LogPage> ReadPageAsync(TopicKey topic, NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var page = LogPage.Empty;
        List<LoggedEvent> events = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            var epoch = reader.GetString(0);
            page = new LogPage(TipOf(epoch, reader.GetInt64(1)), reader.GetInt64(2), events);
            if (!await reader.IsDBNullAsync(3, cancellationToken))
            {
                events.Add(ReadEvent(topic, epoch, reader));
            }
        }

        return page;
    }

    private static LoggedEvent ReadEvent(TopicKey topic, string epoch, NpgsqlDataReader reader) => new()
    {
        Topic = topic,
        Position = new Position(epoch, reader.GetInt64(3)),
        Id = reader.GetString(4),
        Event = reader.GetString(5),
        Version = reader.GetInt32(6),
        EntityId = reader.IsDBNull(7) ? null : reader.GetString(7),
        Payload = reader.GetFieldValue<byte[]>(8),
        UserId = reader.IsDBNull(9) ? null : reader.GetString(9),
        TraceParent = reader.IsDBNull(10) ? null : reader.GetString(10),
        Timestamp = reader.GetFieldValue<DateTimeOffset>(11),
        Signature = reader.IsDBNull(12) ? null : reader.GetFieldValue<byte[]>(12),
    };

    // A row is made before its first event; until then the topic is one without events.
    private static Position TipOf(string epoch, long offset) => offset == 0 ? Position.Origin : new Position(epoch, offset);

    // One statement, hence one snapshot: tip, floor and events belong together. The lengths are known without reading the
    // payloads, so what does not fit costs little.
    private static string Read(string condition, string direction) => $"""
        select t.epoch || (select realtime.incarnation()), t.last_offset, t.first, e."offset", e.id, e.event, e.version, e.entity_id, e.payload, e.user_id, e.trace_id, e.created_at, e.signature
          from (select *, greatest(floor, last_offset - $6 + 1) as first from realtime.topics) t
          left join lateral (
            select * from (
              select e.*, sum(octet_length(e.payload)) over (order by e."offset" {direction} rows unbounded preceding) as bytes
                from realtime.events e
               where e.topic_id = t.topic_id and e."offset" >= t.first and e."offset" <= t.last_offset
                 and e.created_at >= $8 and e.created_at > coalesce(now() - $7, '-infinity') and {condition}
               order by e."offset" {direction} limit $4) p
             where p.bytes - octet_length(p.payload) < $5) e on true
         where t.tenant = $1 and t.topic = $2
         order by e."offset"
        """;

    private static RealtimeException Unavailable(DbException exception) =>
        new(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
}
