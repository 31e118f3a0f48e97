using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// Redis pub/sub, one channel per topic. Nothing waits for Redis: sends are queued, and every call has a time limit. Nothing
/// fails with Redis either, whatever its client throws: what it does not carry is in the log.
/// </summary>
internal sealed partial class RedisBackplane(
    IServiceProvider services,
    RealtimeInstruments instruments,
    RealtimeTracing tracing,
    TimeProvider time,
    ILogger<RedisBackplane> logger) : BackgroundService, IBackplane
{
    private const int QueueLength = 20_000;
    private const int QueueBytes = 64 * 1024 * 1024;
    private const int MaxInFlight = 256;

    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ConnectRetry = TimeSpan.FromSeconds(1);

    private readonly long _node = Random.Shared.NextInt64();
    private readonly ConcurrentDictionary<TopicKey, Receiver> _receivers = new();
    private readonly ByteBudget _queueBytes = new(QueueBytes);
    private readonly Channel<EncodedEvent> _outgoing = Channel.CreateBounded<EncodedEvent>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true });

    private volatile IConnectionMultiplexer? _multiplexer;
    private volatile ISubscriber? _subscriber;
    private volatile bool _failing;
    private volatile bool _unreadableIsLogged;

    public bool IsConnected => !_failing && _multiplexer is { IsConnected: true };

    public void Publish(EncodedEvent published)
    {
        if (!_queueBytes.TryTake(published.Json.Length))
        {
            instruments.BackplaneDropped(published.Topic.Tenant);
        }
        else if (!_outgoing.Writer.TryWrite(published))
        {
            _queueBytes.Release(published.Json.Length);
            instruments.BackplaneDropped(published.Topic.Tenant);
        }
    }

    public async Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received)
    {
        // Registered first: whoever connects to Redis after this subscribes for it.
        var receiver = new Receiver(received);
        _receivers[topic] = receiver;
        if (_subscriber is { } subscriber)
        {
            await receiver.AttachOnce(() => TrySubscribeAsync(subscriber, topic));
        }

        return new Lease(this, topic);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            var subscriber = await ConnectAsync(stoppingToken);
            while (await WaitToSendAsync(stoppingToken))
            {
                await SendWaitingAsync(subscriber);
            }

            // The appender has stopped before: this is all there will be.
            while (!_failing && _outgoing.Reader.TryPeek(out _))
            {
                await SendWaitingAsync(subscriber);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops before it had Redis; what was not sent is in the log.
        }
    }

    /// <summary>False: the node stops.</summary>
    private async Task<bool> WaitToSendAsync(CancellationToken stoppingToken)
    {
        try
        {
            return await _outgoing.Reader.WaitToReadAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return false;
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
                (_subscriber, _multiplexer) = (subscriber, multiplexer);
                foreach (var (topic, receiver) in _receivers)
                {
                    await receiver.AttachOnce(() => TrySubscribeAsync(subscriber, topic));
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

    /// <summary>Sends what waits, as much as may be under way at once; while Redis fails, one of it, to see whether it is back.</summary>
    private async Task SendWaitingAsync(ISubscriber subscriber)
    {
        var batch = new List<Task>();
        while (batch.Count < MaxInFlight && _outgoing.Reader.TryRead(out var next))
        {
            _queueBytes.Release(next.Json.Length);
            if (_failing && batch.Count > 0)
            {
                instruments.BackplaneDropped(next.Topic.Tenant);
                continue;
            }

            // Started in order, so they are written to the one connection in order.
            batch.Add(SendAsync(subscriber, next));
        }

        try
        {
            // A call that is given up stays in the client's own queue: hence the few while it fails.
            await Task.WhenAll(batch).WaitAsync(CallTime, time);
        }
        catch (TimeoutException exception)
        {
            Failed(exception);
        }
    }

    // Its client throws more than its own exceptions when a connection breaks.
#pragma warning disable CA1031
    private async Task SendAsync(ISubscriber subscriber, EncodedEvent sent)
    {
        using var activity = tracing.StartRedisPublish(sent.Trace, sent.Topic);
        try
        {
            await subscriber.PublishAsync(ChannelOf(sent.Topic), BackplaneMessage.Write(sent, _node));
            Succeeded();
        }
        catch (Exception exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            instruments.BackplaneDropped(sent.Topic.Tenant);
            Failed(exception);
        }
    }

    private async Task TrySubscribeAsync(ISubscriber subscriber, TopicKey topic)
    {
        try
        {
            await subscriber.SubscribeAsync(ChannelOf(topic), (_, message) => Receive(topic, message)).WaitAsync(CallTime, time);
        }
        catch (Exception exception)
        {
            // The multiplexer restores its subscriptions when it connects again; until then feeds look at the log.
            Failed(exception);
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
            catch (Exception exception)
            {
                Failed(exception);
            }
        }
    }
#pragma warning restore CA1031

    private void Receive(TopicKey topic, RedisValue message)
    {
        if (!_receivers.TryGetValue(topic, out var receiver) || (byte[]?)message is not { } bytes)
        {
            return;
        }

        if (BackplaneMessage.Read(topic, bytes, _node, out var isOwn) is { } encoded)
        {
            receiver.Received(encoded);
        }
        // Once is enough: during an upgrade it is every message of the other release.
        else if (!isOwn && !_unreadableIsLogged)
        {
            _unreadableIsLogged = true;
            LogUnreadable(topic);
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

    [LoggerMessage(EventId = 1303, Level = LogLevel.Warning, Message = "A message on the channel of {Topic} is of an unknown version; the log is read instead, here and for others like it")]
    private partial void LogUnreadable(TopicKey topic);

    /// <summary>Whoever connects and whoever subscribes at that moment both attach it: once, or every message would come twice.</summary>
    private sealed class Receiver(Action<EncodedEvent> received)
    {
        private readonly Lock _lock = new();
        private Task? _attached;

        public Action<EncodedEvent> Received { get; } = received;

        public Task AttachOnce(Func<Task> attach)
        {
            lock (_lock)
            {
                return _attached ??= attach();
            }
        }
    }

    private sealed class Lease(RedisBackplane backplane, TopicKey topic) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => backplane.LeaveAsync(topic);
    }
}
