using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Tenants;

namespace RealtimeAspire.Server.Http;

/// <summary>What a request needs that subscribes: a handler's parameters.</summary>
internal sealed record HttpConnections(
    [FromServices] ConnectionFactory Connections,
    [FromServices] SubscribePath Path,
    [FromServices] Drain Drain,
    [FromServices] TenantRegistry Tenants,
    [FromServices] TimeProvider Time)
{
    /// <summary>A connection that ends with the request's token; its owner disposes it with the request.</summary>
    /// <exception cref="RealtimeException"><c>draining</c>, <c>too_many_connections</c>, <c>tenant_suspended</c>, <c>tenant_unknown</c>.</exception>
    public async Task<Connection> OpenAsync(HttpContext context, IConnectionTransport transport)
    {
        var connection = Connections.Open(Caller.From(context.User), transport, ClientOrigin.Of(context));
        // Looked at only now: a node that begins to leave after this knows the connection, and asks it to move.
        if ((Drain.Draining.IsCancellationRequested ? ErrorCode.Draining : Tenants.RefusalOf(connection.Caller.Tenant)) is { } refusal)
        {
            await connection.DisposeAsync();
            throw new RealtimeException(refusal);
        }

        if (connection.Caller.Expires is { } expiry)
        {
            connection.ExpireAt(expiry, BearerTokens.Grace, Time, warns: false);
        }

        return connection;
    }
}
