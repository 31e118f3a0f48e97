using System.Diagnostics;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>
/// Measures a paced load of live messages: server CPU per delivered message, delay, and whether each subscriber got each
/// message once and in order.
/// </summary>
/// <param name="run">The run.</param>
/// <param name="meter">What the subscribers have received.</param>
/// <param name="fanOut">How many subscribers each published message reaches.</param>
internal sealed class LiveWindow(LoadRun run, Meter meter, int fanOut)
{
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    private long _published;

    /// <summary>Runs the load until the server's code is compiled.</summary>
    public async Task WarmUpAsync(double perSecond, Action<long> publish)
    {
        using var end = new CancellationTokenSource(run.Job.WarmUp, TimeProvider.System);
        _published += await Pacer.RunAsync(perSecond, publish, end.Token);
        await ArrivedAsync(_published * fanOut);
    }

    /// <summary>Measures one case and returns its values by column.</summary>
    public Task<Dictionary<string, double>> MeasureAsync(double perSecond, Action<long> publish) => CheckAsync(perSecond, publish, async () =>
    {
        await Task.Delay(Settling, TimeProvider.System);
        return await ObserveAsync(run.Job.Window);
    });

    /// <summary>Measures from the first message on, so many seconds at a time, and returns the CPU per message of each by the second at which it began.</summary>
    public Task<Dictionary<string, double>> MeasureFromStartAsync(double perSecond, Action<long> publish, int slice, int slices) => CheckAsync(perSecond, publish, async () =>
    {
        var values = new Dictionary<string, double>();
        for (var i = 0; i < slices; i++)
            values[$"{i * slice}"] = (await ObserveAsync(TimeSpan.FromSeconds(slice)))["cpu"];
        return values;
    });

    /// <summary>Keeps the load up while it is observed, and adds to the values whether all has arrived as it should.</summary>
    private async Task<Dictionary<string, double>> CheckAsync(double perSecond, Action<long> publish, Func<Task<Dictionary<string, double>>> observe)
    {
        var expectedBefore = _published * fanOut;
        var (missing, doubled, disordered, foreign) = (expectedBefore - meter.Received, meter.Doubled, meter.Disordered, meter.Foreign);
        using var end = new CancellationTokenSource();
        var pacing = Task.Run(() => Pacer.RunAsync(perSecond, publish, end.Token));
        var observed = await observe();
        await end.CancelAsync();
        _published += await pacing;
        await ArrivedAsync(_published * fanOut);
        return new Dictionary<string, double>(observed)
        {
            ["lost"] = (_published * fanOut) - meter.Received - missing,
            ["doubled"] = meter.Doubled - doubled + meter.Foreign - foreign,
            ["disordered"] = meter.Disordered - disordered,
            ["broken"] = run.Broken,
        };
    }

    private async Task<Dictionary<string, double>> ObserveAsync(TimeSpan duration)
    {
        meter.Latency.Clear();
        var (cpu, own, received, started) = (run.Servers.CpuMicroseconds(), LoadRun.Own.CpuMicroseconds(), meter.Received, Stopwatch.GetTimestamp());
        await Task.Delay(duration, TimeProvider.System);
        cpu = run.Servers.CpuMicroseconds() - cpu;
        own = LoadRun.Own.CpuMicroseconds() - own;
        received = meter.Received - received;
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new Dictionary<string, double>
        {
            ["cpu"] = cpu / received,
            ["rate"] = received / seconds,
            ["p50"] = meter.Latency.Percentile(50),
            ["p99"] = meter.Latency.Percentile(99),
            ["generator"] = own / seconds / 10_000,
        };
    }

    /// <summary>Waits until everything is there or nothing has come for a while.</summary>
    private async Task ArrivedAsync(long expected)
    {
        var last = (Received: meter.Received, At: Stopwatch.GetTimestamp());
        while (meter.Received < expected && Stopwatch.GetElapsedTime(last.At) < Patience)
        {
            await Task.Delay(Glance, TimeProvider.System);
            if (meter.Received != last.Received)
                last = (meter.Received, Stopwatch.GetTimestamp());
        }
    }
}
