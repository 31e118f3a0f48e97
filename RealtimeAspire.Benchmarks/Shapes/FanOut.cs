using RealtimeAspire.Benchmarks.Load;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>One publisher, one topic, a thousand subscribers.</summary>
internal sealed class FanOut : Shape
{
    public override string Name => "fanout";

    public override string Title => "Fan-out to 1,000 subscribers";

    public override string Text => "One connection publishes to one topic at a fixed rate; each message goes to 1,000 connections.";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override Task MeasureAsync(LoadRun run) => FanOutLoad.MeasureAsync(run, [100, 1_000], [10_000, 20_000, 40_000]);
}

/// <summary>A thousand connections that are subscribed to one topic, and one that publishes to it.</summary>
internal sealed class FanOutLoad
{
    private const int Subscribers = 1_000;
    private const int WarmUpRate = 20_000;

    private readonly LiveWindow _window;
    private readonly LoadClient _publisher;
    private readonly string _topic;
    private int _sequence;

    private FanOutLoad(LiveWindow window, LoadClient publisher, string topic) => (_window, _publisher, _topic) = (window, publisher, topic);

    /// <summary>Warms the servers up and measures each size at each rate of deliveries a second.</summary>
    public static async Task MeasureAsync(LoadRun run, IReadOnlyList<int> sizes, IReadOnlyList<int> rates)
    {
        var load = await JoinAsync(run);
        await load._window.WarmUpAsync(WarmUpRate / Subscribers, load.Publish(sizes[0]));
        var cases = sizes.SelectMany(size => rates.Select(rate => (Size: size, Rate: rate))).ToArray();
        await run.MeasureInTurnsAsync(cases, async (item, _) => LoadRun.Report(
            $"fan-out, {item.Rate / 1000} k/s, {item.Size:N0} B", await load._window.MeasureAsync((double)item.Rate / Subscribers, load.Publish(item.Size))));
    }

    public static async Task<FanOutLoad> JoinAsync(LoadRun run)
    {
        var topic = run.Topic("fan-out");
        var meter = new Meter();
        var publisher = await run.ConnectAsync(run.PublisherNode, Subscribers);
        await Crowd.SubscribeAsync(run, Subscribers, _ => topic, _ => new DeliveryLedger(meter));
        return new FanOutLoad(new LiveWindow(run, meter, Subscribers), publisher, topic);
    }

    /// <summary>Measures without a warm-up, from the first message on.</summary>
    public Task<Dictionary<string, double>> MeasureFromStartAsync(int rate, int size, int slice, int slices) =>
        _window.MeasureFromStartAsync((double)rate / Subscribers, Publish(size), slice, slices);

    private Action<long> Publish(int bytes) => due => _publisher.Publish(_topic, PayloadStamp.Make(bytes, 0, _sequence++, due));
}
