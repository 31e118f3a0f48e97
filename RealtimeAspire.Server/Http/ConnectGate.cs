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
internal sealed class ConnectGate(RequestDelegate next, ConnectLimiter connects, TimeProvider time)
{
    private const string AuthPath = "/auth";

    // Whoever comes back as soon as he is turned away costs the less the later he hears of it. More than so many are told at once, so that waiting costs nothing either.
    private const int MaxWaiting = 1_000;

    private static readonly TimeSpan RefusalDelay = TimeSpan.FromMilliseconds(500);

    private int _waiting;

    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsConnect(context.Request.Path) || connects.Take(context.Connection.RemoteIpAddress, ClientOrigin.Of(context)?.Cost ?? 1) is not { } wait)
        {
            await next(context);
            return;
        }

        if (Interlocked.Increment(ref _waiting) <= MaxWaiting)
        {
            await Task.Delay(RefusalDelay, time, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Interlocked.Decrement(ref _waiting);
        await Problems.From(new RealtimeException(ErrorCode.RateLimited, "Too many connects from this address; wait a little.") { RetryAfter = wait }).ExecuteAsync(context);
    }

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
