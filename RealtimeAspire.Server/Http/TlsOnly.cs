using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Outside development tokens and payloads come by https only, all the way or up to a proxy that is named in the configuration. Probes come from
/// the node's own network, and carry nothing.
/// </summary>
internal sealed class TlsOnly(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context) => context.Request.IsHttps || context.Request.Path.Equals("/health") || context.Request.Path.Equals("/alive")
        ? next(context)
        : Problems.From(ErrorCode.TlsRequired).ExecuteAsync(context);
}

internal static class TlsOnlyExtensions
{
    public static void UseTls(this IApplicationBuilder app)
    {
        var proxies = app.ApplicationServices.GetRequiredService<IOptions<RealtimeOptions>>().Value.TrustedProxies;
        if (proxies.Length > 0)
        {
            app.UseForwardedHeaders(OptionsOf(proxies));
        }

        if (!app.ApplicationServices.GetRequiredService<IHostEnvironment>().IsDevelopment())
        {
            app.UseHsts();
            app.UseMiddleware<TlsOnly>();
        }
    }

    private static ForwardedHeadersOptions OptionsOf(string[] proxies)
    {
        // Hop by hop, as far as the hops are known.
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies)
        {
            if (TrustedProxies.TryParse(proxy, out var range))
            {
                options.KnownIPNetworks.Add(range);
            }
        }

        return options;
    }
}
