using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>The fan-out with and without TLS in the server's process.</summary>
internal sealed class Tls : Shape
{
    public override string Name => "tls";

    public override string Title => "Fan-out over TLS";

    public override string Text => "As the fan-out, over plain connections and over TLS that the server's own process ends, with a self-signed certificate (P-256).";

    public override IReadOnlyList<Column> Columns => LiveColumns;

    public override IReadOnlyList<Hosting> Hostings => [new("plain"), new("TLS", Secure: true)];

    public override bool Takes(Peer peer) => peer.Speech is not Speech.SocketIo;

    public override Task MeasureAsync(LoadRun run) => FanOutLoad.MeasureAsync(run, [100], [20_000]);
}
