using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>Fan-out and rooms with the server on one core and on two.</summary>
internal sealed class Cores : Shape
{
    public override string Name => "cores";

    public override string Title => "One core and two";

    public override string Text =>
        "Fan-out and rooms with the server on core 0 alone and on both cores, of which it shares core 1 with the load generator. " +
        "The difference is what threads on several cores cost: locks, caches, threads that are woken elsewhere.";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override IReadOnlyList<Hosting> Hostings => [new("one core"), new("both cores", Cores: "0,1")];

    // Node has one thread for all this.
    public override bool Takes(Peer peer) => peer.Speech is Speech.Realtime or Speech.BareHub;

    public override async Task MeasureAsync(LoadRun run)
    {
        await FanOutLoad.MeasureAsync(run, [100], [20_000, 40_000]);
        await RoomsLoad.MeasureAsync(run);
    }
}
