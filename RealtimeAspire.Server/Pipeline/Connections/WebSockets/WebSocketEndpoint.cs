using System.Buffers;
using System.Buffers.Text;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>
/// A hub's endpoint: takes the upgrade by itself, and gives SignalR's hub handler a connection that is frames on a socket.
/// Clients see what they would see of <c>MapHub</c> with WebSockets alone.
/// </summary>
internal sealed class WebSocketEndpoint(Heartbeat heartbeat, IOptions<RealtimeOptions> options, TimeProvider time)
{
    private const string KeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private const int IdBytes = 16;

    // SignalR limits its messages by itself, and answers by name what is a little too long. This is for those who send no end.
    private const int MessagesPerFrame = 16;

    private readonly bool _mayBeDirect = options.Value.Connections.Sockets is SocketMode.Direct;
    private readonly long _maxMessageBytes = options.Value.Limits.HubMessageBytes * MessagesPerFrame;

    public void Map<THub>(IEndpointRouteBuilder endpoints, string path)
        where THub : Hub
    {
        var hub = endpoints.ServiceProvider.GetRequiredService<HubConnectionHandler<THub>>();
        endpoints.MapMethods(path, [HttpMethods.Get, HttpMethods.Connect], context => UpgradeAsync(context, hub)).RequireAuthorization().ExcludeFromDescription();
        endpoints.MapPost($"{path}/negotiate", Negotiate).RequireAuthorization().ExcludeFromDescription();
    }

    private async Task UpgradeAsync(HttpContext context, ConnectionHandler hub)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await Problems.From(ErrorCode.RequestInvalid, "This is a WebSocket endpoint, for SignalR clients.").ExecuteAsync(context);
            return;
        }

        var (user, socket, wantsNumbers) = (context.User, SocketOf(context), context.Request.Query["topics"] == "numbers");
        var stream = await AcceptAsync(context);
        if (Handover.Of(context) is { } handover)
        {
            handover.Take(connection => RunAsync(new SocketConnection(user, connection, socket, _maxMessageBytes, time) { WantsNumbers = wantsNumbers }, hub));
        }
        else
        {
            await RunAsync(new SocketConnection(context, stream, socket, _maxMessageBytes, time) { WantsNumbers = wantsNumbers }, hub);
        }
    }

    private async Task RunAsync(SocketConnection connection, ConnectionHandler hub)
    {
        heartbeat.Add(connection);
        try
        {
            var receiving = connection.ReceiveAsync();
            await hub.OnConnectedAsync(connection);
            await connection.CloseAsync(receiving);
        }
        finally
        {
            heartbeat.Remove(connection);
        }
    }

    /// <summary>Says that there are WebSockets. Nothing is kept for the id: the client may connect to any node.</summary>
    private static Task Negotiate(HttpContext context)
    {
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        var version = int.TryParse(context.Request.Query["negotiateVersion"], out var asked) && asked > 0 ? 1 : 0;
        var response = new NegotiationResponse
        {
            Version = version,
            ConnectionId = id,
            ConnectionToken = version > 0 ? id : null,
            AvailableTransports = [new AvailableTransport { Transport = nameof(HttpTransportType.WebSockets), TransferFormats = ["Text", "Binary"] }],
        };
        var body = new ArrayBufferWriter<byte>();
        NegotiateProtocol.WriteResponse(response, body);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.WrittenCount;
        return context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted).AsTask();
    }

    /// <summary>As RFC 6455 has it over HTTP/1.1, and RFC 8441 over HTTP/2.</summary>
    private static async ValueTask<Stream> AcceptAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            return await connect.AcceptAsync();
        }

        var headers = context.Response.Headers;
        headers.Connection = "Upgrade";
        headers.Upgrade = "websocket";
        headers.SecWebSocketAccept = AcceptOf(context.Request.Headers.SecWebSocketKey.ToString());
        return await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
    }

    /// <summary>The socket, where nothing sits between it and the connection.</summary>
    private Socket? SocketOf(HttpContext context) =>
        _mayBeDirect && OperatingSystem.IsLinux() && HttpProtocol.IsHttp11(context.Request.Protocol) && Handover.IsBare(context)
            ? context.Features.Get<IConnectionSocketFeature>()?.Socket
            : null;

    // The protocol says so; it is no secret.
#pragma warning disable CA5350
    private static string AcceptOf(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + KeySuffix)));
#pragma warning restore CA5350
}
