using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>
/// Lets a request that has been answered give away the connection that it came on. All that HTTP keeps for a connection, and all that
/// the application keeps for a request, is then free, though the connection lives on.
/// </summary>
internal sealed class Handover : IConnectionHeartbeatFeature
{
    private readonly ConnectionContext _connection;
    private readonly IConnectionHeartbeatFeature? _heartbeat;
    private Action? _beat;
    private Func<ConnectionContext, Task>? _taker;

    private Handover(ConnectionContext connection)
    {
        (_connection, _heartbeat) = (connection, connection.Features.Get<IConnectionHeartbeatFeature>());
        connection.Features.Set(this);
        // Kestrel's connection would keep its HTTP for ever, and have it time out.
        connection.Features.Set<IConnectionHeartbeatFeature>(this);
    }

    /// <summary>To be used below everything else: what comes between this and HTTP keeps connections from being given away.</summary>
    public static void Use(IConnectionBuilder connections) => connections.Use(next => connection => RunAsync(new Handover(connection), next));

    /// <summary>Null: the request's connection cannot be given away, because something sits between, such as TLS, or it has other requests.</summary>
    public static Handover? Of(HttpContext context) =>
        HttpProtocol.IsHttp11(context.Request.Protocol)
        && context.Features.Get<Handover>() is { } handover
        && IsBare(context)
        && context.Features.Get<IConnectionTransportFeature>()?.Transport == handover._connection.Transport
            ? handover
            : null;

    /// <summary>
    /// Whether nothing sits between a request's connection and its socket: no TLS, and no middleware of connections, which would
    /// have put another transport in the place of the sockets' own.
    /// </summary>
    public static bool IsBare(HttpContext context) =>
        context.Features.Get<ITlsHandshakeFeature>() is null
        && context.Features.Get<IConnectionTransportFeature>()?.Transport.GetType().Assembly == typeof(SocketTransportOptions).Assembly;

    /// <summary>Called with the connection as soon as the request has ended, which has to be one that upgraded; the connection lasts as long as this.</summary>
    public void Take(Func<ConnectionContext, Task> taker) => _taker = taker;

    public void OnHeartbeat(Action<object> action, object state)
    {
        if (_beat is null)
        {
            _heartbeat?.OnHeartbeat(static handover => ((Handover)handover)._beat?.Invoke(), this);
        }

        _beat += () => action(state);
    }

    private static async Task RunAsync(Handover handover, ConnectionDelegate next)
    {
        await next(handover._connection);
        handover._beat = null;
        if (handover._taker is { } taker)
        {
            handover._taker = null;
            await taker(handover._connection);
        }
    }
}
