using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// The channels of Redis pub/sub that this node hears. Whoever has joined one keeps it, through every connection that this takes,
/// until it is left.
/// </summary>
internal sealed partial class RedisChannels
{
    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(2);

    private readonly RedisLink _link;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisChannels> _logger;

    // Under the lock, as is the start of each call that joins or leaves a channel: they reach Redis in the order of these.
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Receiver> _receivers = new(StringComparer.Ordinal);

    public RedisChannels(
        RedisConnect connect, NodeId node, OtherNodes others, TimeProvider time, ILogger<RedisLink> linkLogger, ILogger<RedisChannels> logger)
    {
        (_time, _logger) = (time, logger);
        _link = new RedisLink(connect, new RedisEcho(node, others, AttachAll), time, linkLogger);
    }

    /// <inheritdoc cref="RedisLink.Restored"/>
    public event Action? Restored
    {
        add => _link.Restored += value;
        remove => _link.Restored -= value;
    }

    /// <inheritdoc cref="RedisLink.IsConnected"/>
    public bool IsConnected => _link.IsConnected;

    /// <inheritdoc cref="RedisLink.RunAsync"/>
    public Task RunAsync(CancellationToken stoppingToken) => _link.RunAsync(stoppingToken);

    /// <summary>
    /// Hears a channel until disposed; another one who joins it takes its place. Completes when the channel is attached, or when that
    /// cannot be had in a moment: then <see cref="Restored"/> tells when it is.
    /// </summary>
    /// <param name="channel">Its name, no pattern.</param>
    /// <param name="received">Called in order; must only enqueue.</param>
    public async Task<IAsyncDisposable> SubscribeAsync(string channel, Action<byte[]> received)
    {
        var receiver = new Receiver(channel, received);
        Task attached;
        lock (_lock)
        {
            // Registered first: a connection that comes after this attaches it.
            if (_receivers.Remove(channel, out var former))
            {
                _ = Detach_NeedsLock(former);
            }

            _receivers.Add(channel, receiver);
            attached = _link.Multiplexer is { IsConnected: true } multiplexer ? Attach_NeedsLock(receiver, multiplexer) : Task.CompletedTask;
        }

        await InAMomentAsync(attached);
        return new Lease(this, receiver);
    }

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
            var messages = await multiplexer.GetSubscriber().SubscribeAsync(receiver.Channel);
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
        if (connection is null || connection != _link.Multiplexer)
        {
            return;
        }

        try
        {
            await connection.GetSubscriber().UnsubscribeAsync(receiver.Channel);
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
            if (_receivers.GetValueOrDefault(receiver.Name) != receiver)
            {
                // Somebody has joined since, and has the channel.
                return;
            }

            _receivers.Remove(receiver.Name);
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

    private static void Receive(Receiver receiver, IConnectionMultiplexer multiplexer, RedisValue message)
    {
        // What a connection still has when it is replaced, or its channel left, is too late.
        if (receiver.Connection == multiplexer && (byte[]?)message is { } bytes)
        {
            receiver.Received(bytes);
        }
    }

    [LoggerMessage(EventId = 1306, Level = LogLevel.Debug, Message = "A channel could not be joined or left; it is tried again")]
    private partial void LogNotAttached(Exception exception);

    private sealed class Receiver(string name, Action<byte[]> received)
    {
        // Written under the lock.
        private volatile IConnectionMultiplexer? _connection;

        public string Name => name;

        public RedisChannel Channel { get; } = new(name, RedisChannel.PatternMode.Literal);

        public Action<byte[]> Received => received;

        /// <summary>On which it is attached, or about to be.</summary>
        public IConnectionMultiplexer? Connection
        {
            get => _connection;
            set => _connection = value;
        }
    }

    private sealed class Lease(RedisChannels channels, Receiver receiver) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => channels.LeaveAsync(receiver);
    }
}
