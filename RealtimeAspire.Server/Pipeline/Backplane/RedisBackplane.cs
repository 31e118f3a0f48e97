using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;
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
internal sealed partial class RedisBackplane : BackgroundService, IBackplane, IHealthCheck
{
    private const int QueueLength = 20_000;
    private const int QueueBytes = 64 * 1024 * 1024;

    /// <summary>Under way at once; calls given up stay with the client until its connection is replaced.</summary>
    private const int BatchLength = 256;

    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan GatherTime = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongGatherTime = TimeSpan.FromMilliseconds(4);

    private readonly RedisLink _commands;
    private readonly RedisLink _subscriptions;
    private readonly NodeId _node;
    private readonly OtherNodes _others;
    private readonly RealtimeInstruments _instruments;
    private readonly RealtimeTracing _tracing;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisBackplane> _logger;

    private readonly ByteBudget _queueBytes = new(QueueBytes);
    private readonly Channel<EncodedEvent> _outgoing = Channel.CreateBounded<EncodedEvent>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true });

    // Under the lock, as is the start of each call that joins or leaves a channel: they reach Redis in the order of these.
    private readonly Lock _lock = new();
    private readonly Dictionary<TopicKey, Receiver> _receivers = [];

    // Only the sending loop touches these.
    private readonly List<EncodedEvent> _batch = [];
    private readonly List<Activity> _activities = [];
    private long _sentAt;
    private TimeSpan _gatherTime = GatherTime;

    private volatile bool _unreadableIsLogged;

    public RedisBackplane(
        RedisConnect connect,
        RedisLink commands,
        NodeId node,
        OtherNodes others,
        RealtimeInstruments instruments,
        RealtimeTracing tracing,
        TimeProvider time,
        ILogger<RedisLink> linkLogger,
        ILogger<RedisBackplane> logger)
    {
        (_commands, _node, _others, _instruments, _tracing, _time, _logger) = (commands, node, others, instruments, tracing, time, logger);
        _subscriptions = new RedisLink(connect, new RedisEcho(node, others, AttachAll), time, linkLogger);
    }

    public event Action? Restored
    {
        add => _subscriptions.Restored += value;
        remove => _subscriptions.Restored -= value;
    }

    public bool IsConnected => _subscriptions.IsConnected && _commands.IsConnected;

    /// <summary>Without Redis a node is slower, but works: degraded.</summary>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(IsConnected ? HealthCheckResult.Healthy() : HealthCheckResult.Degraded("Redis does not answer."));

    public void Publish(EncodedEvent published)
    {
        if (!_others.AreAround)
        {
            return;
        }

        if (!_queueBytes.TryTake(published.Json.Length))
        {
            Drop(published);
        }
        else if (!_outgoing.Writer.TryWrite(published))
        {
            _queueBytes.Release(published.Json.Length);
            Drop(published);
        }
    }

    public async Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received)
    {
        var receiver = new Receiver(topic, received);
        Task attached;
        lock (_lock)
        {
            // Registered first: a connection that comes after this attaches it.
            if (_receivers.Remove(topic, out var former))
            {
                _ = Detach_NeedsLock(former);
            }

            _receivers.Add(topic, receiver);
            attached = _subscriptions.Multiplexer is { IsConnected: true } multiplexer ? Attach_NeedsLock(receiver, multiplexer) : Task.CompletedTask;
        }

        await InAMomentAsync(attached);
        return new Lease(this, receiver);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var sent = new CancellationTokenSource();
        var links = Task.WhenAll(_commands.RunAsync(sent.Token), _subscriptions.RunAsync(sent.Token));
        while (await WaitToSendAsync(stoppingToken))
        {
            await GatherAsync(stoppingToken);
            await SendWaitingAsync();
        }

        // The appender has stopped before: this is all there will be.
        while (_outgoing.Reader.TryPeek(out _))
        {
            await SendWaitingAsync();
        }

        await sent.CancelAsync();
        await links;
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

    /// <summary>
    /// Events that follow each other closely leave together: by itself each costs this node, Redis and the other nodes several
    /// switches of threads. The first after a pause leaves at once; those of a node that is busy, with several in each of these
    /// moments, wait a little longer.
    /// </summary>
    private async Task GatherAsync(CancellationToken stoppingToken)
    {
        if (_time.GetElapsedTime(_sentAt) < _gatherTime)
        {
            await Task.Delay(_gatherTime, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _sentAt = _time.GetTimestamp();
    }

    /// <summary>Sends what waits, as much as may be under way at once; drops it while Redis does not answer.</summary>
    private async Task SendWaitingAsync()
    {
        var multiplexer = _commands.IsConnected ? _commands.Multiplexer : null;
        while (_batch.Count < BatchLength && _outgoing.Reader.TryRead(out var next))
        {
            _queueBytes.Release(next.Json.Length);
            if (multiplexer is null)
            {
                Drop(next);
            }
            else
            {
                _batch.Add(next);
            }
        }

        if (multiplexer is not null && _batch.Count > 0)
        {
            _gatherTime = _batch.Count > 1 ? LongGatherTime : GatherTime;
            await SendBatchAsync(multiplexer);
            _batch.Clear();
        }
    }

    // Its client throws more than its own exceptions when a connection breaks.
#pragma warning disable CA1031
    private async Task SendBatchAsync(IConnectionMultiplexer multiplexer)
    {
        try
        {
            await StartBatch(multiplexer).WithinAsync(CallTime, _time);
        }
        catch (Exception exception)
        {
            // Some of it may have been sent; the link finds out what is wrong.
            _batch.ForEach(Drop);
            _activities.ForEach(activity => activity.SetStatus(ActivityStatusCode.Error, exception.GetType().Name));
            LogNotSent(exception, _batch.Count);
        }

        _activities.ForEach(static activity => activity.Dispose());
        _activities.Clear();
    }

#pragma warning restore CA1031

    /// <summary>
    /// One connection sends, and Redis answers, in order: the last one's answer is that to all. As a batch, because its client wakes
    /// a thread for each call, or for each batch.
    /// </summary>
    private Task StartBatch(IConnectionMultiplexer multiplexer)
    {
        var batch = multiplexer.GetDatabase().CreateBatch();
        Task last = Task.CompletedTask;
        for (var i = 0; i < _batch.Count; i++)
        {
            var sent = _batch[i];
            if (_tracing.StartRedisPublish(sent.Trace, sent.Topic) is { } activity)
            {
                _activities.Add(activity);
                Activity.Current = null;
            }

            var flags = i == _batch.Count - 1 ? CommandFlags.None : CommandFlags.FireAndForget;
            last = batch.PublishAsync(ChannelOf(sent.Topic), BackplaneMessage.Write(sent, _node.Value), flags);
        }

        batch.Execute();
        return last;
    }

    private void Drop(EncodedEvent dropped) => _instruments.BackplaneDropped(dropped.Topic.Tenant);

    private static RedisChannel ChannelOf(TopicKey topic) => new(BackplaneMessage.ChannelOf(topic), RedisChannel.PatternMode.Literal);

    /// <summary>Joins all channels that this connection does not have: of a new one all, else those with which it did not work.</summary>
    private void AttachAll(IConnectionMultiplexer multiplexer)
    {
        lock (_lock)
        {
            foreach (var receiver in _receivers.Values)
            {
                if (receiver.Connection != multiplexer)
                {
                    _ = Attach_NeedsLock(receiver, multiplexer);
                }
            }
        }
    }

#pragma warning disable CA1031
    private async Task Attach_NeedsLock(Receiver receiver, IConnectionMultiplexer multiplexer)
    {
        receiver.Connection = multiplexer;
        try
        {
            var messages = await multiplexer.GetSubscriber().SubscribeAsync(ChannelOf(receiver.Topic));
            messages.OnMessage(message => Receive(receiver, multiplexer, message.Message));
        }
        catch (Exception exception)
        {
            LogNotAttached(exception);
            TryAgain(receiver, multiplexer);
        }
    }

    /// <summary>At the next probe; whatever the client has kept of this attempt is taken back, or messages would come twice.</summary>
    private void TryAgain(Receiver receiver, IConnectionMultiplexer multiplexer)
    {
        lock (_lock)
        {
            if (receiver.Connection == multiplexer)
            {
                _ = Detach_NeedsLock(receiver);
            }
        }
    }

    /// <summary>Leaves its channel. Of a connection that has been replaced there is none to leave.</summary>
    private async Task Detach_NeedsLock(Receiver receiver)
    {
        var connection = receiver.Connection;
        receiver.Connection = null;
        if (connection is null || connection != _subscriptions.Multiplexer)
        {
            return;
        }

        try
        {
            await connection.GetSubscriber().UnsubscribeAsync(ChannelOf(receiver.Topic));
        }
        catch (Exception exception)
        {
            LogNotAttached(exception);
        }
    }
#pragma warning restore CA1031

    private async ValueTask LeaveAsync(Receiver receiver)
    {
        Task left;
        lock (_lock)
        {
            if (_receivers.GetValueOrDefault(receiver.Topic) != receiver)
            {
                // Somebody has joined since, and has the channel.
                return;
            }

            _receivers.Remove(receiver.Topic);
            left = Detach_NeedsLock(receiver);
        }

        await InAMomentAsync(left);
    }

    /// <summary>Completes when the attempt to join or to leave has ended, well or not, or has taken too long.</summary>
    private async Task InAMomentAsync(Task attempt)
    {
        try
        {
            await attempt.WithinAsync(CallTime, _time);
        }
        catch (TimeoutException exception)
        {
            LogNotAttached(exception);
        }
    }

    private void Receive(Receiver receiver, IConnectionMultiplexer multiplexer, RedisValue message)
    {
        // What a connection still has when it is replaced, or its channel left, is too late.
        if (receiver.Connection != multiplexer || (byte[]?)message is not { } bytes)
        {
            return;
        }

        if (BackplaneMessage.Read(receiver.Topic, bytes, _node.Value, out var isOwn) is { } encoded)
        {
            receiver.Received(encoded);
        }
        // Once is enough: during an upgrade it is every message of the other release.
        else if (!isOwn && !_unreadableIsLogged)
        {
            _unreadableIsLogged = true;
            LogUnreadable(receiver.Topic);
        }
    }

    [LoggerMessage(EventId = 1303, Level = LogLevel.Warning, Message = "A message on the channel of {Topic} is of an unknown version; the log is read instead, here and for others like it")]
    private partial void LogUnreadable(TopicKey topic);

    [LoggerMessage(EventId = 1305, Level = LogLevel.Debug, Message = "{Count} events were not, or perhaps not, sent to other nodes")]
    private partial void LogNotSent(Exception exception, int count);

    [LoggerMessage(EventId = 1306, Level = LogLevel.Debug, Message = "A channel could not be joined or left; it is tried again")]
    private partial void LogNotAttached(Exception exception);

    /// <summary>Who hears a topic's events on this node.</summary>
    private sealed class Receiver(TopicKey topic, Action<EncodedEvent> received)
    {
        // Written under the lock.
        private volatile IConnectionMultiplexer? _connection;

        public TopicKey Topic => topic;

        public Action<EncodedEvent> Received => received;

        /// <summary>On which it is attached, or about to be.</summary>
        public IConnectionMultiplexer? Connection
        {
            get => _connection;
            set => _connection = value;
        }
    }

    private sealed class Lease(RedisBackplane backplane, Receiver receiver) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => backplane.LeaveAsync(receiver);
    }
}
