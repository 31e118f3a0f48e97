using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Tenants;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Gives each hub connection its <see cref="Connection"/>, which writes past SignalR's own, awaiting, manager.</summary>
internal sealed class HubLifetime(ConnectionFactory connections, CallPath calls, ReturnAdvice advice, Drain drain, TenantRegistry tenants, TimeProvider time, ILogger<HubLifetime> logger)
    : DefaultHubLifetimeManager<RealtimeHub>(logger)
{
    public override Task OnConnectedAsync(HubConnectionContext connection)
    {
        var opened = connections.OpenOrClose(
            Caller.From(connection.User), new HubTransport(connection, time), connection.Features.Get<ClientOrigin>() ?? ClientOrigin.Of(connection.GetHttpContext()));
        connection.Features.Set(opened);
        advice.Tell(opened);
        if (opened.Caller.Expires is { } expiry)
        {
            opened.ExpireAt(expiry, BearerTokens.Grace, time, warns: true);
        }

        // It came while the others were being told.
        if (drain.Draining.IsCancellationRequested)
        {
            opened.Close(ErrorCode.Draining);
        }
        else if (tenants.RefusalOf(opened.Caller.Tenant) is { } refusal)
        {
            opened.Close(refusal);
        }

        return base.OnConnectedAsync(connection);
    }

    public override async Task OnDisconnectedAsync(HubConnectionContext connection)
    {
        if (connection.Features.Get<Connection>() is { } opened)
        {
            await opened.DisposeAsync();
            calls.Leave(opened);
        }

        await base.OnDisconnectedAsync(connection);
    }
}
