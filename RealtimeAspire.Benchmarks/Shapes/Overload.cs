using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>The fan-out with more messages than one write each leaves time for.</summary>
internal sealed class Overload : Shape
{
    private const int Rate = 200_000;

    public override string Name => "overload";

    public override string Title => "Fan-out pushed past its limit";

    public override string Text =>
        $"As the fan-out, with {Rate / 1000} k deliveries a second: {Rate / 1000} messages a second to each of 1,000 connections, from one core. " +
        "A server that writes every message by itself cannot do it and falls further behind as long as the load lasts: its delays are those of a queue that grows, " +
        "and tell how long it was looked at. What is lost is counted when everything that was sent has had the time to arrive.";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override bool Takes(Peer peer) => peer.Speech is not Speech.SocketIo;

    public override Task MeasureAsync(LoadRun run) => FanOutLoad.MeasureAsync(run, [100], [Rate]);
}
