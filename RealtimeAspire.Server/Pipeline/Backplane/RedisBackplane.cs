using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// Redis pub/sub, one channel per topic. Nothing waits for Redis: sends are queued, and every call has a time limit.
/// </summary>
internal sealed partial class RedisBackplane(
    IServiceProvider services,
    RealtimeInstruments instruments,
    RealtimeTracing tracing,
    TimeProvider time,
    ILogger<RedisBackplane> logger) : BackgroundService, IBackplane
{
    private const int QueueLength = 20_000;
    private const int MaxInFlight = 256;

    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ConnectRetry = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<TopicKey, Action<EncodedEvent>> _receivers = new();
    private readonly Channel<EncodedEvent> _outgoing = Channel.CreateBounded<EncodedEvent>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true });

    private volatile ISubscriber? _subscriber;
    private volatile bool _failing;

    public bool IsConnected => !_failing && _subscriber is { Multiplexer.IsConnected: true };

    public void Publish(EncodedEvent published)
    {
        if (!_outgoing.Writer.TryWrite(published))
        {
            instruments.BackplaneDropped();
        }
    }

    public async Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received)
    {
        // Registered first: whoever connects to Redis after this subscribes for it.
        _receivers[topic] = received;
        if (_subscriber is { } subscriber)
        {
            await TrySubscribeAsync(subscriber, topic);
        }

        return new Lease(this, topic);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            var subscriber = await ConnectAsync(stoppingToken);
            var batch = new List<Task>(MaxInFlight);
            while (await _outgoing.Reader.WaitToReadAsync(stoppingToken))
            {
                batch.Clear();
                while (batch.Count < MaxInFlight && _outgoing.Reader.TryRead(out var next))
                {
                    // Started in order, so they are written to the one connection in order.
                    batch.Add(SendAsync(subscriber, next));
                }

                await Task.WhenAll(batch);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops; what was not sent is in the log.
        }
    }

    private static RedisChannel ChannelOf(TopicKey topic) =>
        new($"realtime:{topic.Tenant}:events:{topic.Name.Value}", RedisChannel.PatternMode.Literal);

    private async Task<ISubscriber> ConnectAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                // Made at the first request for it, and it throws when Redis is not there.
                var multiplexer = services.GetRequiredService<IConnectionMultiplexer>();
                multiplexer.ConnectionFailed += (_, failure) => Failed(failure.Exception);
                multiplexer.ConnectionRestored += (_, _) => Succeeded();
                var subscriber = multiplexer.GetSubscriber();
                _subscriber = subscriber;
                foreach (var (topic, _) in _receivers)
                {
                    await TrySubscribeAsync(subscriber, topic);
                }

                return subscriber;
            }
            catch (RedisException exception)
            {
                Failed(exception);
                await Task.Delay(ConnectRetry, time, stoppingToken);
            }
        }
    }

    private async Task SendAsync(ISubscriber subscriber, EncodedEvent sent)
    {
        using var activity = tracing.StartRedisPublish(sent.Trace, sent.Topic);
        try
        {
            await subscriber.PublishAsync(ChannelOf(sent.Topic), BackplaneMessage.Write(sent)).WaitAsync(CallTime, time);
            Succeeded();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            instruments.BackplaneDropped();
            Failed(exception);
        }
    }

    private async Task TrySubscribeAsync(ISubscriber subscriber, TopicKey topic)
    {
        try
        {
            await subscriber.SubscribeAsync(ChannelOf(topic), (_, message) => Receive(topic, message)).WaitAsync(CallTime, time);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The multiplexer restores its subscriptions when it connects again; until then feeds look at the log.
            Failed(exception);
        }
    }

    private void Receive(TopicKey topic, RedisValue message)
    {
        if (!_receivers.TryGetValue(topic, out var received))
        {
            return;
        }

        if ((byte[]?)message is { } bytes && BackplaneMessage.Read(topic, bytes) is { } encoded)
        {
            received(encoded);
        }
        else
        {
            LogUnreadable(topic.Name.Value);
        }
    }

    private async ValueTask LeaveAsync(TopicKey topic)
    {
        _receivers.TryRemove(topic, out _);
        if (_subscriber is { } subscriber)
        {
            try
            {
                await subscriber.UnsubscribeAsync(ChannelOf(topic)).WaitAsync(CallTime, time);
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
            {
                Failed(exception);
            }
        }
    }

    private void Failed(Exception? exception)
    {
        if (!_failing)
        {
            _failing = true;
            LogFailing(exception);
        }
    }

    private void Succeeded()
    {
        if (_failing)
        {
            _failing = false;
            LogBack();
        }
    }

    [LoggerMessage(EventId = 1301, Level = LogLevel.Warning, Message = "Redis does not answer; other nodes find events in the log until it does")]
    private partial void LogFailing(Exception? exception);

    [LoggerMessage(EventId = 1302, Level = LogLevel.Information, Message = "Redis answers again")]
    private partial void LogBack();

    [LoggerMessage(EventId = 1303, Level = LogLevel.Warning, Message = "A message on the channel of {Topic} is of an unknown version; the log is read instead")]
    private partial void LogUnreadable(string topic);

    private sealed class Lease(RedisBackplane backplane, TopicKey topic) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => backplane.LeaveAsync(topic);
    }
}
