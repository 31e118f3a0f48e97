using Aspire.Hosting.ApplicationModel;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// The promises under load while real processes die. The checker's engine publishes, retries and reads raw; its verifier
/// compares what was acknowledged with what everybody received. <c>REALTIME_SEED=n</c> repeats a run's choices,
/// <c>REALTIME_LONG=1</c> repeats each scenario 20 times.
/// </summary>
[Collection(SharedTopology.Name)]
public sealed class ProofScenarios(Topology topology, ITestOutputHelper output)
{
    private readonly Proof _proof = new(topology, output);
    private readonly ProofFault _fault = new(topology, output);

    /// <summary>At first every publisher is on the node that dies, and some have no answer.</summary>
    [Fact]
    public Task Nothing_is_lost_when_a_node_is_killed()
    {
        Node[] nodes = [];
        return _proof.RunAsync(
            options =>
            {
                nodes = [.. topology.Nodes()];
                return options with { PublishAt = connection => connection == 0 ? nodes[0].Address : topology.Api };
            },
            run => _fault.KillPublisherOfAsync(run, nodes[0].ResourceId));
    }

    [Fact]
    public Task Nothing_is_lost_when_Redis_is_killed() => _proof.RunAsync(
        options => options, run => _fault.KillAsync(run, ResourceId("redis")));

    [Fact]
    public Task Nothing_is_lost_when_Postgres_is_killed() => _proof.RunAsync(
        options => options, run => _fault.KillAsync(run, ResourceId("postgres")));

    /// <summary>They come back through the round robin: over the hub and by polls from their positions, over streams with the last id.</summary>
    [Fact]
    public Task Nothing_is_lost_when_the_node_of_all_subscribers_is_killed()
    {
        Node[] nodes = [];
        return _proof.RunAsync(
            options =>
            {
                nodes = [.. topology.Nodes()];
                return options with { SubscribeAt = (_, connection) => connection == 0 ? nodes[0].Address : topology.Api, DropsAfter = TimeSpan.FromHours(1) };
            },
            run => _fault.KillAsync(run, nodes[0].ResourceId),
            (_, record) => Assert.All((string[])[Subscriber.Hub, Subscriber.Sse, Subscriber.Poll], way => Assert.All(
                record.Readings.Where(reading => reading.Subscriber.EndsWith(way, StringComparison.Ordinal)), HasComeBack)));

        static void HasComeBack(Reading reading)
        {
            var lost = reading.Steps.ToList().FindIndex(step => step is Step.Lost);
            Assert.True(lost > 0 && reading.Steps.Skip(lost).Any(step => step is Step.Told { Recovery: Recovery.Recovered }), $"{reading.Subscriber} has not come back.");
            Assert.Contains(reading.Steps.Take(lost), step => Verifier.EventsOf(step).Any());
        }
    }

    [Fact]
    public Task Two_nodes_that_publish_to_one_topic_give_it_one_order()
    {
        var turn = 0;
        return _proof.RunAsync(
            options =>
            {
                var nodes = topology.Nodes();
                Uri EachInTurn(int connection) => nodes[Interlocked.Increment(ref turn) % nodes.Count].Address;
                return options with { Topics = 1, Publishers = 8, PublishAt = EachInTurn, SubscribeAt = (_, connection) => EachInTurn(connection) };
            },
            run => run.ReachesAsync(600));
    }

    /// <summary>The time-out is shorter than many answers take, so tries of one id overlap, on two connections and on one.</summary>
    [Fact]
    public Task Publishers_that_send_everything_twice_and_give_up_waiting_append_each_event_once() => _proof.RunAsync(
        options => options with { Twins = 1, AttemptTimeout = TimeSpan.FromMilliseconds(4) },
        async run =>
        {
            await run.ReachesAsync(200);
            Assert.True(run.Tally.Retried > 0, "No try has timed out; the time-out is too long for this to show anything.");
        });

    [Fact]
    public Task Nothing_is_lost_when_the_nodes_are_stopped_and_started_in_turn() => _proof.RunAsync(
        options => options,
        async run =>
        {
            foreach (var node in topology.Nodes())
            {
                var before = run.Tally.Acknowledged;
                await CommandAsync(node, KnownResourceCommands.StopCommand);
                await run.ReachesAsync(before + 50);
                await CommandAsync(node, KnownResourceCommands.StartCommand);
                await topology.BecomesHealthyAsync();
            }

            Assert.NotEmpty(run.Tally.Told(ErrorCode.Draining));
            Assert.Empty(run.Tally.Untold);
        });

    /// <summary>The event is stored, its publisher has no answer, and neither feeds nor backplane have heard of it.</summary>
    [Fact]
    public async Task Nothing_is_lost_when_a_node_dies_between_commit_and_publish()
    {
        ProofNode? node = null;
        try
        {
            await _proof.RunAsync(
                async options =>
                {
                    await (node?.DisposeAsync() ?? ValueTask.CompletedTask);
                    node = await ProofNode.StartAsync(topology, ("Realtime:Faults:KillAfterCommit", "60"));
                    return options with { PublishAt = connection => connection == 0 ? node.Address : topology.Api };
                },
                async run =>
                {
                    await Eventually.BecomesTrueAsync(() => node!.HasExited, "the node has not died");
                    await run.ReachesAsync(run.Tally.Acknowledged + 50);
                });
        }
        finally
        {
            await (node?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    /// <summary>What is not read fills the buffers of both sockets, then the connection's queue, and then the server hangs up.</summary>
    [Fact]
    public async Task A_reader_that_stops_reading_is_closed_and_recovers_everything_when_it_comes_back()
    {
        await using var relay = new ProofRelay(topology.Nodes()[0].Address);
        await _proof.RunAsync(
            options => options with
            {
                SubscribeAt = (subscriber, _) => subscriber == 0 ? relay.Address : topology.Api,
                Subscribers = 3,
                DropsAfter = TimeSpan.FromHours(1),
                Padding = 40_000,
            },
            async run =>
            {
                await run.ReachesAsync(20);
                relay.Pause();
                await run.ReachesAsync(run.Tally.Acknowledged + 400);
                relay.Resume();
                // With the code, where that still fits in front of the end.
                await Eventually.BecomesTrueAsync(
                    () => run.Tally.Told(ErrorCode.SlowConsumer).Concat(run.Tally.Untold).Any(), "the reader was not closed, however much it left unread");
                Assert.All(run.Tally.Told(ErrorCode.SlowConsumer).Concat(run.Tally.Untold), who => Assert.StartsWith("check-s0-", who, StringComparison.Ordinal));
                output.WriteLine($"Told slow_consumer: {string.Join(", ", run.Tally.Told(ErrorCode.SlowConsumer))}; hung up on: {string.Join(", ", run.Tally.Untold)}");
            });
    }

    private async Task CommandAsync(Node node, string command)
    {
        var result = await topology.App.ResourceCommands.ExecuteCommandAsync(node.ResourceId, command, Topology.Cancelled);
        Assert.True(result.Success, $"{command} of {node.ResourceId} has failed.");
    }

    private string ResourceId(string name) => topology.States().Single(state => state.Resource.Name == name).ResourceId;
}
