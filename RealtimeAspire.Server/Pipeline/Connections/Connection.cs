using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>One client transport: who it is, what it is subscribed to, and what waits for it.</summary>
internal sealed class Connection : IAsyncDisposable
{
    private const int FrameBytes = 128 * 1024;

    // Timers take no more than 49 days; a token that lasts longer outlives any connection.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40);

    private readonly IConnectionTransport _transport;
    private readonly LimitOptions _limits;
    private readonly RealtimeInstruments _instruments;
    private readonly OutboundQueue _queue;
    private readonly CancellationTokenSource _ended = new();
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<TopicKey, Subscription> _subscriptions = [];
    private readonly Dictionary<TopicKey, object> _announced = [];
    private ITimer? _expiry;
    private Task _pump = Task.CompletedTask;
    private Task _closing = Task.CompletedTask;
    private bool _closed;

    public Connection(Caller caller, IConnectionTransport transport, LimitOptions limits, RealtimeInstruments instruments)
    {
        (Caller, _transport, _limits, _instruments) = (caller, transport, limits, instruments);
        _queue = new OutboundQueue(limits.QueueBytes);
    }

    public Caller Caller { get; }

    /// <summary>Starts to write what is sent. Called once.</summary>
    public void Open()
    {
        _instruments.ConnectionOpened(Caller.Tenant);
        _pump = Background.Run(PumpAsync);
    }

    /// <summary>Closes the connection when its token is no longer good. Called once, at most.</summary>
    public void ExpireAfter(TimeSpan lifetime, TimeProvider time)
    {
        var due = TimeSpan.FromTicks(Math.Clamp(lifetime.Ticks, 0, LongestTimer.Ticks));
        lock (_lock)
        {
            _expiry = time.CreateTimer(_ => Close(ErrorCode.TokenExpired), null, due, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The transport is gone: leaves every topic and waits for the pump.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Subscription> left;
        Task closing;
        lock (_lock)
        {
            _closed = true;
            left = [.. _subscriptions.Values];
            _subscriptions.Clear();
            _announced.Clear();
            closing = _closing;
            _expiry?.Dispose();
        }

        foreach (var subscription in left)
        {
            End(subscription);
        }

        _queue.Complete();
        await _ended.CancelAsync();
        await _pump;
        await closing;
        _ended.Dispose();
        _instruments.ConnectionClosed(Caller.Tenant);
    }

    /// <summary>
    /// Announces a subscribe. What the client asks for after it, another subscribe or an unsubscribe, supersedes it, however
    /// long it takes; until it is added, a subscription that is live stays so.
    /// </summary>
    /// <returns>What stands for the subscribe, until <see cref="Withdraw"/>.</returns>
    /// <exception cref="RealtimeException"><c>too_many_subscriptions</c>.</exception>
    public object Announce(TopicKey topic)
    {
        lock (_lock)
        {
            var isNew = !_subscriptions.ContainsKey(topic) && !_announced.ContainsKey(topic);
            var count = _subscriptions.Count + _announced.Keys.Count(other => !_subscriptions.ContainsKey(other));
            if (isNew && count >= _limits.SubscriptionsPerConnection)
            {
                throw new RealtimeException(ErrorCode.TooManySubscriptions);
            }

            return _announced[topic] = new object();
        }
    }

    /// <summary>Whether nothing has superseded a subscribe.</summary>
    public bool IsWanted(TopicKey topic, object announced)
    {
        lock (_lock)
        {
            return IsWanted_NeedsLock(topic, announced);
        }
    }

    /// <summary>A subscribe has been answered.</summary>
    public void Withdraw(TopicKey topic, object announced)
    {
        lock (_lock)
        {
            if (IsWanted_NeedsLock(topic, announced))
            {
                _announced.Remove(topic);
            }
        }
    }

    /// <summary>Makes this the connection's one subscription to its topic; one that was there ends.</summary>
    /// <returns>False: its subscribe has been superseded, or the connection has closed.</returns>
    public bool TryAdd(Subscription subscription, object announced)
    {
        Subscription? replaced;
        lock (_lock)
        {
            if (_closed || !IsWanted_NeedsLock(subscription.Topic, announced))
            {
                return false;
            }

            _subscriptions.TryGetValue(subscription.Topic, out replaced);
            _subscriptions[subscription.Topic] = subscription;
        }

        _instruments.Subscribed(Caller.Tenant);
        if (replaced is not null)
        {
            End(replaced);
        }

        return true;
    }

    /// <summary>Leaves a topic, where it was subscribed to or about to be.</summary>
    public void Remove(TopicKey topic)
    {
        Subscription? removed;
        lock (_lock)
        {
            _announced.Remove(topic);
            _subscriptions.Remove(topic, out removed);
        }

        if (removed is not null)
        {
            End(removed);
        }
    }

    /// <summary>Ends a subscription, live or not; the client is told if it was the one of its topic.</summary>
    public void Drop(Subscription subscription, Control? reason)
    {
        bool wasLive;
        lock (_lock)
        {
            wasLive = ((ICollection<KeyValuePair<TopicKey, Subscription>>)_subscriptions).Remove(KeyValuePair.Create(subscription.Topic, subscription));
        }

        if (!wasLive)
        {
            subscription.End();
            return;
        }

        End(subscription);
        if (reason is not null && !_queue.TryEnqueue(reason))
        {
            Close(ErrorCode.SlowConsumer);
        }
    }

    /// <summary>Queues an event; never waits. A connection whose queue is full is closed: it comes back and recovers.</summary>
    public void Send(EncodedEvent sent)
    {
        if (!_queue.TryEnqueue(sent))
        {
            Close(ErrorCode.SlowConsumer);
        }
    }

    private void Close(ErrorCode reason)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            _queue.Complete();
            _closing = Background.Run(() => _transport.CloseAsync(reason));
        }

        if (reason == ErrorCode.SlowConsumer)
        {
            _instruments.SlowConsumerClosed(Caller.Tenant);
        }
    }

    private bool IsWanted_NeedsLock(TopicKey topic, object announced) =>
        _announced.TryGetValue(topic, out var latest) && ReferenceEquals(latest, announced);

    private void End(Subscription subscription)
    {
        subscription.End();
        _instruments.Unsubscribed(Caller.Tenant);
    }

    /// <summary>Writes what waits, as much as there is in one frame.</summary>
    private async Task PumpAsync()
    {
        var events = new List<EncodedEvent>();
        try
        {
            while (await _queue.WaitToReadAsync(_ended.Token))
            {
                while (_queue.TryTake(FrameBytes, events, out var control, out var bytes))
                {
                    await (control is null
                        ? _transport.SendEventsAsync(events, _ended.Token)
                        : _transport.SendControlAsync(control, _ended.Token));
                    _queue.Release(bytes);
                    _instruments.Delivered(Caller.Tenant, events.Count);
                    events.Clear();
                }
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The connection is gone, and with it what waited for it.
        }
    }
}
