using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Turns away addresses that connect or ask for tokens too often, before anybody looks at what they have brought: connections of the hub,
/// streams, and everything about tokens.
/// </summary>
internal sealed class ConnectGate(RequestDelegate next, ConnectLimiter connects)
{
    private const string AuthPath = "/auth";

    public Task InvokeAsync(HttpContext context) =>
        IsConnect(context.Request.Path) && connects.Take(context.Connection.RemoteIpAddress, ClientOrigin.Of(context)?.Cost ?? 1) is { } wait
            ? Problems.From(new RealtimeException(ErrorCode.RateLimited, "Too many connects from this address; wait a little.") { RetryAfter = wait }).ExecuteAsync(context)
            : next(context);

    public static bool IsConnect(PathString path) =>
        path.StartsWithSegments(RealtimeServer.HubPath) || path.StartsWithSegments(AuthPath) || path.StartsWithSegments(StreamApi.Path);
}

/// <summary>Turns away hub connections of a node or user that has enough of them, while that can still be said with a status.</summary>
internal sealed class ConnectionGate(RequestDelegate next, ConnectionCaps caps)
{
    public Task InvokeAsync(HttpContext context) =>
        context.Request.Path.StartsWithSegments(RealtimeServer.HubPath)
            && context.User.Identity is { IsAuthenticated: true }
            && caps.Look(Caller.From(context.User)) is { } refusal
            ? Problems.From(refusal).ExecuteAsync(context)
            : next(context);
}

internal static class ConnectGateExtensions
{
    public static void UseConnectGate(this IApplicationBuilder app) => app.UseMiddleware<ConnectGate>();
}
