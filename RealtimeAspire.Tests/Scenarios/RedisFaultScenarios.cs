using System.Collections.Concurrent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// Two nodes whose only way to a Redis of their own leads through a network that breaks. After each fault events pass again,
/// both ways, within the stated time, and both nodes have been told to look at the log.
/// </summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class RedisFaultScenarios(ITestOutputHelper output) : IAsyncLifetime
{
    /// <summary>Noticed within three seconds, then a new connection.</summary>
    private static readonly TimeSpan Noticed = TimeSpan.FromSeconds(4);

    /// <summary>From when Redis can be had again.</summary>
    private static readonly TimeSpan Returned = TimeSpan.FromSeconds(3);

    /// <summary>The same, where a new connection is being tried at the time and has to be given up first.</summary>
    private static readonly TimeSpan Tried = TimeSpan.FromSeconds(7);

    private static readonly TopicKey[] Topics = [.. Enumerable.Range(0, 20).Select(i => new TopicKey("default", TopicName.Parse($"room:{i}")))];

    private RedisServer? _redis;
    private TcpProxy? _network;
    private Side? _a;
    private Side? _b;
    private long _published;

    private RedisServer Redis => _redis!;

    private TcpProxy Network => _network!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync(password: "secret");
        _network = TcpProxy.Start(_redis.Port);
        var configuration = $"127.0.0.1:{_network.Port},password=secret";
        (_a, _b) = (await Side.StartAsync(configuration), await Side.StartAsync(configuration));
        await PassesAsync(Returned);
        _a.Begin();
        _b.Begin();
    }

    public async ValueTask DisposeAsync()
    {
        await _a!.DisposeAsync();
        await _b!.DisposeAsync();
        await _network!.DisposeAsync();
        await _redis!.DisposeAsync();
    }

    [Fact]
    public async Task Redis_is_killed_and_starts_again()
    {
        Redis.Kill();
        await Eventually.BecomesTrueAsync(() => !_a!.IsConnected && !_b!.IsConnected, "It was not noticed.", Noticed);
        PublishBothWays();

        await Redis.RestartAsync();

        await PassesAgainAsync(Returned);
    }

    [Fact]
    public async Task A_replica_takes_over()
    {
        await using var replica = await RedisServer.StartAsync(replicaOf: Redis, password: "secret");
        await Eventually.BecomesTrueAsync(
            async () => (await replica.SendAsync("INFO replication")).Contains("master_link_status:up", StringComparison.Ordinal), "The replica has no link.");

        Network.Redirect(replica.Port);
        Redis.Kill();
        await Eventually.BecomesTrueAsync(() => !_a!.IsConnected && !_b!.IsConnected, "It was not noticed.", Noticed);
        await Eventually.BecomesTrueAsync(() => _a!.IsRestored && _b!.IsRestored, "The replica is not found.", Noticed);
        // It answers, but would take no write.
        Assert.False(_a!.IsConnected || _b!.IsConnected);
        await replica.SendAsync("REPLICAOF NO ONE");

        // Its client learns of the promotion by a new connection only.
        await PassesAgainAsync(Tried);
    }

    [Fact]
    public async Task Redis_is_flushed()
    {
        await Redis.SendAsync("FLUSHALL");

        await PassesAsync(TimeSpan.FromSeconds(1));
        Assert.True(_a!.IsConnected && _b!.IsConnected);
    }

    [Fact]
    public async Task Subscriptions_are_killed()
    {
        await Redis.SendAsync("CLIENT KILL TYPE pubsub");

        await PassesAgainAsync(TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task All_connections_are_reset()
    {
        Network.Cut();

        // Its client restores itself at once, or not at all.
        await PassesAgainAsync(Noticed);
    }

    [Fact]
    public async Task Subscriptions_fall_into_a_black_hole()
    {
        Network.BlackHoleSubscriptions();

        await PassesAgainAsync(Noticed);
    }

    [Fact]
    public async Task All_connections_fall_into_a_black_hole()
    {
        Network.BlackHole();

        await PassesAgainAsync(Noticed);
    }

    [Fact]
    public async Task Nothing_passes_for_a_while_and_new_connections_neither()
    {
        Network.BeginBlackHole();
        await Eventually.BecomesTrueAsync(() => !_a!.IsConnected && !_b!.IsConnected, "It was not noticed.", TimeSpan.FromSeconds(3));

        Network.EndBlackHole();

        await PassesAgainAsync(Tried);
    }

    [Fact]
    public async Task Redis_is_paused()
    {
        await Redis.SendAsync("CLIENT PAUSE 5000 ALL");

        await PassesAgainAsync(TimeSpan.FromSeconds(5) + Returned);
    }

    [Fact]
    public async Task Publishing_on_into_a_black_hole_takes_no_time_and_no_memory()
    {
        const int PerSecond = 20_000;
        var seconds = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 30 : 6;
        var events = new List<WeakReference>();
        var slowest = TimeSpan.Zero;
        Network.BeginBlackHole();

        var started = TimeProvider.System.GetTimestamp();
        for (var published = 0; published < seconds * PerSecond;)
        {
            if (published > PerSecond * TimeProvider.System.GetElapsedTime(started).TotalSeconds)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Topology.Cancelled);
                continue;
            }

            var call = TimeProvider.System.GetTimestamp();
            events.Add(PublishForgotten(++published));
            slowest = TimeSpan.FromTicks(Math.Max(slowest.Ticks, TimeProvider.System.GetElapsedTime(call).Ticks));
        }

        // What has just been published waits a moment for its turn to be dropped.
        await Eventually.BecomesTrueAsync(() => InMemory(events) <= 600, "Events that were dropped are still in memory.");
        output.WriteLine($"{_a!.Node.Dropped} of {events.Count} dropped, {InMemory(events)} still in memory, slowest call {slowest.TotalMilliseconds:F1} ms");
        // What was under way when the hole began is lost too.
        Assert.InRange(_a.Node.Dropped, (seconds - 3) * PerSecond, (seconds * PerSecond) + _published);
        Assert.InRange(_a.Node.Commands.Multiplexer?.GetCounters().TotalOutstanding ?? 0, 0, 600);

        Network.EndBlackHole();
        await PassesAgainAsync(Tried);
    }

    /// <summary>Publishes an event on one side that nobody else refers to; in a method of its own, whose locals are gone afterwards.</summary>
    private WeakReference PublishForgotten(long offset)
    {
        var published = BackplaneSpecification.Event(Topics[0], offset, new string('x', 200));
        _a!.Node.Backplane.Publish(published);
        return new WeakReference(published);
    }

    private static int InMemory(List<WeakReference> events)
    {
        GC.Collect();
        return events.Count(published => published.IsAlive);
    }

    private async Task PassesAgainAsync(TimeSpan within)
    {
        var started = TimeProvider.System.GetTimestamp();
        await PassesAsync(within);
        output.WriteLine($"Passes again after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F2} s");
        await Eventually.BecomesTrueAsync(() => _a!.IsRestored && _b!.IsRestored, "A node was not told to look at the log.", TimeSpan.FromSeconds(2));
    }

    /// <summary>An event that is published from now on arrives, on each topic and both ways; nothing arrives twice or out of order.</summary>
    private async Task PassesAsync(TimeSpan within)
    {
        var from = _published;
        await Eventually.BecomesTrueAsync(
            () =>
            {
                PublishBothWays();
                return _a!.HasHeardAllAfter(from) && _b!.HasHeardAllAfter(from);
            },
            "Events do not pass.",
            within);
        _a!.RequireOrder();
        _b!.RequireOrder();
    }

    private void PublishBothWays()
    {
        foreach (var topic in Topics)
        {
            var published = BackplaneSpecification.Event(topic, ++_published);
            _a!.Node.Backplane.Publish(published);
            _b!.Node.Backplane.Publish(published);
        }
    }

    /// <summary>A node, and what it has heard of the other.</summary>
    private sealed class Side : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<TopicKey, ConcurrentQueue<long>> _heard = new();
        private int _restored;

        private Side(RedisNode node) => Node = node;

        public RedisNode Node { get; }

        public bool IsConnected => Node.Backplane.IsConnected;

        /// <summary>Whether it has been told, since the test began, that events may have been lost.</summary>
        public bool IsRestored => Node.Restored > _restored;

        public static async Task<Side> StartAsync(string configuration)
        {
            var side = new Side(await RedisNode.StartAsync(configuration));
            foreach (var topic in Topics)
            {
                var heard = side._heard[topic] = new ConcurrentQueue<long>();
                await side.Node.Backplane.SubscribeAsync(topic, received => heard.Enqueue(received.Position.Offset));
            }

            await Eventually.BecomesTrueAsync(() => side.IsConnected, "A node does not connect.");
            return side;
        }

        public void Begin() => _restored = Node.Restored;

        public bool HasHeardAllAfter(long offset) => _heard.Values.All(heard => heard.Any(heard => heard > offset));

        /// <summary>Of what has come by now; more may come meanwhile.</summary>
        public void RequireOrder() => Assert.All(_heard.Values.Select(heard => heard.ToArray()), heard => Assert.Equal(heard.Distinct().Order(), heard));

        public ValueTask DisposeAsync() => Node.DisposeAsync();
    }
}
