using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>The fan-out with the publisher on another node than the subscribers.</summary>
internal sealed class TwoNodes : Shape
{
    public override string Name => "two-nodes";

    public override string Title => "Two nodes through Redis";

    public override string Text =>
        "As the fan-out, with the publisher on one node and all subscribers on the other; both nodes share the one core, and both count. " +
        "The bare hub has no backplane among the packages here: its figures are those of one node, without Redis. " +
        "Socket.IO runs on its redis-streams adapter.";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override bool Takes(Peer peer) => peer.HasBackplane || peer is BareHubPeer;

    public override int NodesOf(Peer peer) => peer.HasBackplane ? 2 : 1;

    public override Task MeasureAsync(LoadRun run) => FanOutLoad.MeasureAsync(run, [100], [10_000, 20_000, 40_000]);
}
