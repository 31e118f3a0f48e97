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
    private readonly RedisChannels _channels;
    private readonly NodeId _node;
    private readonly OtherNodes _others;
    private readonly RealtimeInstruments _instruments;
    private readonly RealtimeTracing _tracing;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisBackplane> _logger;

    private readonly ByteBudget _queueBytes = new(QueueBytes);
    private readonly Channel<EncodedEvent> _outgoing = Channel.CreateBounded<EncodedEvent>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true });

    // Only the sending loop touches these.
    private readonly List<EncodedEvent> _batch = [];
    private readonly List<Activity> _activities = [];
    private long _sentAt;
    private TimeSpan _gatherTime = GatherTime;

    private volatile bool _unreadableIsLogged;

    public RedisBackplane(
        RedisChannels channels,
        RedisLink commands,
        NodeId node,
        OtherNodes others,
        RealtimeInstruments instruments,
        RealtimeTracing tracing,
        TimeProvider time,
        ILogger<RedisBackplane> logger) =>
        (_channels, _commands, _node, _others, _instruments, _tracing, _time, _logger) = (channels, commands, node, others, instruments, tracing, time, logger);

    public event Action? Restored
    {
        add => _channels.Restored += value;
        remove => _channels.Restored -= value;
    }

    public bool IsConnected => _channels.IsConnected && _commands.IsConnected;

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

    public Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received) =>
        _channels.SubscribeAsync(BackplaneMessage.ChannelOf(topic), message => Receive(topic, received, message));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var sent = new CancellationTokenSource();
        var links = Task.WhenAll(_commands.RunAsync(sent.Token), _channels.RunAsync(sent.Token));
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

    private void Receive(TopicKey topic, Action<EncodedEvent> received, byte[] message)
    {
        if (BackplaneMessage.Read(topic, message, _node.Value, out var isOwn) is { } encoded)
        {
            received(encoded);
        }
        // Once is enough: during an upgrade it is every message of the other release.
        else if (!isOwn && !_unreadableIsLogged)
        {
            _unreadableIsLogged = true;
            LogUnreadable(topic);
        }
    }

    [LoggerMessage(EventId = 1303, Level = LogLevel.Warning, Message = "A message on the channel of {Topic} is of an unknown version; the log is read instead, here and for others like it")]
    private partial void LogUnreadable(TopicKey topic);

    [LoggerMessage(EventId = 1305, Level = LogLevel.Debug, Message = "{Count} events were not, or perhaps not, sent to other nodes")]
    private partial void LogNotSent(Exception exception, int count);
}
