using System.Globalization;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Checker.Proof;
using Record = RealtimeAspire.Checker.Proof.Record;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Runs a fault under the checker's load, once or many times, and demands a verdict without a violation.</summary>
internal sealed class Proof(Topology topology, ITestOutputHelper output)
{
    private const int LongRuns = 20;

    public Task RunAsync(Func<LoadOptions, LoadOptions> configure, Func<CheckRun, Task> fault, Action<CheckRun, Record>? expect = null) =>
        RunAsync(options => Task.FromResult(configure(options)), fault, expect);

    /// <param name="configure">What differs from the usual load.</param>
    /// <param name="fault">What happens under it.</param>
    /// <param name="expect">What the run has to have met beside the promises; without it nothing would have been shown.</param>
    public async Task RunAsync(Func<LoadOptions, Task<LoadOptions>> configure, Func<CheckRun, Task> fault, Action<CheckRun, Record>? expect = null)
    {
        var times = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? LongRuns : 1;
        for (var i = 0; i < times; i++)
        {
            try
            {
                await RunOnceAsync(configure, fault, expect);
            }
            finally
            {
                await topology.BecomesHealthyAsync();
            }
        }
    }

    private async Task RunOnceAsync(Func<LoadOptions, Task<LoadOptions>> configure, Func<CheckRun, Task> fault, Action<CheckRun, Record>? expect)
    {
        using var tokens = new DevelopmentTokens(topology.Api);
        var options = await configure(Load(tokens));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {options.Seed}: REALTIME_SEED={options.Seed} repeats its choices"));
        await using var run = await CheckRun.StartAsync(options, TimeProvider.System, Topology.Cancelled);
        await fault(run);
        var record = await run.FinishAsync(Topology.Cancelled);
        var verdict = Verifier.Verify(record);
        output.WriteLine($"{run.Tally}. {verdict}");
        Assert.True(verdict.Held, string.Create(CultureInfo.InvariantCulture, $"Seed {options.Seed}. {run.Tally}. {verdict}"));
        expect?.Invoke(run, record);
    }

    /// <summary>Little enough that a scenario takes seconds, enough that a fault meets publishes, deliveries and joins under way.</summary>
    private LoadOptions Load(DevelopmentTokens tokens) => new()
    {
        PublishAt = _ => topology.Api,
        SubscribeAt = (_, _) => topology.Api,
        History = topology.Api,
        Token = tokens.TokenAsync,
        Seed = int.TryParse(Environment.GetEnvironmentVariable("REALTIME_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : Random.Shared.Next(),
        Topics = 3,
        Publishers = 6,
        Subscribers = 8,
        DropsAfter = TimeSpan.FromSeconds(1),
    };
}

internal static class CheckRunExtensions
{
    /// <summary>So many publishes have been acknowledged.</summary>
    public static Task ReachesAsync(this CheckRun run, int acknowledged) => Eventually.BecomesTrueAsync(
        () => run.Load.IsFaulted || run.Tally.Acknowledged >= acknowledged, $"{acknowledged} publishes have not been acknowledged: {run.Tally}", TimeSpan.FromSeconds(60));
}
