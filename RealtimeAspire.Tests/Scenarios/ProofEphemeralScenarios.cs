using RealtimeAspire.Checker.Proof;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Nothing keeps an ephemeral event; those that come are in the order of the connection that published them.</summary>
[Collection(SharedTopology.Name)]
public sealed class ProofEphemeralScenarios(Topology topology, ITestOutputHelper output)
{
    [Fact]
    public Task Events_come_in_the_order_of_their_publisher_s_connection_over_both_nodes()
    {
        var turn = 0;
        return new Proof(topology, output).RunAsync(
            options =>
            {
                var nodes = topology.Nodes();
                Uri EachInTurn() => nodes[Interlocked.Increment(ref turn) % nodes.Count].Address;
                return options with { Type = "game", Durability = Durability.Ephemeral, Topics = 1, Twins = 0, PublishAt = _ => EachInTurn(), SubscribeAt = (_, _) => EachInTurn() };
            },
            run => run.ReachesAsync(600),
            (_, record) =>
            {
                // Of what was sent once, in some order, most has to have come to each who stayed all the time.
                Assert.All(record.Publishes, publish => Assert.Single(publish.Attempts));
                var steady = record.Readings.Where(reading => reading.Stayed && !reading.Steps.SkipLast(1).Any(step => step is Step.Lost)).ToList();
                Assert.NotEmpty(steady);
                Assert.All(steady, reading => Assert.InRange(reading.Steps.Count(step => step is Step.Live), 500, record.Publishes.Count));
            });
    }
}
