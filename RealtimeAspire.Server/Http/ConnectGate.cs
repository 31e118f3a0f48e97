using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using IPNetwork = System.Net.IPNetwork;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Turns away addresses that connect or ask for tokens too often, before anybody looks at what they have brought: connections of the hub,
/// streams, and everything about tokens.
/// </summary>
internal sealed class ConnectGate(RequestDelegate next, ConnectLimiter connects)
{
    private const string AuthPath = "/auth";

    public Task InvokeAsync(HttpContext context) =>
        IsConnect(context.Request.Path) && connects.Take(context.Connection.RemoteIpAddress) is { } wait
            ? Problems.From(new RealtimeException(ErrorCode.RateLimited, "Too many connects from this address; wait a little.") { RetryAfter = wait }).ExecuteAsync(context)
            : next(context);

    private static bool IsConnect(PathString path) =>
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

    /// <summary>Whom requests come from is what trusted proxies say, and nobody else.</summary>
    public static void UseTrustedProxies(this IApplicationBuilder app)
    {
        var proxies = app.ApplicationServices.GetRequiredService<IOptions<RealtimeOptions>>().Value.Limits.TrustedProxies;
        if (proxies.Length == 0)
        {
            return;
        }

        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies)
        {
            options.KnownIPNetworks.Add(
                IPAddress.TryParse(proxy, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8) : IPNetwork.Parse(proxy));
        }

        app.UseForwardedHeaders(options);
    }
}
