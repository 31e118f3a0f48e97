using System.Diagnostics;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>Publishes in lanes, each waiting for its acknowledgement, and one connection that is subscribed to all topics.</summary>
internal sealed class PublishLoad : IAsyncDisposable
{
    /// <summary>Lanes of a publisher.</summary>
    public const int InFlight = 16;

    private const int Bytes = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    private readonly Meter _meter = new();
    private readonly LatencyHistogram _delays = new();
    private readonly List<IDisposable> _connections = [];
    private readonly string[] _topics;
    private readonly Lane[] _lanes;
    private long _acknowledged;

    private PublishLoad(LoadRun run, string name, int topics, int publishers)
    {
        _topics = [.. Enumerable.Range(0, topics).Select(topic => run.Topic($"{name}-{topic}"))];
        _lanes = new Lane[publishers * InFlight];
    }

    /// <summary>Publishes and completes with the acknowledgement.</summary>
    private delegate Task Publish(string topic, byte[] payload);

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    public static async Task<PublishLoad> PrepareAsync(LoadRun run, string name, bool overHttp, int topics, int publishers)
    {
        var load = new PublishLoad(run, name, topics, publishers);
        var subscriber = await run.ConnectAsync(run.SubscriberNode, publishers, new DeliveryLedger(load._meter, senders: load._lanes.Length).Scan);
        load._connections.Add(new Dropping(run, subscriber));
        foreach (var topic in load._topics)
            await subscriber.SubscribeAsync(topic);
        for (var publisher = 0; publisher < publishers; publisher++)
            await load.AddPublisherAsync(run, publisher, overHttp);
        return load;
    }

    /// <summary>Every lane publishes again as soon as its last one is acknowledged.</summary>
    /// <returns>Acknowledged a second.</returns>
    public async Task<double> ClosedLoopAsync(TimeSpan duration)
    {
        var (before, started) = (Acknowledged, Stopwatch.GetTimestamp());
        await Task.WhenAll(_lanes.Select(lane => RunAsync(lane)));
        return (Acknowledged - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;

        async Task RunAsync(Lane lane)
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
                await PublishNextAsync(lane, Stopwatch.GetTimestamp());
        }
    }

    /// <summary>The lanes publish in turn at a fixed rate. One whose turn comes while it still waits publishes when it can, and that counts.</summary>
    /// <returns>From when a publish was due to its acknowledgement.</returns>
    public async Task<LatencyHistogram> OpenLoopAsync(double perSecond, TimeSpan duration)
    {
        _delays.Clear();
        var tails = _lanes.Select(_ => Task.CompletedTask).ToArray();
        var next = 0;
        using var end = new CancellationTokenSource(duration, TimeProvider.System);
        await Pacer.RunAsync(perSecond, due =>
        {
            var turn = next++ % _lanes.Length;
            tails[turn] = AfterAsync(tails[turn], _lanes[turn], due);
        }, end.Token);
        await Task.WhenAll(tails);
        return _delays;

        async Task AfterAsync(Task tail, Lane lane, long due)
        {
            await tail;
            await PublishNextAsync(lane, due);
        }
    }

    /// <summary>How many acknowledged publishes the subscriber has not got, and how many twice.</summary>
    public async Task<(long Lost, long Doubled)> CheckAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (_meter.Received < Acknowledged && Stopwatch.GetElapsedTime(started) < Patience)
            await Task.Delay(Glance, TimeProvider.System);
        return (Acknowledged - _meter.Received, _meter.Doubled + _meter.Foreign);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
            connection.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task AddPublisherAsync(LoadRun run, int publisher, bool overHttp)
    {
        Publish? publish = null;
        if (!overHttp)
        {
            var client = await run.ConnectAsync(run.PublisherNode, publisher);
            _connections.Add(new Dropping(run, client));
            publish = (topic, payload) => client.PublishAsync(topic, payload);
        }

        for (var i = 0; i < InFlight; i++)
        {
            if (overHttp)
            {
                var http = await RawHttp.ConnectAsync(run.PublisherNode, run.TokenOf(publisher));
                _connections.Add(http);
                publish = (topic, payload) => http.PublishAsync(topic, ((RealtimeWire)run.Wire).NextId(), payload);
            }

            var index = (publisher * InFlight) + i;
            _lanes[index] = new Lane(index, publish!);
        }
    }

    private async Task PublishNextAsync(Lane lane, long due)
    {
        var sequence = lane.Sequence++;
        var topic = _topics[(lane.Index + sequence) % _topics.Length];
        await lane.Publish(topic, PayloadStamp.Make(Bytes, lane.Index, sequence, due));
        _delays.Record(Stopwatch.GetElapsedTime(due));
        Interlocked.Increment(ref _acknowledged);
    }

    private sealed class Lane(int index, Publish publish)
    {
        public int Index => index;

        public Publish Publish => publish;

        public int Sequence { get; set; }
    }

    private sealed class Dropping(LoadRun run, LoadClient client) : IDisposable
    {
        public void Dispose() => run.Drop(client);
    }
}
