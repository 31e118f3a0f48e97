using System.Buffers.Binary;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>One client transport: who it is, what it is subscribed to, and what waits for it.</summary>
internal sealed class Connection : IAsyncDisposable
{
    /// <summary>What the transport of hub connections is called.</summary>
    public const string Hub = "hub";

    // Timers take no more than 49 days; a token that lasts longer outlives any connection.
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40);

    private readonly IConnectionTransport _transport;
    private readonly LimitOptions _limits;
    private readonly ITenantQuotas? _tenants;
    private readonly TenantTopics _topics;
    private readonly RealtimeInstruments _instruments;
    private readonly Outbound _outbound;
    private readonly Action<Connection> _left;
    private readonly Lock _lock = new();
    private volatile Caller _caller;
    private int _many;
    private int _calls;
    private TokenBucket? _publishes;
    private TokenBucket? _refusals;
    private PublishLine? _line;

    // Under the lock.
    private readonly Dictionary<TopicKey, Subscription> _subscriptions = [];
    private Dictionary<TopicKey, object>? _announced;
    private ITimer? _expiry;
    private int _expiries;
    private Task _closing = Task.CompletedTask;
    private ErrorCode? _reason;
    private bool _closed;

    /// <param name="caller">Who it is.</param>
    /// <param name="transport">How its bytes leave.</param>
    /// <param name="limits">How much it may have.</param>
    /// <param name="topics">Those of its tenant.</param>
    /// <param name="instruments">Count.</param>
    /// <param name="time">For what is conflated.</param>
    /// <param name="left">Called when it has left.</param>
    /// <param name="tenants">How much of it its tenant allows; null: all.</param>
    public Connection(
        Caller caller,
        IConnectionTransport transport,
        LimitOptions limits,
        TenantTopics topics,
        RealtimeInstruments instruments,
        TimeProvider time,
        Action<Connection> left,
        ITenantQuotas? tenants = null)
    {
        (_caller, _transport, _limits, _topics, _instruments, _left, _tenants) = (caller, transport, limits, topics, instruments, left, tenants);
        Id = Guid.CreateVersion7(time.GetUtcNow());
        _outbound = new Outbound(transport, limits.QueueBytes, caller.Tenant, instruments, time, () => Close(ErrorCode.SlowConsumer));
        instruments.ConnectionOpened(caller.Tenant, transport.Name);
    }

    /// <summary>Its name, on all nodes. Those that are opened later have later ones.</summary>
    public Guid Id { get; }

    /// <summary>Since when, to the millisecond: the name holds it.</summary>
    public DateTimeOffset OpenedAt => DateTimeOffset.FromUnixTimeMilliseconds((long)(BinaryPrimitives.ReadUInt64BigEndian(Id.ToByteArray(bigEndian: true)) >> 16));

    /// <summary><c>hub</c>, <c>sse</c> or <c>poll</c>.</summary>
    public string Transport => _transport is HubTransport ? Hub : _transport.Name;

    /// <summary>Who it is. With a new token he may have other rights, but is the same.</summary>
    public Caller Caller
    {
        get => _caller;
        set => _caller = value;
    }

    /// <summary>Where it comes from; null where nobody has looked.</summary>
    public ClientOrigin? Origin { get; init; }

    public IReadOnlyCollection<Subscription> Subscriptions
    {
        get
        {
            lock (_lock)
            {
                return [.. _subscriptions.Values];
            }
        }
    }

    /// <summary>For its publishes, where a connection's are limited.</summary>
    public TokenBucket Publishes => LazyInitializer.EnsureInitialized(ref _publishes);

    /// <summary>For its publishes that wait for a hook.</summary>
    public PublishLine Line => LazyInitializer.EnsureInitialized(ref _line);

    /// <summary>For what it asks for in vain.</summary>
    public TokenBucket Refusals => LazyInitializer.EnsureInitialized(ref _refusals);

    /// <summary>Nothing is sent to it any more.</summary>
    public bool HasClosed
    {
        get
        {
            lock (_lock)
            {
                return _closed;
            }
        }
    }

    /// <summary>Why it has been closed; null: it has not been.</summary>
    public ErrorCode? ClosedFor
    {
        get
        {
            lock (_lock)
            {
                return _reason;
            }
        }
    }

    /// <inheritdoc cref="IConnectionTransport.UsesNumbers"/>
    public bool UsesNumbers => _transport.UsesNumbers;

    /// <summary>The connection is closed when its token is no longer good, the last one that this was called for.</summary>
    /// <param name="expiry">When the token ends.</param>
    /// <param name="grace">How long it is good past its end.</param>
    /// <param name="time">Measures both.</param>
    /// <param name="warns">Whether the client is told at its end: one that can refresh it then stays.</param>
    public void ExpireAt(DateTimeOffset expiry, TimeSpan grace, TimeProvider time, bool warns)
    {
        lock (_lock)
        {
            if (warns)
            {
                Arm_NeedsLock(expiry, time, Warn, ArmEnd_NeedsLock);
            }
            else
            {
                ArmEnd_NeedsLock();
            }
        }

        void Warn() => Send(new Control { Type = Control.Expiring, Code = ErrorCode.TokenExpired.Code, Reason = "The token has expired; refresh it." });

        void ArmEnd_NeedsLock() => Arm_NeedsLock(expiry + grace, time, () => Close(ErrorCode.TokenExpired));
    }

    /// <summary>Another call takes this one's place, also when its time has come and it waits for the lock.</summary>
    private void Arm_NeedsLock(DateTimeOffset due, TimeProvider time, Action act, Action? next_NeedsLock = null)
    {
        var mine = ++_expiries;
        _expiry?.Dispose();
        var rest = TimeSpan.FromTicks(Math.Clamp((due - time.GetUtcNow()).Ticks, 0, LongestTimer.Ticks));
        _expiry = _closed ? null : time.CreateTimer(_ => Fire(), null, rest, Timeout.InfiniteTimeSpan);

        void Fire()
        {
            lock (_lock)
            {
                if (mine != _expiries || _closed)
                {
                    return;
                }

                next_NeedsLock?.Invoke();
            }

            act();
        }
    }

    /// <summary>The transport is gone: leaves every topic and waits for what is being written.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Subscription> left;
        Task closing;
        lock (_lock)
        {
            _closed = true;
            left = [.. _subscriptions.Values];
            _subscriptions.Clear();
            _announced = null;
            closing = _closing;
            _expiry?.Dispose();
        }

        foreach (var subscription in left)
        {
            End(subscription);
        }

        await _outbound.FinishAsync();
        // How the farewell went is of no interest any more.
        await closing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _instruments.ConnectionClosed(Caller.Tenant, _transport.Name);
        _left(this);
    }

    /// <summary>
    /// Announces a subscribe. What the client asks for after it, another subscribe or an unsubscribe, supersedes it, however
    /// long it takes; until it is added, a subscription that is live stays so.
    /// </summary>
    /// <returns>What stands for the subscribe, until <see cref="Withdraw"/>.</returns>
    /// <exception cref="RealtimeException"><c>too_many_subscriptions</c>, <c>quota_exceeded</c>.</exception>
    public object Announce(TopicKey topic)
    {
        _topics.Require(topic);
        var most = Math.Min(_limits.SubscriptionsPerConnection, _tenants?.Of(Caller.Tenant).SubscriptionsPerConnection ?? int.MaxValue);
        lock (_lock)
        {
            // None while none is under way: most of the time, and then an idle connection keeps nothing for it.
            _announced ??= [];
            var isNew = !_subscriptions.ContainsKey(topic) && !_announced.ContainsKey(topic);
            var count = _subscriptions.Count + _announced.Keys.Count(other => !_subscriptions.ContainsKey(other));
            if (isNew && count >= most)
            {
                throw new RealtimeException(ErrorCode.TooManySubscriptions);
            }

            return _announced[topic] = new object();
        }
    }

    /// <summary>Begins a subscribe to many topics. False: another one is under way.</summary>
    public bool TryBeginMany() => Interlocked.CompareExchange(ref _many, 1, 0) == 0;

    public void EndMany() => Volatile.Write(ref _many, 0);

    /// <summary>Begins a call, which takes one of the places for what the connection asks for at once. False: too many are under way.</summary>
    public bool TryBeginCall(int most)
    {
        if (Interlocked.Increment(ref _calls) <= most)
        {
            return true;
        }

        EndCall();
        return false;
    }

    public void EndCall() => Interlocked.Decrement(ref _calls);

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
                Forget_NeedsLock(topic);
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
            _topics.Add(subscription.Topic);
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
            Forget_NeedsLock(topic);
            _subscriptions.Remove(topic, out removed);
        }

        if (removed is not null)
        {
            End(removed, forGood: true);
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

        End(subscription, forGood: reason?.Type == Control.Unsubscribed);
        if (reason is not null)
        {
            Send(reason);
        }
    }

    /// <summary>Its subscription to a topic; null: it has none.</summary>
    public Subscription? Find(TopicKey topic)
    {
        lock (_lock)
        {
            return _subscriptions.GetValueOrDefault(topic);
        }
    }

    /// <summary>Whether it is subscribed to a topic.</summary>
    public bool IsSubscribed(TopicKey topic) => Find(topic) is not null;

    /// <summary>Whether this is the connection's subscription to its topic.</summary>
    public bool IsSubscribed(Subscription subscription)
    {
        lock (_lock)
        {
            return _subscriptions.TryGetValue(subscription.Topic, out var current) && ReferenceEquals(current, subscription);
        }
    }

    /// <summary>Sends events; never waits. A connection that has too much waiting is closed: it comes back and recovers.</summary>
    public void Send(EventBatch events) => _outbound.Send(events);

    /// <inheritdoc cref="Outbound.Send(ConflatedEvents, EventBatch)"/>
    public void Send(ConflatedEvents conflated, EventBatch events) => _outbound.Send(conflated, events);

    /// <inheritdoc cref="Send(EventBatch)"/>
    public void Send(Control control) => _outbound.Send(new Notice(control));

    /// <inheritdoc cref="Send(EventBatch)"/>
    public void Send(IncomingCall call) => _outbound.Send(new Notice(call));

    /// <inheritdoc cref="Outbound.Forget"/>
    public void Forget(ConflatedEvents conflated) => _outbound.Forget(conflated);

    /// <summary>Ends the connection, and tells why if that can be done in a moment. What waits is not sent.</summary>
    public void Close(ErrorCode reason)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            (_closed, _reason) = (true, reason);
            _closing = Background.Run(() => _transport.CloseAsync(reason));
        }

        _outbound.Complete();
        if (reason == ErrorCode.SlowConsumer)
        {
            _instruments.SlowConsumerClosed(Caller.Tenant);
        }
    }

    private bool IsWanted_NeedsLock(TopicKey topic, object announced) =>
        _announced is not null && _announced.TryGetValue(topic, out var latest) && ReferenceEquals(latest, announced);

    private void Forget_NeedsLock(TopicKey topic)
    {
        if (_announced is not null && _announced.Remove(topic) && _announced.Count == 0)
        {
            _announced = null;
        }
    }

    private void End(Subscription subscription, bool forGood = false)
    {
        subscription.End(forGood);
        _topics.Remove(subscription.Topic);
        _instruments.Unsubscribed(Caller.Tenant);
    }
}
