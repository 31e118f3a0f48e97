using System.Collections.Concurrent;
using System.Reflection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Tests.Specifications;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Server;

/// <summary>The backplane over a real Redis.</summary>
public sealed class RedisBackplaneTests : BackplaneSpecification, IAsyncLifetime
{
    private readonly List<RedisNode> _nodes = [];
    private RedisServer? _redis;

    public async ValueTask InitializeAsync() => _redis = await RedisServer.StartAsync(password: "secret");

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        await _redis!.DisposeAsync();
    }

    [Fact]
    public async Task A_node_that_starts_before_Redis_has_what_it_joined_when_Redis_comes()
    {
        _redis!.Kill();
        var late = await RedisNode.StartAsync(_redis.ConnectionString);
        _nodes.Add(late);
        await using var listener = await Listener.JoinAsync(late.Backplane, Topic("x"));
        late.Backplane.Publish(Event(Topic("x"), 1));
        Assert.False(late.Backplane.IsConnected);

        await _redis.RestartAsync();
        var a = await AddNodeAsync();
        await Until.TrueAsync(() => late.Restored > 0);
        a.Publish(Event(Topic("x"), 2));

        await listener.HearsAsync(2);
        Assert.Equal(1, late.Dropped);
    }

    [Fact]
    public async Task A_channel_is_subscribed_only_while_somebody_listens()
    {
        var b = await AddNodeAsync();
        var channel = BackplaneMessage.ChannelOf(Topic("x"));
        Assert.Equal("0", await SubscribedAsync());

        var listener = await Listener.JoinAsync(b, Topic("x"));
        Assert.Equal("1", await SubscribedAsync());

        await listener.DisposeAsync();
        Assert.Equal("0", await SubscribedAsync());

        // The length of the list of such channels.
        Task<string> SubscribedAsync() => _redis!.SendAsync($"PUBSUB CHANNELS {channel}");
    }

    [Fact]
    public async Task A_node_that_is_alone_tells_Redis_nothing_until_it_hears_of_another()
    {
        var time = new JumpingTime();
        var lonely = await RedisNode.StartAsync(_redis!.ConnectionString, time);
        _nodes.Add(lonely);
        await Until.TrueAsync(() => lonely.Backplane.IsConnected);
        using var client = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        ConcurrentQueue<int> told = [];
        var channel = new RedisChannel(BackplaneMessage.ChannelOf(Topic("x")), RedisChannel.PatternMode.Literal);
        await client.GetSubscriber().SubscribeAsync(channel, (_, message) => told.Enqueue(((byte[])message!).Length));
        var (first, second, third) = (Event(Topic("x"), 1), Event(Topic("x"), 2, "of another length"), Event(Topic("x"), 3));
        // On a slow machine it may have found out by now.
        lonely.Others.Missed();
        lonely.Backplane.Publish(first);
        await Until.TrueAsync(() => told.Count == 1);

        await Until.TrueAsync(() =>
        {
            time.Jump(TimeSpan.FromSeconds(1));
            return !lonely.Others.AreAround;
        });
        lonely.Backplane.Publish(second);
        var b = await AddNodeAsync();
        await using var listener = await Listener.JoinAsync(b, Topic("x"));
        await Until.TrueAsync(() => lonely.Others.AreAround);
        lonely.Backplane.Publish(third);

        await listener.HearsAsync(3);
        await Until.TrueAsync(() => told.Count >= 2);
        Assert.Equal([BackplaneMessage.Write(first, 0).Length, BackplaneMessage.Write(third, 0).Length], told);
        // It may be busy for a while.
        time.Jump(TimeSpan.FromSeconds(20));
        Assert.True(lonely.Others.AreAround);
    }

    private protected override async Task<IBackplane> AddNodeAsync()
    {
        var node = await RedisNode.ConnectedAsync(_redis!.ConnectionString);
        _nodes.Add(node);
        return node.Backplane;
    }

    private protected override async Task SettlesAsync(IReadOnlyList<(TopicKey Topic, bool IsJoined)> topics)
    {
        using var client = await ConnectionMultiplexer.ConnectAsync(_redis!.ConnectionString);
        object[] question = ["NUMSUB", .. topics.Select(one => BackplaneMessage.ChannelOf(one.Topic))];
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                // After each channel how many have it.
                var answer = (RedisResult[])(await client.GetDatabase().ExecuteAsync("PUBSUB", question))!;
                return topics.Index().All(one => (long)answer[(2 * one.Index) + 1] == (one.Item.IsJoined ? 1 : 0));
            },
            "A channel is not joined or left.");
    }
}

/// <summary>The backplane over a client of Redis that misbehaves.</summary>
public sealed class RedisBackplaneFaultTests : IAsyncLifetime
{
    private static readonly TopicKey Key = new("default", TopicName.Parse("room:a"));

    private readonly FakeRedis _redis = new();
    private RedisNode? _node;

    private RedisNode Node => _node!;

    public async ValueTask InitializeAsync()
    {
        _node = await RedisNode.StartAsync(() => Task.FromResult(_redis.Multiplexer), TimeProvider.System);
        await Until.TrueAsync(() => Node.Backplane.IsConnected);
    }

    public async ValueTask DisposeAsync() => await Node.DisposeAsync();

    [Fact]
    public async Task Whatever_the_client_throws_the_backplane_lives_and_sends_again()
    {
        _redis.Publish = _ => throw new InvalidCastException("Not an exception of its own.");
        Publish(1, 10);
        await Until.TrueAsync(() => Node.Dropped == 10);

        _redis.Publish = FakeRedis.Answer;
        var before = _redis.Published.Count;
        Publish(11, 20);
        await Until.TrueAsync(() => _redis.Published.Count == before + 10);
        Assert.Equal(10, Node.Dropped);
    }

    [Fact]
    public async Task While_calls_hang_only_a_few_are_under_way_and_the_rest_is_dropped()
    {
        _redis.Hang();
        Publish(1, 1);
        await Until.TrueAsync(() => !Node.Backplane.IsConnected);

        for (var i = 0; i < 50; i++)
        {
            Publish(1, 1_000);
        }

        await Until.TrueAsync(() => Node.Dropped == 50_001);
        Assert.InRange(_redis.Published.Count, 1, 1_000);
    }

    [Fact]
    public async Task What_waits_is_sent_before_the_node_stops()
    {
        Publish(1, 10_000);

        await Node.Backplane.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal((10_000, 0), (_redis.Published.Count, Node.Dropped));
    }

    private void Publish(long first, long last)
    {
        for (var i = first; i <= last; i++)
        {
            Node.Backplane.Publish(BackplaneSpecification.Event(Key, i));
        }
    }
}

/// <summary>As much of the client's interfaces as links and backplane call.</summary>
internal sealed class FakeRedis
{
    private readonly ConcurrentDictionary<RedisChannel, Action<RedisChannel, RedisValue>> _handlers = new();
    private volatile bool _hangs;

    public FakeRedis()
    {
        var subscriber = Fake.Of<ISubscriber>((method, arguments) => method.Name switch
        {
            nameof(ISubscriber.PublishAsync) => Send((RedisChannel)arguments[0]!, (RedisValue)arguments[1]!),
            nameof(ISubscriber.SubscribeAsync) => Subscribe((RedisChannel)arguments[0]!, (Action<RedisChannel, RedisValue>)arguments[1]!),
            nameof(ISubscriber.UnsubscribeAsync) => Task.CompletedTask,
            _ => null,
        });
        var batch = Fake.Of<IBatch>((method, arguments) =>
            method.Name == nameof(IBatch.PublishAsync) ? Send((RedisChannel)arguments[0]!, (RedisValue)arguments[1]!) : null);
        var database = Fake.Of<IDatabase>((method, _) => method.Name switch
        {
            nameof(IDatabase.CreateBatch) => batch,
            _ => _hangs ? new TaskCompletionSource<TimeSpan>().Task : Task.FromResult(TimeSpan.Zero),
        });
        Multiplexer = Fake.Of<IConnectionMultiplexer>((method, _) => method.Name switch
        {
            nameof(IConnectionMultiplexer.GetSubscriber) => subscriber,
            nameof(IConnectionMultiplexer.GetDatabase) => database,
            "get_IsConnected" => true,
            _ => null,
        });
    }

    public static Func<RedisValue, Task<long>> Answer { get; } = _ => Task.FromResult(1L);

    public IConnectionMultiplexer Multiplexer { get; }

    /// <summary>What was sent on channels that nobody here listens to.</summary>
    public ConcurrentQueue<RedisValue> Published { get; } = new();

    public Func<RedisValue, Task<long>> Publish { get; set; } = Answer;

    /// <summary>Nothing is answered any more.</summary>
    public void Hang()
    {
        _hangs = true;
        Publish = _ => new TaskCompletionSource<long>().Task;
    }

    private Task<long> Send(RedisChannel channel, RedisValue message)
    {
        if (!_handlers.TryGetValue(channel, out var handler))
        {
            Published.Enqueue(message);
            return Publish(message);
        }

        if (!_hangs)
        {
            handler(channel, message);
        }

        return Task.FromResult(1L);
    }

    private Task Subscribe(RedisChannel channel, Action<RedisChannel, RedisValue> handler)
    {
        _handlers[channel] = handler;
        return Task.CompletedTask;
    }

    // The runtime derives from it.
#pragma warning disable CA1852
    public class Fake : DispatchProxy
    {
        private Func<MethodInfo, object?[], object?> _answer = (_, _) => null;

        public static T Of<T>(Func<MethodInfo, object?[], object?> answer)
            where T : class
        {
            var fake = Create<T, Fake>();
            ((Fake)(object)fake)._answer = answer;
            return fake;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer(targetMethod!, args ?? []);
    }
#pragma warning restore CA1852
}
