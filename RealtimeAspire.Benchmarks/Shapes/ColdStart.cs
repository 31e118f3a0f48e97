using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What a message costs as long as the server's code is not compiled yet.</summary>
internal sealed class ColdStart : Shape
{
    private const int Bytes = 100, Rate = 20_000, Slice = 5;

    private static readonly int[] Shown = [0, 5, 10, 15, 20, 25, 60];

    public override string Name => "start";

    public override string Title => "After the start";

    public override string Text =>
        "A fresh process, 1,000 subscribers as soon as it is ready, and then, without a warm-up, the fan-out of " +
        $"{Rate / 1000} k messages of {Bytes} B a second: server CPU, µs per delivered message, by the seconds since its first message. " +
        "Ready: from the start of the process until its health check says so.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("ready", "ready after, s", "0.0"),
        .. Shown.Select(second => new Column($"{second}", $"{second}–{second + Slice} s")),
        .. Checks,
    ];

    public override bool Takes(Peer peer) => peer.Speech is Speech.Realtime or Speech.BareHub && peer.Durability is "none" or "durable";

    public override bool IsFresh => true;

    public override async Task MeasureAsync(LoadRun run)
    {
        var load = await FanOutLoad.JoinAsync(run);
        var values = await load.MeasureFromStartAsync(Rate, Bytes, Slice, (Shown[^1] / Slice) + 1);
        LoadRun.Report($"{Rate / 1000} k/s, {Bytes} B", new Dictionary<string, double>(values) { ["ready"] = run.Job.ReadyAfter.TotalSeconds });
    }
}
