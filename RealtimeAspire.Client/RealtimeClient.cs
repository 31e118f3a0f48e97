using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>A connection to the server that comes back by itself and misses nothing.</summary>
/// <example>
/// <code>
/// await using var client = new RealtimeClient(new Uri("http://localhost:5200"), () => Task.FromResult&lt;string?&gt;(token));
/// await client.ConnectAsync();
/// await using var room = await client.SubscribeAsync("room:general");
/// await client.PublishAsync("room:general", "chat:message", new { text = "hi" });
/// await foreach (var e in room) { … }
/// </code>
/// </example>
public sealed class RealtimeClient : IAsyncDisposable
{
    private readonly HubConnection _connection;
    private readonly TimeProvider _time;
    private readonly Backoff _backoff = new();
    private readonly ConcurrentDictionary<string, TopicSubscription> _subscriptions = new(StringComparer.Ordinal);
    private readonly Channel<TopicSubscription> _rejoins = Channel.CreateUnbounded<TopicSubscription>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _disposed = new();
    private Task? _rejoining;
    private bool _isDisposed;

    /// <summary>Makes a client; it connects with <see cref="ConnectAsync"/>.</summary>
    /// <param name="server">The server's address; the hub is at <c>/realtime</c> below it.</param>
    /// <param name="tokenProvider">Asked for a token at each connect, also when it comes back.</param>
    /// <param name="time">The clock; the system's by default.</param>
    public RealtimeClient(Uri server, Func<Task<string?>> tokenProvider, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        _time = time ?? TimeProvider.System;
        _connection = new HubConnectionBuilder()
            .WithUrl(new Uri($"{server.ToString().TrimEnd('/')}/realtime"), options =>
            {
                options.AccessTokenProvider = tokenProvider;
                options.Transports = HttpTransportType.WebSockets;
                options.SkipNegotiation = true;
            })
            .AddJsonProtocol(options => RealtimeJson.Configure(options.PayloadSerializerOptions))
            .WithAutomaticReconnect(_backoff)
            .Build();
        _connection.On<TopicEvent[]>(nameof(IRealtimeClient.Events), Arrive);
        _connection.On<Control>(nameof(IRealtimeClient.Control), Obey);
        _connection.Reconnected += Return;
        _connection.Closed += End;
    }

    /// <summary>Whether the connection is up now.</summary>
    public bool IsConnected => _connection.State == HubConnectionState.Connected;

    /// <summary>Connects. Once connected, the client comes back by itself.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HttpRequestException">The server cannot be reached, or refuses the token.</exception>
    public async Task ConnectAsync(CancellationToken cancellationToken = default)
    {
        await _connection.StartAsync(cancellationToken);
        _rejoining ??= Task.Run(RejoinAsync, CancellationToken.None);
    }

    /// <summary>Subscribes to a topic. A client has one subscription per topic; another one replaces it.</summary>
    /// <param name="topic">The topic's name, <c>type:identifier</c>.</param>
    /// <param name="options">Where to start; from now on by default.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The events, once the server has confirmed: nothing published after this is missed.</returns>
    /// <exception cref="RealtimeException">Refused or failed, with the server's code or <c>disconnected</c>.</exception>
    public async Task<TopicSubscription> SubscribeAsync(string topic, SubscribeOptions? options = null, CancellationToken cancellationToken = default)
    {
        var subscription = new TopicSubscription(this, topic, options ?? new SubscribeOptions());
        TopicSubscription? replaced = null;
        _subscriptions.AddOrUpdate(topic, subscription, (_, current) =>
        {
            replaced = current;
            return subscription;
        });
        replaced?.Fail(new OperationCanceledException("Another subscription to the topic has replaced this one."));
        try
        {
            await JoinAsync(subscription, cancellationToken);
            return subscription;
        }
        catch
        {
            _subscriptions.TryRemove(KeyValuePair.Create(topic, subscription));
            throw;
        }
    }

    /// <summary>Publishes an event.</summary>
    /// <typeparam name="T">The payload's type.</typeparam>
    /// <param name="topic">The topic's name.</param>
    /// <param name="eventName">What happened, for example <c>chat:message</c>.</param>
    /// <param name="payload">Is written as JSON with camel case names.</param>
    /// <param name="id">The event's id; give the same one again to try again without a second event. Made here by default.</param>
    /// <param name="entityId">The thing the event is about.</param>
    /// <param name="cancellationToken">Stops waiting; the event may be published all the same.</param>
    /// <returns>Where the event is.</returns>
    /// <exception cref="RealtimeException">Refused or failed, with the server's code or <c>disconnected</c>.</exception>
    public Task<PublishReply> PublishAsync<T>(
        string topic, string eventName, T payload, string? id = null, string? entityId = null, CancellationToken cancellationToken = default)
    {
        var request = new PublishRequest
        {
            Topic = topic,
            Event = eventName,
            Payload = JsonSerializer.SerializeToElement(payload, JsonSerializerOptions.Web),
            Id = id ?? Guid.CreateVersion7(_time.GetUtcNow()).ToString(),
            EntityId = entityId,
        };
        return InvokeAsync<PublishReply>("Publish", request, cancellationToken);
    }

    /// <summary>Disconnects; subscriptions end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        await _disposed.CancelAsync();
        await _connection.DisposeAsync();
        await (_rejoining ?? Task.CompletedTask);
        foreach (var (_, subscription) in _subscriptions)
        {
            subscription.Fail(new OperationCanceledException("The client was disposed."));
        }

        _disposed.Dispose();
    }

    internal async Task LeaveAsync(TopicSubscription subscription)
    {
        if (_subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription)) && IsConnected)
        {
            try
            {
                await InvokeAsync<object?>("Unsubscribe", subscription.Topic, CancellationToken.None);
            }
            catch (RealtimeException exception) when (exception.Error == ErrorCode.Disconnected)
            {
                // Left all the same.
            }
        }
    }

    private async Task JoinAsync(TopicSubscription subscription, CancellationToken cancellationToken)
    {
        bool complete;
        SubscribeReply reply;
        do
        {
            reply = await InvokeAsync<SubscribeReply>("Subscribe", subscription.BeginJoin(), cancellationToken);
            complete = subscription.EndJoin(reply);
        }
        while (reply.More || !complete);
    }

    /// <summary>Joins again what has a hole, was reset, or came back. One at a time, so a join never overtakes another.</summary>
    private async Task RejoinAsync()
    {
        try
        {
            await foreach (var subscription in _rejoins.Reader.ReadAllAsync(_disposed.Token))
            {
                await RejoinAsync(subscription);
            }
        }
        catch (OperationCanceledException) when (_disposed.IsCancellationRequested)
        {
            // The client is done.
        }
    }

    private async Task RejoinAsync(TopicSubscription subscription)
    {
        for (var tries = 0; IsCurrent(subscription); tries++)
        {
            try
            {
                await JoinAsync(subscription, _disposed.Token);
                return;
            }
            catch (RealtimeException exception) when (exception.Error == ErrorCode.Disconnected)
            {
                // The connection's return brings every subscription here again.
                return;
            }
            catch (RealtimeException exception) when (exception.Error.Retryable)
            {
                await Task.Delay(_backoff.DelayAfter(tries), _time, _disposed.Token);
            }
            // Refused, or a fault in a reply or in the application's OnLost: it ends this subscription, and not the others.
#pragma warning disable CA1031
            catch (Exception exception) when (!_disposed.IsCancellationRequested)
#pragma warning restore CA1031
            {
                _subscriptions.TryRemove(KeyValuePair.Create(subscription.Topic, subscription));
                subscription.Fail(exception);
                return;
            }
        }
    }

    private bool IsCurrent(TopicSubscription subscription) =>
        _subscriptions.TryGetValue(subscription.Topic, out var current) && ReferenceEquals(current, subscription);

    private void Arrive(TopicEvent[] events)
    {
        foreach (var arrived in events)
        {
            if (_subscriptions.TryGetValue(arrived.Topic, out var subscription) && !subscription.Arrive(arrived))
            {
                Rejoin(subscription);
            }
        }
    }

    private void Obey(Control control)
    {
        if (control.Type == Protocol.Control.Reset && control.Topic is { } topic && _subscriptions.TryGetValue(topic, out var subscription))
        {
            Rejoin(subscription);
        }
    }

    private void Rejoin(TopicSubscription subscription)
    {
        // What arrives until the reply waits for it.
        subscription.BeginJoin();
        _rejoins.Writer.TryWrite(subscription);
    }

    private Task Return(string? connectionId)
    {
        foreach (var (_, subscription) in _subscriptions)
        {
            Rejoin(subscription);
        }

        return Task.CompletedTask;
    }

    /// <summary>The connection does not come back: the server has refused it, or the client was disposed.</summary>
    private Task End(Exception? error)
    {
        var reason = error is HubException refused
            ? ToRealtime(refused, ErrorCode.Disconnected)
            : new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, error);
        foreach (var (topic, subscription) in _subscriptions)
        {
            _subscriptions.TryRemove(KeyValuePair.Create(topic, subscription));
            subscription.Fail(reason);
        }

        return Task.CompletedTask;
    }

    private async Task<T> InvokeAsync<T>(string method, object argument, CancellationToken cancellationToken)
    {
        try
        {
            return await _connection.InvokeAsync<T>(method, argument, cancellationToken);
        }
        catch (HubException exception)
        {
            throw ToRealtime(exception, ErrorCode.Internal);
        }
        catch (Exception exception) when (
            exception is InvalidOperationException or IOException or WebSocketException or HttpRequestException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Not connected, or lost while it was under way.
            throw new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
    }

    /// <summary>SignalR puts its own words before the server's <c>code: sentence</c>.</summary>
    private static RealtimeException ToRealtime(HubException exception, ErrorCode without)
    {
        var parts = exception.Message.Split(": ");
        for (var i = 0; i < parts.Length - 1; i++)
        {
            if (ErrorCode.TryFind(parts[i], out var error))
            {
                return new RealtimeException(error, string.Join(": ", parts[(i + 1)..]), exception);
            }
        }

        return FromNewerServer(exception) ?? new RealtimeException(without, exception.Message, exception);
    }

    /// <summary>A code that this release does not know still stands behind SignalR's last words.</summary>
    private static RealtimeException? FromNewerServer(HubException exception)
    {
        const string Marker = "HubException: ";
        var start = exception.Message.LastIndexOf(Marker, StringComparison.Ordinal);
        return start >= 0 && exception.Message[(start + Marker.Length)..].Split(": ", 2) is [var code, var sentence]
            ? new RealtimeException(ErrorCode.Find(code), sentence, exception)
            : null;
    }
}
