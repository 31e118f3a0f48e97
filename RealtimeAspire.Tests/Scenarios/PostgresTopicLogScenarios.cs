using Aspire.Hosting.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The log's promises on a real Postgres, in the schema that the nodes have made.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresTopicLogScenarios(Topology topology) : TopicLogSpecification, IAsyncLifetime
{
    private readonly RealtimeTracing _tracing = new();
    private NpgsqlDataSource? _dataSource;
    private PostgresAppender? _appender;
    private ITopicLog? _log;

    private protected override ITopicLog Log => _log!;

    public async ValueTask InitializeAsync()
    {
        var options = Microsoft.Extensions.Options.Options.Create(new RealtimeOptions());
        var database = await topology.App.GetConnectionStringAsync("realtime", Topology.Cancelled);
        _dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database) { ApplicationName = $"specification {Guid.NewGuid():n}" });
        _appender = new PostgresAppender(_dataSource, options, _tracing, TimeProvider.System, NullLogger<PostgresAppender>.Instance);
        _log = new PostgresTopicLog(_dataSource, _appender);
        await _appender.StartAsync(Topology.Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _appender!.StopAsync(CancellationToken.None);
        _appender.Dispose();
        await _dataSource!.DisposeAsync();
        _tracing.Dispose();
    }

    [Fact]
    public async Task Every_row_carries_its_tenant()
    {
        await AppendAsync("a", topic: Topic with { Tenant = "acme" });

        await using var command = _dataSource!.CreateCommand("""
            select e.tenant || ' ' || i.tenant
              from realtime.topics t join realtime.events e using (topic_id) join realtime.event_ids i using (topic_id)
             where t.topic = $1
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = Topic.Name.Value });
        Assert.Equal("acme acme", await command.ExecuteScalarAsync(Topology.Cancelled));
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
              join realtime.event_ids i on i.topic_id = r.topic_id and i.publisher = r.publisher and i.id = r.id and i.created_at > now() - interval '1 day'
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
                await KillAppenderAsync();
            }
        }

        var stored = await Task.WhenAll(outcomes);

        Assert.Equal(Enumerable.Range(1, 3_000).Select(i => (long)i), stored.Select(outcome => outcome.Position.Offset));
    }

    private async Task KillAppenderAsync()
    {
        // Those of this test alone, not of the nodes.
        await using var kill = _dataSource!.CreateCommand("""
            select count(pg_terminate_backend(pid)) from pg_stat_activity
             where pid <> pg_backend_pid() and application_name = current_setting('application_name')
            """);
        await kill.ExecuteScalarAsync(Topology.Cancelled);
    }

    private async Task<string> PlanAsync(string sql)
    {
        await using var connection = await _dataSource!.OpenConnectionAsync(Topology.Cancelled);
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
}
