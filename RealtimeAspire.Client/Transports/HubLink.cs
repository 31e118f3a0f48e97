using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>The WebSocket transport: SignalR's hub, without its reconnecting.</summary>
internal sealed class HubLink : IHandlingLink
{
    private readonly HubConnection _hub;
    private readonly TaskCompletionSource<RealtimeException?> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HubLink(HubConnection hub)
    {
        _hub = hub;
        hub.Closed += error =>
        {
            _closed.TrySetResult(error is HubException refused ? ToRealtime(refused, ErrorCode.Disconnected) : null);
            return Task.CompletedTask;
        };
    }

    public Transport Transport => Transport.WebSocket;

    public Task<RealtimeException?> Closed => _closed.Task;

    /// <exception cref="RealtimeException"><c>disconnected</c>.</exception>
    public static async Task<HubLink> OpenAsync(Uri server, RealtimeClientOptions options, string? token, ILinkListener listener, CancellationToken cancellationToken)
    {
        var hub = new HubConnectionBuilder()
            .WithUrl(new Uri($"{server.ToString().TrimEnd('/')}/realtime"), connection =>
            {
                connection.AccessTokenProvider = () => Task.FromResult(token);
                connection.Transports = HttpTransportType.WebSockets;
                connection.SkipNegotiation = true;
            })
            .AddJsonProtocol(json => RealtimeJson.Configure(json.PayloadSerializerOptions))
            // Whether the server lives is asked by whoever has opened this.
            .WithServerTimeout((2 * options.Silence) + TimeSpan.FromMinutes(1))
            .WithKeepAliveInterval(options.Heartbeat)
            .Build();
        hub.On<TopicEvent[]>(nameof(IRealtimeClient.Events), listener.Events);
        hub.On<Control>(nameof(IRealtimeClient.Control), listener.Control);
        hub.On<IncomingCall>(nameof(IRealtimeClient.Request), listener.Request);
        var link = new HubLink(hub);
        try
        {
            await hub.StartAsync(cancellationToken);
            return link;
        }
        catch (Exception exception)
        {
            await hub.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
            throw Disconnected(exception);
        }
    }

    public Task<SubscribeOutcome[]> SubscribeAsync(SubscribeRequest[] requests, CancellationToken cancellationToken) =>
        InvokeAsync<SubscribeOutcome[]>("SubscribeMany", requests, cancellationToken);

    public Task UnsubscribeAsync(string topic, CancellationToken cancellationToken) => InvokeAsync<object?>("Unsubscribe", topic, cancellationToken);

    public async Task<PublishOutcome[]> PublishAsync(PublishRequest[] requests, CancellationToken cancellationToken)
    {
        try
        {
            return await InvokeAsync<PublishOutcome[]>("PublishBatch", requests, cancellationToken);
        }
        // This farewell is an answer: the server has not read what it closes the connection for.
        catch (RealtimeException exception) when (exception.InnerException is HubException farewell && ToRealtime(farewell, ErrorCode.Disconnected).Error == ErrorCode.PayloadTooLarge)
        {
            throw new RealtimeException(ErrorCode.PayloadTooLarge, ErrorCode.PayloadTooLarge.Sentence, exception);
        }
    }

    public Task<HistoryReply> HistoryAsync(HistoryRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<HistoryReply>("History", request, cancellationToken);

    public Task AcknowledgeAsync(AcknowledgeRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<object?>("Acknowledge", request, cancellationToken);

    public Task SetPresenceAsync(PresenceRequest request, CancellationToken cancellationToken) => InvokeAsync<object?>("SetPresence", request, cancellationToken);

    public Task<PresencePage> ListPresenceAsync(PresencePageRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<PresencePage>("ListPresence", request, cancellationToken);

    public Task<JsonElement> CallAsync(CallRequest request, CancellationToken cancellationToken) => InvokeAsync<JsonElement>("Call", request, cancellationToken);

    public Task HandleAsync(HandleRequest request, CancellationToken cancellationToken) => InvokeAsync<object?>("Handle", request, cancellationToken);

    public Task UnhandleAsync(HandleRequest request, CancellationToken cancellationToken) => InvokeAsync<object?>("Unhandle", request, cancellationToken);

    public Task ReplyAsync(ReplyRequest request, CancellationToken cancellationToken) => InvokeAsync<object?>("Reply", request, cancellationToken);

    public Task ReceiptsAsync(Receipt[] receipts, CancellationToken cancellationToken) => InvokeAsync<object?>("Receipts", receipts, cancellationToken);

    public Task RefreshAsync(string token, CancellationToken cancellationToken) => InvokeAsync<RefreshReply>("Refresh", token, cancellationToken);

    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await UnsubscribeAsync("probe:probe", cancellationToken);
        }
        catch (RealtimeException exception) when (exception.Error != ErrorCode.Disconnected)
        {
            // Any answer will do, also a refusal.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _hub.DisposeAsync();
        _closed.TrySetResult(null);
    }

    private async Task<T> InvokeAsync<T>(string method, object argument, CancellationToken cancellationToken)
    {
        try
        {
            return await _hub.InvokeAsync<T>(method, argument, cancellationToken);
        }
        catch (HubException exception) when (!IsFarewell(exception))
        {
            throw ToRealtime(exception, ErrorCode.Internal);
        }
        catch (Exception exception) when (
            exception is HubException or InvalidOperationException or IOException or WebSocketException or HttpRequestException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Not connected, or lost while it was under way.
            throw Disconnected(exception);
        }
    }

    private static RealtimeException Disconnected(Exception exception) => new(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);

    /// <summary>
    /// Whether the server has closed the connection. SignalR ends with its reason the calls that are under way too: that is no
    /// answer to them, and what they asked for may have been done.
    /// </summary>
    private static bool IsFarewell(HubException exception) =>
        exception.Message.StartsWith("The server closed the connection with the following error: ", StringComparison.Ordinal);

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
