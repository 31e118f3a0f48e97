using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The numbers of topics, made where they are missing. In a statement of its own, committed before the append: two nodes
/// that create the same topic then wait for each other here and not in a batch. Only the appender's loop touches this.
/// </summary>
internal sealed class PostgresTopicIds
{
    private const int MaxCached = 100_000;

    private const string FindOrCreate = """
        with asked as (select * from unnest($1::text[], $2::text[]) a(tenant, topic)),
        made as (insert into realtime.topics (tenant, topic) select tenant, topic from asked order by 1, 2
                 on conflict (tenant, topic) do nothing returning tenant, topic, topic_id)
        select tenant, topic, topic_id from made
        union all
        select t.tenant, t.topic, t.topic_id from realtime.topics t join asked a using (tenant, topic)
        """;

    private readonly Dictionary<TopicKey, long> _ids = [];

    public void Forget(TopicKey topic) => _ids.Remove(topic);

    /// <summary>What a new connection reaches may be another database, restored or rebuilt, where the numbers mean other topics.</summary>
    public void ForgetAll() => _ids.Clear();

    public async Task<long[]> ResolveAsync(NpgsqlConnection connection, IReadOnlyList<PendingAppend> appends, CancellationToken cancellationToken)
    {
        var unknown = appends.Select(pending => pending.Append.Topic).Where(topic => !_ids.ContainsKey(topic)).Distinct().ToList();
        // A topic that another node creates at this moment is neither made nor seen here; it is there the next time.
        for (var attempt = 0; unknown.Count > 0 && attempt < 3; attempt++)
        {
            await CreateAsync(connection, unknown, cancellationToken);
            unknown.RemoveAll(_ids.ContainsKey);
        }

        // A topic still without a number gets one that no row has: its publishes come back unplaced and are tried again.
        var ids = new long[appends.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = _ids.GetValueOrDefault(appends[i].Append.Topic, -1);
        }

        return ids;
    }

    private async Task CreateAsync(NpgsqlConnection connection, List<TopicKey> unknown, CancellationToken cancellationToken)
    {
        if (_ids.Count + unknown.Count > MaxCached)
        {
            _ids.Clear();
        }

        await using var command = new NpgsqlCommand(FindOrCreate, connection)
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
            _ids[byName[(reader.GetString(0), reader.GetString(1))]] = reader.GetInt64(2);
        }
    }
}
