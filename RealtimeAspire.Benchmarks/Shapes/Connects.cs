using System.Diagnostics;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What it costs to come in, and how long it takes while others talk.</summary>
internal sealed class Connects : Shape
{
    private const int Bytes = 100, Deliveries = 10_000, ConnectsPerSecond = 50, Crowded = 4_000;

    private static readonly TimeSpan Leaving = TimeSpan.FromSeconds(2);

    public override string Name => "connects";

    public override string Title => "Connect and subscribe under load";

    public override string Text =>
        $"While 100 rooms of 10 take {Deliveries / 1000} k messages a second, {ConnectsPerSecond} clients a second connect, subscribe to a topic and leave. " +
        "Connect: TCP, WebSocket and the protocol's own handshake. " +
        $"The CPU is that of {Crowded:N0} others, who came before, some at a time, while nobody talked.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("cpu", "server CPU, µs per connect and subscribe", "0") { Compared = true },
        new("connect50", "connect p50, ms"),
        new("connect99", "p99, ms"),
        new("subscribe50", "subscribe p50, ms"),
        new("subscribe99", "p99, ms"),
        new("p50", "publish → receive p50, ms"),
        new("p99", "p99, ms"),
        new("lost", "lost", "0") { Worst = true },
        new("doubled", "doubled", "0") { Worst = true },
    ];

    public override bool Takes(Peer peer) => peer.Durability != "recoverable";

    public override async Task MeasureAsync(LoadRun run)
    {
        var meter = new Meter();
        var rooms = await RoomsLoad.JoinAsync(run, meter);
        var window = new LiveWindow(run, meter, RoomsLoad.Members);
        void Publish(long due) => rooms.PublishNext(Bytes, due);

        var arrivals = new Arrivals(run);
        using (var end = new CancellationTokenSource(run.Job.WarmUp, TimeProvider.System))
        {
            var arriving = arrivals.RunAsync(end.Token);
            await window.WarmUpAsync(Deliveries / RoomsLoad.Members, Publish);
            await arriving;
        }

        var begun = Stopwatch.GetTimestamp();
        do
            await ComeAsync(run);
        while (Stopwatch.GetElapsedTime(begun) < run.Job.WarmUp);

        await run.MeasureInTurnsAsync([$"{Deliveries / 1000} k/s, {ConnectsPerSecond} connects/s"], async (load, _) =>
            LoadRun.Report(load, await MeasureAsync(run, window, Publish)));
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(LoadRun run, LiveWindow window, Action<long> publish)
    {
        var cpu = await ComeAsync(run);
        var arrivals = new Arrivals(run);
        using var stop = new CancellationTokenSource();
        var measured = arrivals.RunAsync(stop.Token);
        var values = await window.MeasureAsync(Deliveries / RoomsLoad.Members, publish);
        await stop.CancelAsync();
        await measured;
        return new Dictionary<string, double>(values)
        {
            ["cpu"] = cpu,
            ["connect50"] = arrivals.Connecting.Percentile(50),
            ["connect99"] = arrivals.Connecting.Percentile(99),
            ["subscribe50"] = arrivals.Subscribing.Percentile(50),
            ["subscribe99"] = arrivals.Subscribing.Percentile(99),
        };
    }

    /// <returns>Server CPU per client, in microseconds, without that of their leaving.</returns>
    private static async Task<double> ComeAsync(LoadRun run)
    {
        var cpu = run.Servers.CpuMicroseconds();
        var clients = await Crowd.ForEachAsync(Crowded, async i =>
        {
            var client = await run.ConnectAsync(run.SubscriberNode, Arrivals.FirstUser + i);
            await client.SubscribeAsync(run.Topic($"arrivals-{i % Arrivals.Topics}"));
            return client;
        });
        cpu = run.Servers.CpuMicroseconds() - cpu;
        foreach (var client in clients)
            run.Drop(client);
        await Task.Delay(Leaving, TimeProvider.System);
        return cpu / Crowded;
    }

    /// <summary>Clients who come and go at a fixed rate.</summary>
    private sealed class Arrivals(LoadRun run)
    {
        public const int Topics = 100, FirstUser = 1_000;

        public LatencyHistogram Connecting { get; } = new();

        public LatencyHistogram Subscribing { get; } = new();

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            var visits = new List<Task>();
            await Pacer.RunAsync(ConnectsPerSecond, due => visits.Add(VisitAsync(visits.Count, due)), cancellationToken);
            await Task.WhenAll(visits);
        }

        private async Task VisitAsync(int index, long due)
        {
            var client = await run.ConnectAsync(run.SubscriberNode, FirstUser + index);
            Connecting.Record(Stopwatch.GetElapsedTime(due));
            var connected = Stopwatch.GetTimestamp();
            await client.SubscribeAsync(run.Topic($"arrivals-{index % Topics}"));
            Subscribing.Record(Stopwatch.GetElapsedTime(connected));
            run.Drop(client);
        }
    }
}
