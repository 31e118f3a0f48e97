using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>The numbers of topics.</summary>
/// <param name="Known">Those that there are by now.</param>
/// <param name="Refused">Those that their tenants may not have beside what they have.</param>
internal readonly record struct TopicIds(Dictionary<TopicKey, long> Known, IReadOnlySet<TopicKey> Refused);

/// <summary>
/// The numbers of topics, made where they are missing. In statements of their own, committed before the append, and without
/// waiting for who is about to make the same topic. Only the session touches this.
/// </summary>
internal sealed class PostgresTopicIds(TimeProvider time)
{
    private const int MaxCached = 100_000;

    private const string Find = """
        select t.tenant, t.topic, t.topic_id from unnest($1::text[], $2::text[]) a(tenant, topic) join realtime.topics t using (tenant, topic)
        """;

    // Nodes that make topics of a tenant whose number is limited do so one after the other, and each counts what the last one has
    // made: hence a statement of its own. Whoever holds this holds it for one more statement.
    private const string LockLimited = """
        select pg_advisory_xact_lock(hashtextextended('realtime.tenants/' || tenant, 0))
          from (select tenant from realtime.tenants where topics is not null and tenant = any($1::text[]) order by tenant offset 0) limited
        """;

    // Who makes a topic holds its lock until that is committed; an application's transaction may take long.
    private const string Make = """
        with asked as (
          select a.tenant, a.topic, q.topics as most, row_number() over (partition by a.tenant order by a.topic) as n
            from unnest($1::text[], $2::text[]) a(tenant, topic) left join realtime.tenants q using (tenant)
           where not exists (select from realtime.topics t where t.tenant = a.tenant and t.topic = a.topic)),
        had as (
          select l.tenant, (select count(*) from realtime.topics t where t.tenant = l.tenant) as count
            from (select distinct tenant from asked where most is not null) l),
        judged as (
          select asked.*, most is null or count + n <= most as fits from asked left join had using (tenant)),
        made as (
          insert into realtime.topics (tenant, topic)
          select tenant, topic from judged where fits and pg_try_advisory_xact_lock(realtime.topic_lock(tenant, topic))
              on conflict (tenant, topic) do nothing returning tenant, topic, topic_id)
        select tenant, topic, topic_id from made
        union all
        select tenant, topic, null from judged where not fits
        """;

    // Whoever asks again and again for what it cannot have must not cost the others a round trip each time.
    private static readonly TimeSpan FullTime = TimeSpan.FromSeconds(0.5);

    private readonly Dictionary<TopicKey, long> _ids = [];

    // Tenants that have as many topics as they may have, and when that was found.
    private readonly Dictionary<string, long> _full = new(StringComparer.Ordinal);

    public void Forget(TopicKey topic) => _ids.Remove(topic);

    /// <summary>What a new connection reaches may be another database, restored or rebuilt, where the numbers mean other topics.</summary>
    public void ForgetAll() => _ids.Clear();

    /// <summary>The numbers of the topics. Those that are neither known nor refused somebody else is about to make.</summary>
    public async Task<TopicIds> ResolveAsync(NpgsqlConnection connection, IEnumerable<TopicKey> topics, CancellationToken cancellationToken)
    {
        var ids = new Dictionary<TopicKey, long>();
        var unknown = new HashSet<TopicKey>();
        var refused = new HashSet<TopicKey>();
        foreach (var topic in topics)
        {
            if (_ids.TryGetValue(topic, out var id))
            {
                ids[topic] = id;
            }
            else
            {
                unknown.Add(topic);
            }
        }

        // A topic that another node makes between the two statements is neither found nor made; it is found the next time.
        for (var attempt = 0; unknown.Count > 0 && attempt < 2; attempt++)
        {
            await using (var find = new NpgsqlCommand(Find, connection) { Parameters = { TenantsOf(unknown), NamesOf(unknown) } })
            {
                await using var reader = await find.ExecuteReaderAsync(cancellationToken);
                await LearnAsync(reader, unknown, ids, refused, cancellationToken);
            }

            RefuseFull(unknown, refused);
            if (unknown.Count > 0)
            {
                await MakeAsync(connection, unknown, ids, refused, cancellationToken);
            }
        }

        return new TopicIds(ids, refused);
    }

    private async Task MakeAsync(
        NpgsqlConnection connection, HashSet<TopicKey> unknown, Dictionary<TopicKey, long> ids, HashSet<TopicKey> refused, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(LockLimited) { Parameters = { TenantsOf(unknown) } },
                new NpgsqlBatchCommand(Make) { Parameters = { TenantsOf(unknown), NamesOf(unknown) } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        await LearnAsync(reader, unknown, ids, refused, cancellationToken);
    }

    private static NpgsqlParameter TenantsOf(HashSet<TopicKey> topics) =>
        new() { Value = topics.Select(topic => topic.Tenant).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };

    private static NpgsqlParameter NamesOf(HashSet<TopicKey> topics) =>
        new() { Value = topics.Select(topic => topic.Name.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };

    private async Task LearnAsync(
        NpgsqlDataReader reader, HashSet<TopicKey> unknown, Dictionary<TopicKey, long> ids, HashSet<TopicKey> refused, CancellationToken cancellationToken)
    {
        if (_ids.Count + unknown.Count > MaxCached)
        {
            _ids.Clear();
        }

        var byName = unknown.ToDictionary(topic => (topic.Tenant, topic.Name.Value));
        while (await reader.ReadAsync(cancellationToken))
        {
            var topic = byName[(reader.GetString(0), reader.GetString(1))];
            unknown.Remove(topic);
            if (await reader.IsDBNullAsync(2, cancellationToken))
            {
                refused.Add(topic);
                _full[topic.Tenant] = time.GetTimestamp();
            }
            else
            {
                ids[topic] = _ids[topic] = reader.GetInt64(2);
            }
        }
    }

    private void RefuseFull(HashSet<TopicKey> unknown, HashSet<TopicKey> refused)
    {
        foreach (var (tenant, since) in _full)
        {
            if (time.GetElapsedTime(since) > FullTime)
            {
                _full.Remove(tenant);
            }
        }

        if (_full.Count > 0)
        {
            refused.UnionWith(unknown.Where(topic => _full.ContainsKey(topic.Tenant)));
            unknown.ExceptWith(refused);
        }
    }
}
