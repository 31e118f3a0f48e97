using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Http;

/// <summary>Marks an endpoint whose requests last: a node that leaves takes no new ones.</summary>
internal sealed class LastingRequest
{
    public static readonly LastingRequest Instance = new();
}

/// <summary>Sends connections that come to a node that leaves to another one.</summary>
internal sealed class DrainGate(RequestDelegate next, Drain drain)
{
    public Task InvokeAsync(HttpContext context)
    {
        var lasts = context.WebSockets.IsWebSocketRequest || context.GetEndpoint()?.Metadata.GetMetadata<LastingRequest>() is not null;
        return lasts && drain.Draining.IsCancellationRequested ? Drain.RefuseAsync(context) : next(context);
    }
}
