using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What a connection costs that does nothing.</summary>
internal sealed class Memory : Shape
{
    private const int WarmUp = 1_000, Connections = 9_000, Topics = 1_000, Further = 20;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(5);

    public override string Name => "memory";

    public override string Title => "Memory of what is idle";

    public override string Text =>
        $"Growth of the server's resident memory over {Connections:N0} further connections with one subscription each, after {WarmUp:N0} have warmed it up, " +
        $"and over {Further} further subscriptions of {WarmUp:N0} of them, to {Topics:N0} topics in all.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("connection", "KiB per idle connection") { Compared = true },
        new("subscription", "KiB per further subscription", "0.00"),
        new("empty", "MiB before", "0"),
    ];

    // Nothing is published, so the durability would tell nothing.
    public override bool Takes(Peer peer) => peer.Durability is "none" or "durable";

    public override bool IsFresh => true;

    public override async Task MeasureAsync(LoadRun run)
    {
        var empty = run.Servers.ResidentBytes();
        await ConnectAsync(run, 0, WarmUp);
        await SettleAsync();

        var before = run.Servers.ResidentBytes();
        var clients = await ConnectAsync(run, WarmUp, Connections);
        await SettleAsync();
        var connected = run.Servers.ResidentBytes();

        await Crowd.ForEachAsync(WarmUp, async i =>
        {
            for (var n = 0; n < Further; n++)
                await clients[i].SubscribeAsync(TopicOf(run, (i * Further) + n));
            return true;
        });
        await SettleAsync();
        var subscribed = run.Servers.ResidentBytes();
        LoadRun.Report($"{WarmUp + Connections:N0} connections", new Dictionary<string, double>
        {
            ["connection"] = (connected - before) / Connections / 1024,
            ["subscription"] = (subscribed - connected) / (WarmUp * Further) / 1024,
            ["empty"] = empty / 1024 / 1024,
        });
    }

    private static Task<LoadClient[]> ConnectAsync(LoadRun run, int first, int count) =>
        Crowd.ForEachAsync(count, async i =>
        {
            var client = await run.ConnectAsync(run.SubscriberNode, first + i);
            await client.SubscribeAsync(run.Topic($"memory-{(first + i) % Topics}"));
            return client;
        });

    private static string TopicOf(LoadRun run, int index) => run.Topic($"memory-more-{index % Topics}");

    private static Task SettleAsync() => Task.Delay(Settling, TimeProvider.System);
}
