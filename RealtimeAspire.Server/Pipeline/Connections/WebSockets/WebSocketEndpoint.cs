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
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>
/// A hub's endpoint: takes the upgrade by itself, and gives SignalR's hub handler a connection that is frames on a socket.
/// Clients see what they would see of <c>MapHub</c> with WebSockets alone.
/// </summary>
internal sealed class WebSocketEndpoint(Heartbeat heartbeat, IOptions<RealtimeOptions> options, TimeProvider time)
{
    private const string KeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private const int IdBytes = 16;

    // SignalR limits its messages by itself, and answers by name what is a little too long. This is for those who send no end:
    // the official JavaScript client puts all that it is told to send at once into one frame.
    private const int MessagesPerFrame = 1_024;

    private readonly bool _mayBeDirect = options.Value.Connections.Sockets is SocketMode.Direct;

    public void Map<THub>(IEndpointRouteBuilder endpoints, string path)
        where THub : Hub
    {
        var hub = endpoints.ServiceProvider.GetRequiredService<HubConnectionHandler<THub>>();
        var hubOptions = endpoints.ServiceProvider.GetRequiredService<IOptions<HubOptions<THub>>>().Value;
        var maxFrameBytes = hubOptions.MaximumReceiveMessageSize is { } max and < long.MaxValue / MessagesPerFrame ? max * MessagesPerFrame : long.MaxValue;
        endpoints.MapMethods(path, [HttpMethods.Get, HttpMethods.Connect], context => UpgradeAsync(context, hub, maxFrameBytes)).RequireAuthorization().ExcludeFromDescription();
        endpoints.MapPost($"{path}/negotiate", Negotiate).RequireAuthorization().ExcludeFromDescription();
    }

    private async Task UpgradeAsync(HttpContext context, ConnectionHandler hub, long maxFrameBytes)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await Problems.From(ErrorCode.RequestInvalid, "This is a WebSocket endpoint, for SignalR clients.").ExecuteAsync(context);
            return;
        }

        var (user, socket, query) = (context.User, SocketOf(context), context.Request.Query);
        var (token, wantsNumbers, origin) = (query["id"].ToString(), query["topics"] == "numbers", ClientOrigin.Of(context));
        var stream = await AcceptAsync(context);
        if (Handover.Of(context) is { } handover)
        {
            handover.Take(connection => RunAsync(Named(new SocketConnection(user, connection, socket, maxFrameBytes, time) { WantsNumbers = wantsNumbers }), hub));
        }
        else
        {
            await RunAsync(Named(new SocketConnection(context, stream, socket, maxFrameBytes, time) { WantsNumbers = wantsNumbers }), hub);
        }

        SocketConnection Named(SocketConnection connection)
        {
            connection.ConnectionId = token.Length > 0 ? IdOf(token) : connection.ConnectionId;
            connection.Features.Set(origin);
            return connection;
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

    /// <summary>Says that there are WebSockets. Nothing is kept for the token: the client may connect to any node.</summary>
    private static Task Negotiate(HttpContext context)
    {
        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        var version = int.TryParse(context.Request.Query["negotiateVersion"], out var asked) && asked > 0 ? 1 : 0;
        var response = new NegotiationResponse
        {
            Version = version,
            // Before there were tokens the client came back with its id.
            ConnectionId = version > 0 ? IdOf(token) : token,
            ConnectionToken = version > 0 ? token : null,
            AvailableTransports = [new AvailableTransport { Transport = nameof(HttpTransportType.WebSockets), TransferFormats = ["Text", "Binary"] }],
        };
        var body = new ArrayBufferWriter<byte>();
        NegotiateProtocol.WriteResponse(response, body);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.WrittenCount;
        return context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted).AsTask();
    }

    /// <summary>
    /// A connection's id, which others may know, of its token, which they may not: every node finds the same, and no client can
    /// take the id of another.
    /// </summary>
    /// <param name="token">Untrusted: anything.</param>
    private static string IdOf(string token) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(token)).AsSpan(0, IdBytes));

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
