using System.Diagnostics;
using System.Globalization;
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

    /// <summary>Much longer than a node takes for an answer.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(1);

    /// <summary>Kills a process while a publish waits for its answer, and waits until the load goes on.</summary>
    public Task KillAsync(CheckRun run, string resourceId) => UntilMetAsync(run, () => KillOnceAsync(run, resourceId, process => MeetAsync(run, process.Kill)));

    /// <summary>Kills a node that has taken publishes and answers them no more: it is stopped in the middle of them first.</summary>
    public async Task KillPublisherOfAsync(CheckRun run, string resourceId)
    {
        await run.ReachesAsync(100);
        var before = run.Tally.Unknown;
        await KillOnceAsync(run, resourceId, async node =>
        {
            await UnderWayAsync(run.Tally);
            using (var freeze = Process.Start("kill", ["-STOP", node.Id.ToString(CultureInfo.InvariantCulture)]))
            {
                await freeze.WaitForExitAsync(Topology.Cancelled);
            }

            try
            {
                // Of the other node's publishes some are under way at any moment too, but none for so long.
                await Eventually.BecomesTrueAsync(() => IsUnansweredAsync(run.Tally), "no publisher of the stopped node waits");
            }
            finally
            {
                // In any case: nobody else would wake it.
                node.Kill();
            }

            return true;
        });
        await run.ReachesAsync(run.Tally.Acknowledged + 100);
        Assert.True(run.Tally.Unknown > before, $"The killed node owed nobody an answer: {run.Tally}");
    }

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

    private async Task<bool> KillOnceAsync(CheckRun run, string resourceId, Func<Process, Task<bool>> kill)
    {
        var victim = topology.ProcessId(resourceId);
        using var process = Process.GetProcessById(victim);
        var hasMet = await kill(process);
        await Eventually.BecomesTrueAsync(() => IsRunning() || StateOf(resourceId).StartsWith("Restarting", StringComparison.Ordinal), $"{resourceId} is not about to be started again");
        if (!IsRunning())
        {
            // What has died often is started again after longer and longer waits. Too late is as good: then it runs.
            await topology.App.ResourceCommands.ExecuteCommandAsync(resourceId, KnownResourceCommands.StartCommand, Topology.Cancelled);
        }

        await Eventually.BecomesTrueAsync(IsRunning, $"{resourceId} has not been started again");
        return hasMet;

        bool IsRunning() => StateOf(resourceId) == KnownResourceStates.Running && topology.ProcessId(resourceId) != victim;
    }

    private string StateOf(string resourceId) =>
        topology.States().Where(state => state.ResourceId == resourceId).Select(state => state.Snapshot.State?.Text).SingleOrDefault() ?? "";

    /// <summary>True: a publish that was under way before was so right afterwards.</summary>
    private static async Task<bool> MeetAsync(CheckRun run, Action strike)
    {
        var tally = run.Tally;
        await UnderWayAsync(tally);
        var tick = tally.Tick();
        strike();
        return tally.IsUnderWaySince(tick);
    }

    private static async Task<bool> IsUnansweredAsync(Tally tally)
    {
        var tick = tally.Tick();
        await Task.Delay(Long, TimeProvider.System, Topology.Cancelled);
        return tally.IsUnderWaySince(tick);
    }

    private static Task UnderWayAsync(Tally tally) => Eventually.BecomesTrueAsync(
        () => SpinWait.SpinUntil(() => tally.UnderWay >= UnderWay, TimeSpan.FromMilliseconds(200)), "there are never publishes under way");
}
