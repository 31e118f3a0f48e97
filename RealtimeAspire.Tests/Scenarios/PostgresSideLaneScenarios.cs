using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>An application's transaction that has published holds its topics until it ends. Nobody else waits for it.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresSideLaneScenarios(Topology topology) : IAsyncLifetime
{
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(3);

    private PostgresDatabase? _database;

    private PostgresDatabase Database => _database!;

    public async ValueTask InitializeAsync() => _database = await PostgresDatabase.CreateAsync(topology);

    public ValueTask DisposeAsync() => Database.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_transaction_that_holds_a_topic_for_3_s_delays_no_other_topic_and_the_order_of_its_own_is_kept(bool isNew)
    {
        await using var node = await Database.StartNodeAsync();
        await node.AppendAsync("room:free", "first");
        if (!isNew)
        {
            await node.AppendAsync("room:held", "first");
        }

        var committed = new List<long>();
        var blocked = new List<Task<AppendOutcome>>();
        await using (var application = await PublishAsync("room:held"))
        {
            var began = TimeProvider.System.GetTimestamp();
            for (var i = 0; i < 20 || TimeProvider.System.GetElapsedTime(began) < Held; i++)
            {
                blocked.Add(node.AppendAsync("room:held", $"e{i}", committed: logged => committed.Add(logged.Position.Offset)));
                await node.AppendAsync(i % 10 == 0 ? $"room:new{i}" : "room:free", $"e{i}");
            }

            Assert.All(blocked, append => Assert.False(append.IsCompleted));
            await application.CommitAsync();
        }

        var outcomes = await Task.WhenAll(blocked);

        var before = isNew ? 1 : 2;
        Assert.Equal(Enumerable.Range(before + 1, blocked.Count).Select(i => (long)i), outcomes.Select(outcome => outcome.Position.Offset));
        Assert.Equal(outcomes.Select(outcome => outcome.Position.Offset), committed);

        // Back in the main line, still in order.
        Assert.Equal(outcomes[^1].Position.Offset + 1, (await node.AppendAsync("room:held", "last")).Position.Offset);
    }

    [Fact]
    public async Task Several_held_topics_do_not_wait_for_each_other()
    {
        await using var node = await Database.StartNodeAsync();
        await using var longer = await PublishAsync("room:longer");
        var shorter = await PublishAsync("room:shorter");
        var waiting = new[] { node.AppendAsync("room:longer", "a"), node.AppendAsync("room:shorter", "a"), node.AppendAsync("room:fresh", "a") };
        Assert.Equal(1, (await waiting[2].WaitAsync(TimeSpan.FromSeconds(5), Topology.Cancelled)).Position.Offset);

        await shorter.RollbackAsync();
        await shorter.DisposeAsync();

        Assert.Equal(1, (await waiting[1].WaitAsync(TimeSpan.FromSeconds(5), Topology.Cancelled)).Position.Offset);
        Assert.False(waiting[0].IsCompleted);
        await longer.CommitAsync();
        Assert.Equal(2, (await waiting[0]).Position.Offset);
    }

    [Fact]
    public async Task A_publish_on_a_topic_that_stays_held_fails_as_retryable_when_its_time_is_over()
    {
        await using var node = await Database.StartNodeAsync(new RealtimeOptions { Limits = new LimitOptions { PublishTimeoutSeconds = 1 } });
        await using (var application = await PublishAsync("room:held"))
        {
            var failed = await Assert.ThrowsAsync<RealtimeException>(() => node.AppendAsync("room:held", "a"));
            Assert.Equal(ErrorCode.LogUnavailable, failed.Error);
            await application.CommitAsync();
        }

        // At a node that has the time.
        await using var other = await Database.StartNodeAsync();
        Assert.Equal((2, false), await OutcomeAsync(other.AppendAsync("room:held", "a")));
    }

    [Fact]
    public async Task A_retry_is_settled_in_the_lane_as_elsewhere()
    {
        await using var node = await Database.StartNodeAsync();
        await node.AppendAsync("room:held", "a");
        var application = await PublishAsync("room:held");
        var waiting = new[] { node.AppendAsync("room:held", "b"), node.AppendAsync("room:held", "a"), node.AppendAsync("room:held", "b"), node.AppendAsync("room:held", "a", "2") };
        await application.CommitAsync();
        await application.DisposeAsync();

        Assert.Equal((3, false), await OutcomeAsync(waiting[0]));
        Assert.Equal((1, true), await OutcomeAsync(waiting[1]));
        Assert.Equal((3, true), await OutcomeAsync(waiting[2]));
        Assert.Equal("id_conflict", (await Assert.ThrowsAsync<RealtimeException>(() => waiting[3])).Code);
    }

    [Fact]
    public async Task A_node_that_stops_stores_what_waits_for_a_held_topic()
    {
        var node = await Database.StartNodeAsync();
        await node.AppendAsync("room:held", "a");
        await using var application = await PublishAsync("room:held");
        var waiting = node.AppendAsync("room:held", "b");
        var stopping = node.DisposeAsync();
        Assert.False(waiting.IsCompleted);
        await application.CommitAsync();
        await stopping;

        Assert.Equal((3, false), await OutcomeAsync(waiting));
    }

    [Fact]
    public async Task Two_nodes_and_an_application_keep_one_order_while_connections_break()
    {
        await using var one = await Database.StartNodeAsync();
        await using var other = await Database.StartNodeAsync();
        var appends = new List<Task<AppendOutcome>>();
        for (var i = 0; i < 600; i++)
        {
            appends.Add((i % 2 == 0 ? one : other).AppendAsync($"room:{i % 3}", $"e{i}"));
            if (i % 150 == 75)
            {
                await using var application = await PublishAsync($"room:{i % 3}");
                await application.CommitAsync();
            }

            if (i == 300)
            {
                await Database.BreakConnectionsAsync();
            }
        }

        var outcomes = await Task.WhenAll(appends);

        for (var topic = 0; topic < 3; topic++)
        {
            var events = (await one.ReadAsync($"room:{topic}")).Events;
            Assert.Equal(Enumerable.Range(1, events.Count).Select(i => (long)i), events.Select(logged => logged.Position.Offset));
            foreach (var ofNode in new[] { 0, 1 })
            {
                var mine = Enumerable.Range(0, 600).Where(i => i % 3 == topic && i % 2 == ofNode).Select(i => outcomes[i].Position.Offset).ToList();
                Assert.Equal(mine.Order(), mine);
            }
        }
    }

    private static async Task<(long Offset, bool Duplicate)> OutcomeAsync(Task<AppendOutcome> append)
    {
        var outcome = await append.WaitAsync(TimeSpan.FromSeconds(10), Topology.Cancelled);
        return (outcome.Position.Offset, outcome.Duplicate);
    }

    /// <summary>What an application does: its transaction is open when this returns.</summary>
    private async Task<Application> PublishAsync(string topic)
    {
        var connection = await Database.ConnectAsync();
        var application = new Application(connection, await connection.BeginTransactionAsync(Topology.Cancelled));
        await using var publish = new NpgsqlCommand("select realtime.publish($1, 'app:x', '1')", connection) { Parameters = { new() { Value = topic } } };
        await publish.ExecuteNonQueryAsync(Topology.Cancelled);
        return application;
    }

    private sealed class Application(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
    {
        public Task CommitAsync() => transaction.CommitAsync(Topology.Cancelled);

        public Task RollbackAsync() => transaction.RollbackAsync(Topology.Cancelled);

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
