using Microsoft.AspNetCore.Http;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Http;

/// <summary>Sends hub connections that come to a node that leaves to another one. Streams and polls refuse by themselves.</summary>
internal sealed class DrainGate(RequestDelegate next, Drain drain)
{
    public Task InvokeAsync(HttpContext context) =>
        context.WebSockets.IsWebSocketRequest && drain.Draining.IsCancellationRequested ? Drain.RefuseAsync(context) : next(context);
}
