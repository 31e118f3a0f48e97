using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What our client adds to SignalR's, which reads the same events from the same server.</summary>
internal sealed class DotNetClient : Shape
{
    private const int EventsPerSecond = 10_000, Bytes = 100, Windows = 7;

    // Few that are busy, and many that are not: of these more is memory that has gone cold.
    private static readonly int[] Connections = [10, 100];

    private static readonly Reader Bare = new("SignalR's HubConnection", ReadBareAsync);
    private static readonly Reader Callback = new("RealtimeClient, OnEvent", (run, user, topic, heard) => ReadAsync(run, user, topic, heard, iterates: false));
    private static readonly Reader Iteration = new("RealtimeClient, await foreach", (run, user, topic, heard) => ReadAsync(run, user, topic, heard, iterates: true));

    private long _heard;

    /// <summary>Reads a topic in a user's name, and says for each event that it has come.</summary>
    private delegate Task<IAsyncDisposable> Read(LoadRun run, int user, string topic, Action heard);

    public override string Name => "client";

    public override string Title => "The .NET client";

    public override string Text =>
        $"CPU of a process with so many connections of each kind, one kind at a time receiving {EventsPerSecond:N0} messages a second, each in a frame of its own: " +
        "SignalR's own client, whose handler counts them, and ours, which checks their order and hands them on. A round is the median of " +
        $"{Windows} windows, in which the kinds take turns; what is above SignalR's is the median of the differences within a turn.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("cpu", "client CPU, µs per received event"),
        new("overhead", "above SignalR's, µs", "0.0"),
        new("rate", "received/s", "0"),
    ];

    public override bool Takes(Peers.Peer peer) => peer.Durability == "recoverable";

    public override async Task MeasureAsync(LoadRun run)
    {
        var publisher = await run.ConnectAsync(run.PublisherNode, Connections.Max());
        await run.MeasureInTurnsAsync(Connections, (connections, round) => MeasureAsync(run, publisher, connections, round));
    }

    private async Task MeasureAsync(LoadRun run, LoadClient publisher, int connections, int round)
    {
        Reader[] kinds = [Bare, Callback, Iteration];
        var topics = kinds.Select((_, kind) => run.Topic($"client-{connections}-{kind}-{round}")).ToArray();
        var open = new List<IAsyncDisposable>();
        foreach (var (kind, topic) in kinds.Zip(topics))
        {
            open.AddRange(await Crowd.ForEachAsync(connections, user => kind.Read(run, user, topic, () => Interlocked.Increment(ref _heard))));
            await PublishAsync(publisher, topic, connections, run.Job.WarmUp);
        }

        var turns = new List<(double Cpu, double Rate)[]>();
        for (var turn = 0; turn < Windows; turn++)
        {
            var seen = new (double, double)[kinds.Length];
            // Nobody is always the first of a turn.
            for (var i = 0; i < kinds.Length; i++)
            {
                var kind = (i + turn) % kinds.Length;
                seen[kind] = await PublishAsync(publisher, topics[kind], connections, run.Job.Window);
            }

            turns.Add(seen);
        }

        foreach (var (kind, reader) in kinds.Index())
        {
            var values = new Dictionary<string, double>
            {
                ["cpu"] = Median(turns.Select(turn => turn[kind].Cpu)),
                ["rate"] = Median(turns.Select(turn => turn[kind].Rate)),
            };
            if (reader != Bare)
                values["overhead"] = Median(turns.Select(turn => turn[kind].Cpu - turn[0].Cpu));
            LoadRun.Report($"{connections} connections, {reader.Name}", values);
        }

        foreach (var one in open)
            await one.DisposeAsync();
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Windows / 2);

    private async Task<(double Cpu, double Rate)> PublishAsync(LoadClient publisher, string topic, int connections, TimeSpan duration)
    {
        var (cpu, heard) = (LoadRun.Own.CpuMicroseconds(), Interlocked.Read(ref _heard));
        using var over = new CancellationTokenSource(duration, TimeProvider.System);
        await Pacer.RunAsync(EventsPerSecond / connections, due => publisher.Publish(topic, PayloadStamp.Make(Bytes, 0, 0, due)), over.Token);
        var received = Interlocked.Read(ref _heard) - heard;
        if (received == 0)
            throw new BenchmarkException("Nothing arrived.");
        return ((LoadRun.Own.CpuMicroseconds() - cpu) / received, received / duration.TotalSeconds);
    }

    private static async Task<IAsyncDisposable> ReadBareAsync(LoadRun run, int user, string topic, Action heard)
    {
        var hub = new HubConnectionBuilder()
            .WithUrl(new Uri(run.SubscriberNode, "/realtime"), options =>
            {
                options.AccessTokenProvider = () => Task.FromResult<string?>(run.TokenOf(user));
                options.Transports = HttpTransportType.WebSockets;
                options.SkipNegotiation = true;
            })
            .AddJsonProtocol(json => RealtimeJson.Configure(json.PayloadSerializerOptions))
            .Build();
        hub.On<TopicEvent[]>("Events", events =>
        {
            foreach (var _ in events)
                heard();
        });
        await hub.StartAsync();
        await hub.InvokeAsync<SubscribeReply>("Subscribe", new SubscribeRequest { Topic = topic });
        return hub;
    }

    private static async Task<IAsyncDisposable> ReadAsync(LoadRun run, int user, string topic, Action heard, bool iterates)
    {
        var client = new RealtimeClient(run.SubscriberNode, () => Task.FromResult<string?>(run.TokenOf(user)));
        var subscription = await client.SubscribeAsync(topic, iterates ? null : new SubscribeOptions { OnEvent = Hear });
        if (iterates)
            _ = Task.Run(IterateAsync);
        return client;

        Task Hear(TopicEvent received)
        {
            heard();
            return Task.CompletedTask;
        }

        async Task IterateAsync()
        {
            try
            {
                await foreach (var _ in subscription)
                    heard();
            }
            catch (RealtimeException)
            {
                // The client was closed.
            }
        }
    }

    private sealed record Reader(string Name, Read Read);
}
