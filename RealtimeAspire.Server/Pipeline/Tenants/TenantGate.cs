using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>Refuses every request of a tenant that is suspended or not known, whatever it asks for: HTTP, streams, polls and upgrades alike.</summary>
internal sealed class TenantGate(RequestDelegate next, TenantRegistry tenants)
{
    public Task InvokeAsync(HttpContext context) =>
        context.User.Identity is { IsAuthenticated: true } && RefusalOf(context) is { } refusal ? Problems.From(refusal).ExecuteAsync(context) : next(context);

    private ErrorCode? RefusalOf(HttpContext context)
    {
        try
        {
            return tenants.RefusalOf(Caller.From(context.User).Tenant);
        }
        catch (RealtimeException)
        {
            // Somebody of the application's own, by another scheme. None of our endpoints takes him.
            return null;
        }
    }
}

/// <summary>The same for every call over a hub connection that was there before.</summary>
internal sealed class TenantFilter(TenantRegistry tenants) : IHubFilter
{
    public ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        tenants.Require(invocationContext.Context.Features.Get<Connection>()!.Caller.Tenant);
        return next(invocationContext);
    }
}
