using RealtimeAspire.Benchmarks.Load;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>One publisher, one topic, a thousand subscribers.</summary>
internal sealed class FanOut : Shape
{
    public override string Name => "fanout";

    public override string Title => "Fan-out to 1,000 subscribers";

    public override string Text => "One connection publishes to one topic at a fixed rate; each message goes to 1,000 connections.";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override Task MeasureAsync(LoadRun run) => FanOutLoad.MeasureAsync(run, [100, 1_000]);
}

/// <summary>The same load for one node and for two.</summary>
internal static class FanOutLoad
{
    private const int Subscribers = 1_000;
    private const int WarmUpRate = 20_000;

    private static readonly int[] Rates = [10_000, 20_000, 40_000];

    public static async Task MeasureAsync(LoadRun run, IReadOnlyList<int> sizes)
    {
        var topic = run.Topic("fan-out");
        var meter = new Meter();
        var publisher = await run.ConnectAsync(run.PublisherNode, Subscribers);
        await Crowd.SubscribeAsync(run, Subscribers, _ => topic, _ => new DeliveryLedger(meter));
        var window = new LiveWindow(run, meter, Subscribers);
        var sequence = 0;

        Action<long> Publish(int bytes) => due => publisher.Publish(topic, PayloadStamp.Make(bytes, 0, sequence++, due));

        await window.WarmUpAsync(WarmUpRate / Subscribers, Publish(sizes[0]));
        var cases = sizes.SelectMany(size => Rates.Select(rate => (Size: size, Rate: rate))).ToArray();
        await run.MeasureInTurnsAsync(cases, async (load, _) => LoadRun.Report(
            $"{load.Rate / 1000} k/s, {load.Size:N0} B", await window.MeasureAsync((double)load.Rate / Subscribers, Publish(load.Size))));
    }
}
