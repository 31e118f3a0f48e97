using RealtimeAspire.Benchmarks.Load;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>Chat rooms: everybody sends, and everybody in the room hears it.</summary>
internal sealed class Rooms : Shape
{
    public override string Name => "rooms";

    public override string Title => "100 rooms of 10, all sending";

    public override string Text =>
        "1,000 connections, ten to a room, each sending; 2,000 messages a second come in, 20,000 go out. " +
        "Both hubs acknowledge each message to its sender; Socket.IO, ws and uWebSockets are not asked to. " +
        "The log: what a message of this durability costs the server above an ephemeral one.";

    public override IReadOnlyList<Column> Columns => [LiveColumns[0] with { LogShown = true }, .. LiveColumns.Skip(1)];

    public override Task MeasureAsync(LoadRun run) => RoomsLoad.MeasureAsync(run);
}

/// <summary>A thousand connections in a hundred rooms, who send in turn.</summary>
internal sealed class RoomsLoad
{
    public const int Members = 10;
    private const int Count = 100;
    private const int Bytes = 100;
    private const int Rate = 20_000;

    private readonly string[] _topics;
    private readonly LoadClient[] _clients;
    private readonly int[] _sequences = new int[Count * Members];
    private int _next;

    private RoomsLoad(string[] topics, LoadClient[] clients) => (_topics, _clients) = (topics, clients);

    /// <summary>Warms the servers up and measures.</summary>
    public static async Task MeasureAsync(LoadRun run)
    {
        var meter = new Meter();
        var rooms = await JoinAsync(run, meter);
        var window = new LiveWindow(run, meter, Members);
        await window.WarmUpAsync(Rate / Members, due => rooms.PublishNext(Bytes, due));
        await run.MeasureInTurnsAsync([Rate], async (rate, _) => LoadRun.Report(
            $"rooms, {rate / 1000} k/s, {Bytes} B", await window.MeasureAsync(rate / Members, due => rooms.PublishNext(Bytes, due))));
    }

    public static async Task<RoomsLoad> JoinAsync(LoadRun run, Meter meter)
    {
        var topics = Enumerable.Range(0, Count).Select(room => run.Topic($"room-{room}")).ToArray();
        var clients = await Crowd.SubscribeAsync(run, Count * Members, i => topics[i / Members],
            i => new DeliveryLedger(meter, firstSender: i - (i % Members), senders: Members));
        return new RoomsLoad(topics, clients);
    }

    /// <summary>The next member's next message: a room after the other, so that each has its share at any time.</summary>
    public void PublishNext(int bytes, long due)
    {
        var turn = _next++ % _clients.Length;
        var sender = (turn % Count * Members) + (turn / Count);
        _clients[sender].Publish(_topics[sender / Members], PayloadStamp.Make(bytes, sender, _sequences[sender]++, due));
    }
}
