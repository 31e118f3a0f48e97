using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Server;

/// <summary>The backplane over a client of Redis that misbehaves.</summary>
public sealed class RedisBackplaneTests : IAsyncLifetime
{
    private static readonly TopicKey Key = new("default", TopicName.Parse("room:a"));

    private readonly RealtimeTracing _tracing = new();
    private readonly FakeRedis _redis = new();
    private ServiceProvider? _services;
    private RedisBackplane? _backplane;

    private RedisBackplane Backplane => _backplane!;

    public async ValueTask InitializeAsync()
    {
        _services = new ServiceCollection().AddMetrics().AddSingleton(_redis.Multiplexer).BuildServiceProvider();
        var instruments = new RealtimeInstruments(_services.GetRequiredService<IMeterFactory>());
        _backplane = new RedisBackplane(_services, instruments, _tracing, new FastTime(), NullLogger<RedisBackplane>.Instance);
        await _backplane.StartAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        // What still waits is sent before it stops, so a test that broke Redis must not keep it broken.
        _redis.Publish = _ => Task.FromResult(1L);
        await Backplane.StopAsync(CancellationToken.None);
        Assert.False(Backplane.ExecuteTask!.IsFaulted);
        Backplane.Dispose();
        _tracing.Dispose();
        await _services!.DisposeAsync();
    }

    [Fact]
    public async Task Whatever_the_client_throws_the_backplane_lives_and_sends_again()
    {
        await Until.TrueAsync(() => Backplane.IsConnected);
        _redis.Publish = _ => throw new InvalidCastException("Not an exception of its own.");
        Backplane.Publish(Event(1));
        await Until.TrueAsync(() => !Backplane.IsConnected);

        _redis.Publish = _ => Task.FromResult(1L);
        Backplane.Publish(Event(2));
        await Until.TrueAsync(() => Backplane.IsConnected);
    }

    [Fact]
    public async Task While_calls_hang_only_a_few_are_under_way()
    {
        await Until.TrueAsync(() => Backplane.IsConnected);
        _redis.Publish = _ => new TaskCompletionSource<long>().Task;
        Backplane.Publish(Event(1));
        await Until.TrueAsync(() => !Backplane.IsConnected);
        var before = _redis.Published.Count;

        for (var i = 0; i < 1_000; i++)
        {
            Backplane.Publish(Event(i + 2));
        }

        await Until.TrueAsync(() => _redis.Published.Count > before);
        Assert.InRange(_redis.Published.Count - before, 1, 50);
    }

    [Fact]
    public async Task What_waits_is_sent_before_the_node_stops()
    {
        await Until.TrueAsync(() => Backplane.IsConnected);
        for (var i = 1; i <= 1_000; i++)
        {
            Backplane.Publish(Event(i));
        }

        await Backplane.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1_000, _redis.Published.Count);
    }

    private static EncodedEvent Event(long offset) => new() { Topic = Key, Position = new Position("e", offset), TraceParent = null, Json = new byte[100] };
}

/// <summary>As much of the client's interfaces as the backplane calls.</summary>
internal sealed class FakeRedis
{
    public FakeRedis()
    {
        Multiplexer = Fake.Of<IConnectionMultiplexer>(method => method.Name switch
        {
            nameof(IConnectionMultiplexer.GetSubscriber) => Subscriber,
            "get_IsConnected" => true,
            _ => null,
        });
        Subscriber = Fake.Of<ISubscriber>(method => method.Name switch
        {
            nameof(ISubscriber.PublishAsync) => Send(),
            nameof(ISubscriber.SubscribeAsync) or nameof(ISubscriber.UnsubscribeAsync) => Task.CompletedTask,
            _ => null,
        });
    }

    public IConnectionMultiplexer Multiplexer { get; }

    public ConcurrentQueue<int> Published { get; } = new();

    public Func<int, Task<long>> Publish { get; set; } = _ => Task.FromResult(1L);

    private ISubscriber Subscriber { get; }

    private Task<long> Send()
    {
        Published.Enqueue(Published.Count);
        return Publish(0);
    }

    // The runtime derives from it.
#pragma warning disable CA1852
    public class Fake : DispatchProxy
    {
        private Func<MethodInfo, object?> _answer = _ => null;

        public static T Of<T>(Func<MethodInfo, object?> answer)
            where T : class
        {
            var fake = Create<T, Fake>();
            ((Fake)(object)fake)._answer = answer;
            return fake;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer(targetMethod!);
    }
#pragma warning restore CA1852
}
