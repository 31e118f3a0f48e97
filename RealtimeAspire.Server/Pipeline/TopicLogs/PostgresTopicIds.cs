using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The numbers of topics, made where they are missing. In statements of their own, committed before the append, and without
/// waiting for who is about to make the same topic. Only the session touches this.
/// </summary>
internal sealed class PostgresTopicIds
{
    private const int MaxCached = 100_000;

    private const string Find = """
        select t.tenant, t.topic, t.topic_id from unnest($1::text[], $2::text[]) a(tenant, topic) join realtime.topics t using (tenant, topic)
        """;

    // Who makes a topic holds its lock until that is committed; an application's transaction may take long.
    private const string Make = """
        insert into realtime.topics (tenant, topic)
        select tenant, topic from unnest($1::text[], $2::text[]) a(tenant, topic) where pg_try_advisory_xact_lock(realtime.topic_lock(tenant, topic))
            on conflict (tenant, topic) do nothing returning tenant, topic, topic_id
        """;

    private readonly Dictionary<TopicKey, long> _ids = [];

    public void Forget(TopicKey topic) => _ids.Remove(topic);

    /// <summary>What a new connection reaches may be another database, restored or rebuilt, where the numbers mean other topics.</summary>
    public void ForgetAll() => _ids.Clear();

    /// <summary>The numbers of the topics, but of those that somebody else is about to make.</summary>
    public async Task<Dictionary<TopicKey, long>> ResolveAsync(NpgsqlConnection connection, IEnumerable<TopicKey> topics, CancellationToken cancellationToken)
    {
        var ids = new Dictionary<TopicKey, long>();
        var unknown = new HashSet<TopicKey>();
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
            foreach (var sql in new[] { Find, Make })
            {
                await LearnAsync(connection, sql, unknown, ids, cancellationToken);
            }
        }

        return ids;
    }

    private async Task LearnAsync(
        NpgsqlConnection connection, string sql, HashSet<TopicKey> unknown, Dictionary<TopicKey, long> ids, CancellationToken cancellationToken)
    {
        if (unknown.Count == 0)
        {
            return;
        }

        if (_ids.Count + unknown.Count > MaxCached)
        {
            _ids.Clear();
        }

        await using var command = new NpgsqlCommand(sql, connection)
        {
            Parameters =
            {
                new NpgsqlParameter { Value = unknown.Select(topic => topic.Tenant).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                new NpgsqlParameter { Value = unknown.Select(topic => topic.Name.Value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
            },
        };
        var byName = unknown.ToDictionary(topic => (topic.Tenant, topic.Name.Value));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var topic = byName[(reader.GetString(0), reader.GetString(1))];
            ids[topic] = _ids[topic] = reader.GetInt64(2);
            unknown.Remove(topic);
        }
    }
}
