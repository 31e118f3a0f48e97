using System.Diagnostics;
using System.Text.Json;
using RealtimeAspire.Client.Stores;
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
public sealed class RealtimeClient : IAsyncDisposable, IServerConnectionListener
{
    private static readonly TimeSpan ExpireInterval = TimeSpan.FromSeconds(10);

    private readonly RealtimeClientOptions _options;
    private readonly ServerConnection _connection;
    private readonly Outbox _outbox;
    private readonly ITimer _expiring;
    private readonly Subscriptions _subscriptions;
    private readonly Calls _calls;
    private readonly Receipts _receipts;

    private readonly OwnPresence _own = new();

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
    /// <exception cref="RealtimeException"><c>option_invalid</c>.</exception>
    public RealtimeClient(Uri server, RealtimeClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        _options = options ?? new RealtimeClientOptions();
        _options.Validate();
        if (server is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
        {
            throw new RealtimeException(ClientErrors.OptionInvalid, "The server's address begins with http:// or https://.");
        }

        _connection = new ServerConnection(server, _options, this);
        _outbox = new Outbox(_options);
        _subscriptions = new Subscriptions(_options);
        _calls = new Calls(_options);
        _receipts = new Receipts(_options, () => _link);
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

    /// <summary>Those publishes, the oldest first: also what an earlier run has left behind.</summary>
    public IReadOnlyList<OutboxItem> Pending => _outbox.Items;

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
        return await _subscriptions.AddAsync(topic, options ?? new SubscribeOptions(), cancellationToken);
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
    /// The server's code, or <c>outbox_full</c>, <c>outbox_expired</c>, <c>unknown</c>, <c>closed</c>; <c>payload_invalid</c> where it cannot be signed.
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
        try
        {
            request = request with { Signature = _options.Sign?.Invoke(request) };
        }
        catch (RealtimeException exception)
        {
            return Task.FromException<PublishReply>(exception);
        }

        var activity = ClientTracing.Start("publish", ActivityKind.Producer, topic, eventName);
        return activity.EndWith(_outbox.AddAsync(request with { TraceId = activity?.Id })).WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Calls a method that some client handles on the topic, <c>user:ada</c> for example for those of one user; one of them is asked, once.
    /// While there is no connection it waits, up to its time-out.
    /// </summary>
    /// <typeparam name="T">The answer's type.</typeparam>
    /// <param name="topic">The topic's name.</param>
    /// <param name="method">What is asked for.</param>
    /// <param name="payload">Is written as JSON with camel case names.</param>
    /// <param name="timeout">How long to wait for the answer, and for a connection before; 5 s by default, at most 60 s.</param>
    /// <param name="cancellationToken">Stops waiting; it may be done all the same.</param>
    /// <returns>The handler's answer.</returns>
    /// <exception cref="RealtimeException">
    /// The server's code, or the handler's. Without an answer (<c>call_timeout</c>, <c>handler_gone</c>, <c>disconnected</c>) it may have
    /// been done all the same.
    /// </exception>
    public async Task<T?> CallAsync<T>(string topic, string method, object? payload = null, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        Start();
        var answer = await _calls.CallAsync(topic, method, JsonSerializer.SerializeToElement(payload, JsonSerializerOptions.Web), timeout ?? Calls.DefaultTimeout, cancellationToken);
        return answer.Deserialize<T>(JsonSerializerOptions.Web);
    }

    /// <summary>
    /// Handles calls of a method, across reconnects; over a WebSocket only. A client has one handler for each method of a topic; another
    /// one replaces it.
    /// </summary>
    /// <param name="topic">The topic's name.</param>
    /// <param name="method">The method.</param>
    /// <param name="handler">
    /// Answers with what it returns, as JSON with camel case names. Where it throws, the call fails with <c>call_failed</c>; with a code of
    /// the application where it throws a <see cref="RealtimeException"/> whose code begins with <c>app_</c>.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What ends it, once the server has accepted.</returns>
    /// <exception cref="RealtimeException">Refused, with the server's code or <c>closed</c>.</exception>
    public Task<CallHandling> HandleAsync(string topic, string method, Func<IncomingCall, Task<object?>> handler, CancellationToken cancellationToken = default)
    {
        Start();
        return _calls.HandleAsync(topic, method, handler, cancellationToken);
    }

    /// <summary>A page of a topic's past.</summary>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken = default) =>
        AskAsync(link => link.HistoryAsync(request, cancellationToken));

    /// <summary>Says that a consumer, a device of the user, has dealt with everything up to the position.</summary>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public Task AcknowledgeAsync(string topic, Position position, string consumer, CancellationToken cancellationToken = default) => AskAsync(async link =>
    {
        await link.AcknowledgeAsync(new AcknowledgeRequest { Topic = topic, Position = position, Consumer = consumer }, cancellationToken);
        return true;
    });

    /// <summary>Says how the user is, on all topics and devices, and what there is to say of this connection. What is null stays as it is.</summary>
    /// <param name="presence">What there is to say. <c>Active</c> and <c>Data</c> are of this connection, over a WebSocket only, and said again by the client when it comes back.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public async Task SetPresenceAsync(PresenceRequest presence, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(presence);
        await AskAsync(async link =>
        {
            await link.SetPresenceAsync(presence, cancellationToken);
            return true;
        });
        _own.Said(presence);
    }

    /// <summary>A page of who is on a topic, by name.</summary>
    /// <exception cref="RealtimeException">The server's code or <c>disconnected</c>.</exception>
    public Task<PresencePage> ListPresenceAsync(PresencePageRequest request, CancellationToken cancellationToken = default) =>
        AskAsync(link => link.ListPresenceAsync(request, cancellationToken));

    /// <summary>Ends everything. What has no answer yet fails with <c>closed</c>.</summary>
    public async ValueTask DisposeAsync()
    {
        await _expiring.DisposeAsync();
        await _receipts.DisposeAsync();
        await _connection.DisposeAsync();
    }

    void IServerConnectionListener.Opened(ILink link)
    {
        _link = link;
        _subscriptions.Connect(link);
        _outbox.Connect(link);
        _calls.Connect(link);
        _ = _own.SayAgainAsync(link);
    }

    void IServerConnectionListener.Lost()
    {
        _link = null;
        _subscriptions.Connect(null);
        _outbox.Connect(null);
        _calls.Connect(null);
    }

    void IServerConnectionListener.Changed(ConnectionState state)
    {
        foreach (var listener in StateChanged?.GetInvocationList() ?? [])
        {
            Application.Tell(() => ((Action<ConnectionState>)listener)(state));
        }
    }

    void IServerConnectionListener.Ended(RealtimeException reason)
    {
        _outbox.Close(reason);
        _calls.Close(reason);
        _subscriptions.Close(reason);
    }

    void IServerListener.Events(TopicEvent[] events)
    {
        _receipts.Arrived(events);
        _subscriptions.Arrive(events);
    }

    void IServerListener.Control(Control control) => _subscriptions.Obey(control);

    void IServerListener.Request(IncomingCall call) => _ = _calls.AnswerAsync(call);

    private void Start()
    {
        _outbox.Open();
        _connection.Start();
    }

    private async Task<T> AskAsync<T>(Func<ILink, Task<T>> ask)
    {
        var link = _link ?? throw new RealtimeException(ErrorCode.Disconnected);
        try
        {
            return await ask(link).WaitAsync(_options.AnswerTimeout, _options.Time);
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }
}
