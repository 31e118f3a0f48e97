using Npgsql;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The log's promises on a real Postgres, with two nodes over it.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresTopicLogScenarios(PostgresTopicLogScenarios.Nodes nodes) : TopicLogSpecification, IClassFixture<PostgresTopicLogScenarios.Nodes>
{
    private protected override ITopicLog Log => nodes.One.Log;

    private protected override ITopicLog Other => nodes.Other.Log;

    private PostgresDatabase Database => nodes.Database;

    /// <summary>What deletes a topic's row makes a new incarnation of it.</summary>
    private protected override async Task<bool> ResetAsync(TopicKey topic)
    {
        await Database.ExecuteAsync("delete from realtime.topics where topic = $1", topic.Name.Value);
        return true;
    }

    [Fact]
    public async Task Every_row_carries_its_tenant()
    {
        await AppendAsync("a", topic: Topic with { Tenant = "acme" });

        Assert.Equal("acme acme", await Database.ReadAsync<string>("""
            select e.tenant || ' ' || i.tenant
              from realtime.topics t join realtime.events e using (topic_id) join realtime.event_ids i using (topic_id)
             where t.topic = $1
            """, Topic.Name.Value));
    }

    [Fact]
    public async Task A_publish_that_is_sent_again_finds_its_own_first_try_however_short_its_window()
    {
        var topic = NewTopic(Windowed);
        await AppendAsync("a", topic: topic);
        await Database.ExecuteAsync("update realtime.event_ids i set created_at = i.created_at - interval '1 minute' from realtime.topics t where t.topic_id = i.topic_id and t.topic = $1", topic.Name.Value);
        await using var connection = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled);
        await using var command = new PostgresAppendCommand(connection, "", TimeSpan.Zero, timeoutSeconds: 5);
        var again = new PendingAppend(NewAppend(topic, "a", "hi"), nodes.One.Catalog.Get(topic.Name), _ => { }, long.MaxValue, new(long.MaxValue)) { Resent = true };
        var topicId = await Database.ReadAsync<long>("select topic_id from realtime.topics where topic = $1", topic.Name.Value);

        var placement = Assert.Single(await command.ExecuteAsync([again], [topicId], Topology.Cancelled));

        Assert.Equal((1, true), (placement!.Value.Outcome.Position.Offset, placement.Value.Outcome.Duplicate));
    }

    [Fact]
    public async Task An_append_and_a_page_go_by_the_one_index_of_each_partition()
    {
        await AppendAsync("a");

        Assert.DoesNotContain("Seq Scan on events", await PlanAsync("""
            select * from (select e.*, sum(octet_length(e.payload)) over (order by e."offset" rows unbounded preceding) as bytes
              from realtime.events e where e.topic_id = 1 and e."offset" > 5 order by e."offset" limit 100) p where p.bytes < 1000
            """), StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan on event_ids", await PlanAsync("""
            select * from unnest(array[1::bigint], array['ada'], array['x']) r(topic_id, publisher, id)
              join realtime.event_ids i on i.topic_id = r.topic_id and i.publisher = r.publisher and i.id = r.id and i.created_at >= date_trunc('day', now() - interval '1 day', 'UTC')
            """), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_Postgres_breaks_connections_every_publish_is_stored_once_and_in_order()
    {
        var outcomes = new List<Task<AppendOutcome>>();
        for (var i = 0; i < 3_000; i++)
        {
            outcomes.Add(AppendAsync($"e{i}"));
            if (i % 1_000 == 500)
            {
                await Database.BreakConnectionsAsync();
            }
        }

        var stored = await Task.WhenAll(outcomes);

        Assert.Equal(Enumerable.Range(1, 3_000).Select(i => (long)i), stored.Select(outcome => outcome.Position.Offset));
    }

    private async Task<string> PlanAsync(string sql)
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled);
        await using var settings = new NpgsqlCommand("set enable_seqscan = off; set enable_mergejoin = off", connection);
        await settings.ExecuteNonQueryAsync(Topology.Cancelled);
        await using var explain = new NpgsqlCommand($"explain {sql}", connection);
        await using var reader = await explain.ExecuteReaderAsync(Topology.Cancelled);
        var lines = new List<string>();
        while (await reader.ReadAsync(Topology.Cancelled))
        {
            lines.Add(reader.GetString(0));
        }

        return string.Join('\n', lines);
    }

    /// <summary>One database for all the tests here: their topics are their own.</summary>
    public sealed class Nodes(Topology topology) : IAsyncLifetime
    {
        private PostgresDatabase? _database;
        private PostgresNode? _one;
        private PostgresNode? _other;

        public PostgresDatabase Database => _database!;

        internal PostgresNode One => _one!;

        internal PostgresNode Other => _other!;

        public async ValueTask InitializeAsync()
        {
            _database = await PostgresDatabase.CreateAsync(topology);
            _one = await _database.StartNodeAsync(TypesOf(Durability.Durable));
            _other = await _database.StartNodeAsync(TypesOf(Durability.Durable));
        }

        public async ValueTask DisposeAsync()
        {
            await _one!.DisposeAsync();
            await _other!.DisposeAsync();
            await _database!.DisposeAsync();
        }
    }
}
