using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>A connection to the server that comes back by itself and misses nothing: one per server and user.</summary>
/// <example>
/// <code>
/// await using var client = new RealtimeClient(new Uri("http://localhost:5200"), () => Task.FromResult&lt;string?&gt;(token));
/// await client.ConnectAsync();
/// await using var room = await client.SubscribeAsync("room:general");
/// await client.PublishAsync("room:general", "chat:message", new { text = "hi" });
/// await foreach (var e in room) { … }
/// </code>
/// </example>
public sealed class RealtimeClient : IAsyncDisposable, IServerConnectionListener, ISubscriptionOwner
{
    private const int MaxJoinsAtOnce = 200;

    private static readonly TimeSpan ExpireInterval = TimeSpan.FromSeconds(10);

    private readonly RealtimeClientOptions _options;
    private readonly ServerConnection _connection;
    private readonly Outbox _outbox;
    private readonly ITimer _expiring;
    private readonly ConcurrentDictionary<string, TopicSubscription> _subscriptions = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<TopicSubscription, Joining> _joining = [];
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly HashSet<TopicSubscription> _joins = [];
    private bool _isJoining;

    private volatile ILink? _link;

    /// <summary>Makes a client; it connects with <see cref="ConnectAsync"/>, and with the first subscribe or publish.</summary>
    /// <param name="server">The server's address; the hub is at <c>/realtime</c> below it.</param>
    /// <param name="tokenProvider">Asked for a token at each connect, also when it comes back.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public RealtimeClient(Uri server, Func<Task<string?>> tokenProvider, TimeProvider? time = null)
        : this(server, new RealtimeClientOptions { Token = _ => tokenProvider(), Time = time ?? TimeProvider.System })
    {
    }

    /// <summary>Makes a client; it connects with <see cref="ConnectAsync"/>, and with the first subscribe or publish.</summary>
    /// <param name="server">The server's address; the hub is at <c>/realtime</c> below it.</param>
    /// <param name="options">What differs from the defaults.</param>
    public RealtimeClient(Uri server, RealtimeClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        _options = options ?? new RealtimeClientOptions();
        _connection = new ServerConnection(server, _options, this);
        _outbox = new Outbox(_options);
        _expiring = _options.Time.CreateTimer(static outbox => ((Outbox)outbox!).Expire(), _outbox, ExpireInterval, ExpireInterval);
    }

    /// <summary>Raised at each change of <see cref="State"/>. Must not block.</summary>
    public event Action<ConnectionState>? StateChanged;

    /// <summary>How the client is connected, and why it is not.</summary>
    public ConnectionState State => _connection.State;

    /// <summary>Whether the connection is up now.</summary>
    public bool IsConnected => _connection.State.Status is ConnectionStatus.Connected;

    /// <summary>How events come at the moment; null while there is no connection.</summary>
    public Transport? Transport => _link?.Transport;

    /// <summary>How many publishes have no answer yet.</summary>
    public int Waiting => _outbox.Count;

    /// <summary>Connects. From then on the client comes back by itself.</summary>
    /// <param name="cancellationToken">Stops waiting; the client goes on trying.</param>
    /// <exception cref="RealtimeException">The client was closed, or the server refuses its token.</exception>
    public async Task ConnectAsync(CancellationToken cancellationToken = default)
    {
        var decided = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        StateChanged += Look;
        try
        {
            Start();
            Look(State);
            await decided.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            StateChanged -= Look;
        }

        void Look(ConnectionState state)
        {
            if (state.Status is ConnectionStatus.Connected)
            {
                decided.TrySetResult();
            }
            else if (state.Status is ConnectionStatus.Closed)
            {
                decided.TrySetException(state.Reason!);
            }
        }
    }

    /// <summary>Drops the connection and stays away until <see cref="ConnectAsync"/>. Subscriptions and what waits are kept.</summary>
    public void Disconnect() => _connection.Stop();

    /// <summary>Tries to connect now, for example because the user asks for it or the network has changed.</summary>
    public void RetryNow() => _connection.Wake();

    /// <summary>Subscribes to a topic. A client has one subscription per topic; another one replaces it.</summary>
    /// <param name="topic">The topic's name, <c>type:identifier</c>.</param>
    /// <param name="options">Where to start; from now on by default.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The events, once the server has accepted: nothing published after this is missed.</returns>
    /// <exception cref="RealtimeException">Refused or failed, with the server's code or <c>closed</c>.</exception>
    public async Task<TopicSubscription> SubscribeAsync(string topic, SubscribeOptions? options = null, CancellationToken cancellationToken = default)
    {
        Start();
        options ??= new SubscribeOptions();
        if (options is { Position: null, Positions: { } positions })
        {
            options = options with { Position = await positions.LoadAsync(topic, cancellationToken) };
        }

        var subscription = new TopicSubscription(this, topic, options);
        var joining = _joining.GetOrCreateValue(subscription);
        TopicSubscription? replaced = null;
        _subscriptions.AddOrUpdate(topic, subscription, (_, current) =>
        {
            replaced = current;
            return subscription;
        });
        replaced?.End(new RealtimeException(ClientErrors.Replaced));
        if (State is { Status: ConnectionStatus.Closed, Reason: { } reason })
        {
            EndOne(subscription, reason);
        }

        ((ISubscriptionOwner)this).Rejoin(subscription);
        try
        {
            if (await Task.WhenAny(joining.Accepted.Task, subscription.Ended).WaitAsync(cancellationToken) == subscription.Ended)
            {
                throw await subscription.Ended ?? new RealtimeException(ClientErrors.Closed);
            }
        }
        catch (OperationCanceledException)
        {
            await subscription.DisposeAsync();
            throw;
        }

        _ = Task.Run(subscription.RunAsync, CancellationToken.None);
        return subscription;
    }

    /// <summary>Publishes an event; while there is no connection it waits. Events of one topic are published in the order of these calls.</summary>
    /// <typeparam name="T">The payload's type.</typeparam>
    /// <param name="topic">The topic's name.</param>
    /// <param name="eventName">What happened, for example <c>chat:message</c>.</param>
    /// <param name="payload">Is written as JSON with camel case names.</param>
    /// <param name="id">The event's id; give the same one again to try again without a second event. Made here by default.</param>
    /// <param name="entityId">The thing the event is about.</param>
    /// <param name="queue">False: fails with <c>disconnected</c> where there is no connection now, as is right for what is worth nothing later.</param>
    /// <param name="cancellationToken">Stops waiting; the event may be published all the same.</param>
    /// <returns>Where the event is, once the server has stored it.</returns>
    /// <exception cref="RealtimeException">
    /// The server's code, or <c>outbox_full</c>, <c>outbox_expired</c>, <c>unknown</c>, <c>closed</c>.
    /// </exception>
    public Task<PublishReply> PublishAsync<T>(
        string topic, string eventName, T payload, string? id = null, string? entityId = null, bool queue = true, CancellationToken cancellationToken = default)
    {
        Start();
        if (!queue && _link is null)
        {
            return Task.FromException<PublishReply>(new RealtimeException(ErrorCode.Disconnected));
        }

        var request = new PublishRequest
        {
            Topic = topic,
            Event = eventName,
            Payload = JsonSerializer.SerializeToElement(payload, JsonSerializerOptions.Web),
            Id = id ?? Guid.CreateVersion7(_options.Time.GetUtcNow()).ToString(),
            EntityId = entityId,
        };
        return _outbox.AddAsync(request).WaitAsync(cancellationToken);
    }

    /// <summary>A page of a topic's past.</summary>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken = default) =>
        CallAsync(link => link.HistoryAsync(request, cancellationToken));

    /// <summary>Says that a consumer, a device of the user, has dealt with everything up to the position.</summary>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public Task AcknowledgeAsync(string topic, Position position, string consumer, CancellationToken cancellationToken = default) => CallAsync(async link =>
    {
        await link.AcknowledgeAsync(new AcknowledgeRequest { Topic = topic, Position = position, Consumer = consumer }, cancellationToken);
        return true;
    });

    /// <summary>Ends everything. What has no answer yet fails with <c>closed</c>.</summary>
    public async ValueTask DisposeAsync()
    {
        await _expiring.DisposeAsync();
        await _connection.DisposeAsync();
    }

    void IServerConnectionListener.Opened(ILink link)
    {
        _link = link;
        foreach (var (_, subscription) in _subscriptions)
        {
            if (!subscription.IsPaused)
            {
                Join(subscription);
            }
        }

        _outbox.Connect(link);
    }

    void IServerConnectionListener.Lost()
    {
        _link = null;
        _outbox.Connect(null);
    }

    void IServerConnectionListener.Changed(ConnectionState state) => StateChanged?.Invoke(state);

    void IServerConnectionListener.Ended(RealtimeException reason)
    {
        _outbox.Close(reason);
        foreach (var (_, subscription) in _subscriptions)
        {
            EndOne(subscription, reason);
        }
    }

    void ILinkListener.Events(TopicEvent[] events)
    {
        foreach (var arrived in events)
        {
            if (_subscriptions.TryGetValue(arrived.Topic, out var subscription))
            {
                subscription.Arrive(arrived);
            }
        }
    }

    void ILinkListener.Heard()
    {
    }

    void ILinkListener.Control(Control control)
    {
        if (control.Topic is null || !_subscriptions.TryGetValue(control.Topic, out var subscription))
        {
            return;
        }

        if (control.Type == Control.Unsubscribed)
        {
            var error = ErrorCode.Find(control.Code ?? ErrorCode.Forbidden.Code);
            EndOne(subscription, new RealtimeException(error, control.Reason ?? error.Sentence));
        }
        else
        {
            subscription.Obey(control);
        }
    }

    void ISubscriptionOwner.Rejoin(TopicSubscription subscription) => Join(subscription);

    void ISubscriptionOwner.Pause(TopicSubscription subscription) => _ = UnsubscribeAsync(subscription.Topic);

    void ISubscriptionOwner.Leave(TopicSubscription subscription)
    {
        if (_subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription)))
        {
            _ = UnsubscribeAsync(subscription.Topic);
        }
    }

    private void Start()
    {
        _outbox.Open();
        _connection.Start();
    }

    private async Task<T> CallAsync<T>(Func<ILink, Task<T>> call)
    {
        var link = _link ?? throw new RealtimeException(ErrorCode.Disconnected);
        try
        {
            return await call(link).WaitAsync(_options.AnswerTimeout, _options.Time);
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }

    private async Task UnsubscribeAsync(string topic)
    {
        try
        {
            await (_link?.UnsubscribeAsync(topic, CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (RealtimeException)
        {
            // Gone with its connection.
        }
    }

    private void Join(TopicSubscription subscription)
    {
        lock (_lock)
        {
            _joins.Add(subscription);
            if (_isJoining)
            {
                return;
            }

            _isJoining = true;
        }

        _ = Task.Run(JoinAllAsync);
    }

    /// <summary>One call at a time, for all that wait.</summary>
    private async Task JoinAllAsync()
    {
        while (true)
        {
            TopicSubscription[] some;
            ILink? link;
            lock (_lock)
            {
                link = _link;
                some = link is null ? [] : [.. _joins.Take(MaxJoinsAtOnce)];
                _joins.ExceptWith(some);
                if (some.Length == 0)
                {
                    _isJoining = false;
                    return;
                }
            }

            await JoinSomeAsync(link!, Array.FindAll(some, IsCurrent));
        }
    }

    private async Task JoinSomeAsync(ILink link, TopicSubscription[] some)
    {
        if (some.Length == 0)
        {
            return;
        }

        try
        {
            var outcomes = await CallAsync(_ => link.SubscribeAsync(Array.ConvertAll(some, static one => one.BeginJoin()), CancellationToken.None));
            foreach (var (one, outcome) in some.Zip(outcomes))
            {
                Joined(one, outcome);
            }
        }
        catch (RealtimeException exception)
        {
            foreach (var one in some)
            {
                if (!exception.Error.Retryable)
                {
                    EndOne(one, exception);
                }
                else if (_link == link)
                {
                    _ = JoinLaterAsync(one);
                }
            }
        }
    }

    private void Joined(TopicSubscription subscription, SubscribeOutcome outcome)
    {
        if (!IsCurrent(subscription))
        {
            return;
        }

        var joining = _joining.GetOrCreateValue(subscription);
        if (outcome.Reply is { } reply)
        {
            joining.Failed = 0;
            if (subscription.EndJoin(reply))
            {
                joining.Accepted.TrySetResult();
            }
            else
            {
                Join(subscription);
            }
        }
        else if (outcome.Error!.Retryable)
        {
            _ = JoinLaterAsync(subscription);
        }
        else
        {
            EndOne(subscription, new RealtimeException(ErrorCode.Find(outcome.Error.Code), outcome.Error.Message));
        }
    }

    private async Task JoinLaterAsync(TopicSubscription subscription)
    {
        await Task.Delay(_options.Reconnect.DelayAfter(_joining.GetOrCreateValue(subscription).Failed++), _options.Time);
        if (IsCurrent(subscription))
        {
            Join(subscription);
        }
    }

    private void EndOne(TopicSubscription subscription, RealtimeException error)
    {
        _subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription));
        subscription.End(error);
    }

    private bool IsCurrent(TopicSubscription subscription) =>
        _subscriptions.TryGetValue(subscription.Topic, out var current) && ReferenceEquals(current, subscription);

    /// <summary>How far a subscription's way to the server's acceptance is.</summary>
    private sealed class Joining
    {
        public TaskCompletionSource Accepted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Failed { get; set; }
    }
}
