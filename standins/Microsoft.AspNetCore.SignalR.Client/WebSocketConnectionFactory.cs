using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Http.Connections.Client.Internal;

/// <summary>Opens the one transport there is.</summary>
internal sealed class WebSocketConnectionFactory(IOptions<HttpConnectionOptions> options, IHubProtocol protocol, IServiceProvider services) : IConnectionFactory
{
    // HubConnection's own handshake time-out starts only when the WebSocket is open.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);

    private readonly TimeProvider _time = services.GetService<TimeProvider>() ?? TimeProvider.System;

    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endPoint, CancellationToken cancellationToken = default)
    {
        var settings = options.Value;
        RequireWebSockets(settings);

        var socket = new ClientWebSocket();
        try
        {
            await ConfigureAsync(socket.Options, settings);
            await OpenAsync(socket, ToWebSocketUri(((UriEndPoint)endPoint).Uri), cancellationToken);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        var messageType = protocol.TransferFormat == TransferFormat.Binary ? WebSocketMessageType.Binary : WebSocketMessageType.Text;
        return new WebSocketConnection(socket, messageType, settings.CloseTimeout, _time, endPoint);
    }

    private static void RequireWebSockets(HttpConnectionOptions settings)
    {
        if (!settings.Transports.HasFlag(HttpTransportType.WebSockets))
            throw new NotSupportedException($"This SignalR client speaks WebSockets only; HttpConnectionOptions.Transports demands {settings.Transports}.");
        if (settings.SkipNegotiation && settings.Transports != HttpTransportType.WebSockets)
            throw new InvalidOperationException("SkipNegotiation needs Transports = HttpTransportType.WebSockets, because other transports are negotiated.");
    }

    private static async Task ConfigureAsync(ClientWebSocketOptions socket, HttpConnectionOptions settings)
    {
        // Cookie authentication then answers 401 instead of a redirect to its login page.
        socket.SetRequestHeader("X-Requested-With", "XMLHttpRequest");
        foreach (var (name, value) in settings.Headers)
            socket.SetRequestHeader(name, value);

        socket.CollectHttpResponseDetails = true;
        settings.WebSocketConfiguration?.Invoke(socket);

        // A header and not the query string, which ends up in access logs.
        if (settings.AccessTokenProvider is { } provider && await provider() is { Length: > 0 } token)
            socket.SetRequestHeader("Authorization", $"Bearer {token}");
    }

    private async Task OpenAsync(ClientWebSocket socket, Uri uri, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(ConnectTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await socket.ConnectAsync(uri, either.Token);
        }
        catch (OperationCanceledException exception) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{uri.Authority} did not open the WebSocket within {ConnectTimeout.TotalSeconds:0} s.", exception);
        }
        catch (WebSocketException exception) when ((int)socket.HttpStatusCode > 0)
        {
            throw new HttpRequestException($"{uri.Authority} refused the WebSocket: {(int)socket.HttpStatusCode}.", exception, socket.HttpStatusCode);
        }
    }

    private static Uri ToWebSocketUri(Uri uri) =>
        new UriBuilder(uri) { Scheme = uri.Scheme switch { "http" => "ws", "https" => "wss", var other => other } }.Uri;
}
