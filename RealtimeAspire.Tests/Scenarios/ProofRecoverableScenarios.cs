using Aspire.Hosting.Testing;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// What Redis keeps is lost with Redis, and never silently: each subscriber is told, and has everything of the new epoch.
/// </summary>
[Collection(SharedTopology.Name)]
public sealed class ProofRecoverableScenarios(Topology topology, ITestOutputHelper output)
{
    private readonly Proof _proof = new(topology, output);
    private readonly ProofFault _fault = new(topology, output);

    [Fact]
    public async Task A_flushed_Redis_is_a_new_epoch_and_everybody_is_told()
    {
        using var redis = await ConnectionMultiplexer.ConnectAsync($"{await topology.App.GetConnectionStringAsync("redis", Topology.Cancelled)},allowAdmin=true");
        await _proof.RunAsync(Ticker, run => _fault.StrikeAsync(run, () => redis.GetDatabase().Execute("FLUSHALL")), EverybodyWasTold);
    }

    [Fact]
    public Task A_killed_Redis_is_a_new_epoch_and_everybody_is_told() => _proof.RunAsync(
        Ticker, run => _fault.KillAsync(run, topology.States().Single(state => state.Resource.Name == "redis").ResourceId), EverybodyWasTold);

    [Fact]
    public Task A_killed_node_loses_nothing_that_Redis_has()
    {
        Node[] nodes = [];
        return _proof.RunAsync(
            options =>
            {
                nodes = [.. topology.Nodes()];
                return Ticker(options) with { PublishAt = connection => connection == 0 ? nodes[0].Address : topology.Api };
            },
            run => _fault.KillPublisherOfAsync(run, nodes[0].ResourceId),
            (run, _) => Assert.Equal(0, run.Tally.ToldLost));
    }

    private static LoadOptions Ticker(LoadOptions options) => options with { Type = "ticker", Durability = Durability.Recoverable };

    /// <summary>On each topic: there were events of the old epoch, and there are of the new one, which the verdict demands of everybody.</summary>
    private static void EverybodyWasTold(CheckRun run, RealtimeAspire.Checker.Proof.Record record)
    {
        Assert.All(record.Histories, history => Assert.NotEmpty(history.Events));
        Assert.All(
            record.Readings.Where(reading => reading.Stayed),
            reading => Assert.Contains(reading.Steps, step => step is Step.Told { Recovery: Recovery.NewEpoch }));
    }
}
