using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Run;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What one hostile client costs everybody else.</summary>
internal sealed class Isolation : Shape
{
    private const int Rate = 200;
    private const int PayloadBytes = 100;
    private const double MiB = 1024 * 1024;

    /// <summary>For the storm to come up, and for the node to be done with it.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    public override string Name => "isolation";

    public override string Title => "One hostile client";

    public override string Text =>
        $"A user of one tenant publishes {Rate} events a second and has them back, with the limits that production has by default. Then a user of another tenant does one thing as fast as he can, " +
        "from a process of his own on the generator's core, which has what the generator leaves, and comes back whenever he is thrown out. Each window under a storm follows a quiet one; the ratio is that of the two.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("quiet50", "quiet: publish → receive p50, ms", "0.00"),
        new("quiet99", "p99, ms", "0.0"),
        new("storm50", "under the storm: p50, ms", "0.00"),
        new("storm99", "p99, ms", "0.0"),
        new("ratio", "p99, × quiet", "0.00"),
        new("busy", "node busy, %", "0"),
        new("memory", "node's memory, MiB", "0") { Worst = true },
        new("lost", "lost", "0") { Worst = true },
    ];

    public override IReadOnlyList<Hosting> Hostings => [new Hosting { Settings = DefaultLimits }];

    public override bool Takes(Peer peer) => peer.Durability is "durable";

    private static Dictionary<string, string> DefaultLimits => new()
    {
        ["Realtime__Limits__PublishesPerSecond"] = "500",
        ["Realtime__Limits__PublishBurst"] = "2000",
        ["Realtime__Limits__RequestsPerSecond"] = "200",
        ["Realtime__Limits__ConnectsPerSecond"] = "50",
        ["Realtime__Limits__UserConnections"] = "100",
        ["Realtime__Limits__QueueBytes"] = $"{1024 * 1024}",
    };

    public override async Task MeasureAsync(LoadRun run)
    {
        var meter = new Meter();
        var topic = run.Topic("peaceful");
        var subscriber = await run.ConnectAsync(run.SubscriberNode, 0, new DeliveryLedger(meter).Scan, "peaceful");
        await subscriber.SubscribeAsync(topic);
        var publisher = await run.ConnectAsync(run.PublisherNode, 0, tenant: "peaceful");
        var sequence = 0;
        var window = new LiveWindow(run, meter, fanOut: 1);
        await window.WarmUpAsync(Rate, Publish);

        // Each kind of storm is compiled code too before the first one is measured.
        foreach (var kind in Enum.GetValues<StormKind>())
        {
            await using var storm = await StormAsync(run, kind);
            await window.MeasureAsync(Rate, Publish);
        }

        await run.MeasureInTurnsAsync(Enum.GetValues<StormKind>(), async (kind, _) =>
        {
            var quiet = await window.MeasureAsync(Rate, Publish);
            Dictionary<string, double> stormy;
            double busy;
            await using (await StormAsync(run, kind))
            {
                var (cpu, started) = (run.Servers.CpuMicroseconds(), TimeProvider.System.GetTimestamp());
                stormy = await window.MeasureAsync(Rate, Publish);
                busy = (run.Servers.CpuMicroseconds() - cpu) / TimeProvider.System.GetElapsedTime(started).TotalMicroseconds * 100;
            }

            LoadRun.Report(Storm.NameOf(kind), new Dictionary<string, double>
            {
                ["quiet50"] = quiet["p50"],
                ["quiet99"] = quiet["p99"],
                ["storm50"] = stormy["p50"],
                ["storm99"] = stormy["p99"],
                ["ratio"] = stormy["p99"] / quiet["p99"],
                ["busy"] = busy,
                ["memory"] = run.Servers.ResidentBytes() / MiB,
                ["lost"] = quiet["lost"] + stormy["lost"],
            });
            await Task.Delay(Settling, TimeProvider.System);
        });

        void Publish(long due) => publisher.Publish(topic, PayloadStamp.Make(PayloadBytes, sender: 0, sequence++, due));
    }

    private static async Task<PinnedProcess> StormAsync(LoadRun run, StormKind kind)
    {
        var launch = new Launch("nice", ["-n", "19", Environment.ProcessPath!, Storm.Command], AppContext.BaseDirectory, Generator.NoSettings);
        var storm = PinnedProcess.Start(cores: null, launch);
        var order = new StormOrder(kind, run.PublisherNode, run.TokenOf(1, "hostile"), run.Topic("hostile"));
        await storm.Input.WriteLineAsync(JsonSerializer.Serialize(order, JsonSerializerOptions.Web));
        await storm.Input.FlushAsync();
        await Task.Delay(Settling, TimeProvider.System);
        return storm;
    }
}
