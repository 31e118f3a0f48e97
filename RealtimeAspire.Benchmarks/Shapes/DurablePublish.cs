using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>Publishes over the whole path, from the client to the acknowledgement, with a subscriber who gets them live.</summary>
internal sealed class DurablePublish : Shape
{
    private const int LatencyShare = 10;

    public override string Name => "publish";

    public override string Title => "Publishes to acknowledgement";

    public override string Text =>
        $"Publishers with {PublishLoad.InFlight} publishes of 100 B in flight each: over the hub on one connection, over HTTP on {PublishLoad.InFlight}, one request each. " +
        "One more connection subscribes to all topics, and every acknowledged publish has to arrive there. " +
        "The delays are those at a tenth of the rate, in an open loop.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("rate", "acknowledged/s", "0"),
        new("cpu", "server CPU, µs per publish"),
        new("p50", "at a tenth: p50, ms", "0.00"),
        new("p99", "p99, ms", "0.0"),
        new("lost", "lost", "0") { Worst = true },
        new("doubled", "doubled", "0") { Worst = true },
    ];

    public override bool Takes(Peer peer) => peer.Durability is not ("none" or "ephemeral");

    public override async Task MeasureAsync(LoadRun run)
    {
        await using (var warmUp = await PublishLoad.PrepareAsync(run, "warm-up", overHttp: false, topics: 100, publishers: 100))
            await warmUp.ClosedLoopAsync(run.Job.WarmUp);
        await using (var warmUp = await PublishLoad.PrepareAsync(run, "warm-up-http", overHttp: true, topics: 100, publishers: 10))
            await warmUp.ClosedLoopAsync(run.Job.WarmUp / 4);

        var cases = from overHttp in (bool[])[false, true]
                    from topics in (int[])[100, 1]
                    from publishers in (int[])[1, 10, 100]
                    select (overHttp, topics, publishers);
        await run.MeasureInTurnsAsync([.. cases], (load, round) => MeasureAsync(run, round, load.overHttp, load.topics, load.publishers));
    }

    private static async Task MeasureAsync(LoadRun run, int round, bool overHttp, int topics, int publishers)
    {
        var name = overHttp ? "HTTP" : "hub";
        await using var load = await PublishLoad.PrepareAsync(run, $"{name}-{topics}-{publishers}-{round}", overHttp, topics, publishers);
        var cpu = run.Servers.CpuMicroseconds();
        var rate = await load.ClosedLoopAsync(run.Job.Window);
        cpu = (run.Servers.CpuMicroseconds() - cpu) / load.Acknowledged;
        var delays = await load.OpenLoopAsync(Math.Max(1, rate / LatencyShare), run.Job.Window / 2);
        var (lost, doubled) = await load.CheckAsync();
        LoadRun.Report($"{name}, {publishers} × {PublishLoad.InFlight} in flight, {topics} topic{(topics == 1 ? "" : "s")}", new Dictionary<string, double>
        {
            ["rate"] = rate,
            ["cpu"] = cpu,
            ["p50"] = delays.Percentile(50),
            ["p99"] = delays.Percentile(99),
            ["lost"] = lost,
            ["doubled"] = doubled,
        });
    }
}
