using System.Diagnostics;
using Aspire.Hosting.ApplicationModel;
using RealtimeAspire.Checker.Load;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// Faults that have met publishes under way. One that fell between two publishes would have shown nothing, so it is done again.
/// </summary>
internal sealed class ProofFault(Topology topology, ITestOutputHelper output)
{
    private const int Tries = 8;
    private const int UnderWay = 3;

    // What dies often is started again after longer and longer waits.
    private static readonly TimeSpan RestartLimit = TimeSpan.FromMinutes(2);

    /// <summary>Kills a process while a publish waits for its answer, and waits until the load goes on.</summary>
    public Task KillAsync(CheckRun run, string resourceId) => UntilMetAsync(run, () => KillOnceAsync(run, resourceId));

    /// <summary>Kills a node that had taken a publish, or was about to, and took the answer with it.</summary>
    public Task KillPublisherOfAsync(CheckRun run, string resourceId) => UntilMetAsync(run, async () =>
    {
        var before = run.Tally.Unknown;
        await KillOnceAsync(run, resourceId);
        await run.ReachesAsync(run.Tally.Acknowledged + 50);
        return run.Tally.Unknown > before;
    });

    /// <summary>Anything that happens at once.</summary>
    public Task StrikeAsync(CheckRun run, Action strike) => UntilMetAsync(run, () => MeetAsync(run, strike));

    private async Task UntilMetAsync(CheckRun run, Func<Task<bool>> hasMet)
    {
        await run.ReachesAsync(100);
        for (var tries = 1; !await hasMet(); tries++)
        {
            Assert.True(tries < Tries, $"In {Tries} tries no fault has met a publish under way: {run.Tally}");
            output.WriteLine("The fault met no publish under way; again.");
            await topology.BecomesHealthyAsync();
            await run.ReachesAsync(run.Tally.Acknowledged + 50);
        }

        await run.ReachesAsync(run.Tally.Acknowledged + 100);
    }

    private async Task<bool> KillOnceAsync(CheckRun run, string resourceId)
    {
        var victim = topology.ProcessId(resourceId);
        using var process = Process.GetProcessById(victim);
        var hasMet = await MeetAsync(run, process.Kill);
        await Eventually.BecomesTrueAsync(
            () => topology.States().Any(state => state.ResourceId == resourceId && state.Snapshot.State?.Text == KnownResourceStates.Running) && topology.ProcessId(resourceId) != victim,
            $"{resourceId} has not been started again",
            RestartLimit);
        return hasMet;
    }

    /// <summary>True: a publish that was under way before was so right afterwards.</summary>
    private static async Task<bool> MeetAsync(CheckRun run, Action strike)
    {
        var tally = run.Tally;
        await Eventually.BecomesTrueAsync(() => SpinWait.SpinUntil(() => tally.UnderWay >= UnderWay, TimeSpan.FromMilliseconds(200)), "there are never publishes under way");
        var tick = tally.Tick();
        strike();
        return tally.IsUnderWaySince(tick);
    }
}
