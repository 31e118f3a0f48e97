using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using RealtimeAspire.ServiceDefaults;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of the system has: telemetry, health, service discovery and resilient outgoing HTTP.</summary>
public static class Extensions
{
    private const string Live = "live";

    private static readonly TimeSpan LongestHealthCheck = TimeSpan.FromSeconds(5);

    // No instrumentation packages: all of these are built in.
    private static readonly string[] ActivitySources =
    [
        "Microsoft.AspNetCore",
        "Microsoft.AspNetCore.SignalR.Server",
        "Microsoft.AspNetCore.SignalR.Client",
        "System.Net.Http",
        "Npgsql",
        "RealtimeAspire",
        "RealtimeAspire.Client",
    ];

    private static readonly string[] Meters =
    [
        "Microsoft.AspNetCore.Hosting",
        "Microsoft.AspNetCore.Server.Kestrel",
        "Microsoft.AspNetCore.Http.Connections",
        "Microsoft.AspNetCore.Routing",
        "Microsoft.AspNetCore.Diagnostics",
        "Microsoft.AspNetCore.RateLimiting",
        "System.Net.Http",
        "System.Net.NameResolution",
        "System.Runtime",
        "Npgsql",
        "RealtimeAspire",
    ];

    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.AddLogs();
        builder.AddTracesAndMetrics();
        builder.AddHealth();
        builder.AddOutgoingHttp();
        return builder;
    }

    /// <summary><c>/health</c>: ready for traffic. <c>/alive</c>: not to be restarted. Both for anyone, as probes carry no token.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapProbe(Probes.Health, _ => true);
        app.MapProbe(Probes.Alive, check => check.Tags.Contains(Live));
        return app;
    }

    private static void AddLogs(this IHostApplicationBuilder builder)
    {
        if (!builder.Environment.IsDevelopment())
        {
            builder.Logging.AddJsonConsole(json =>
            {
                json.IncludeScopes = true;
                json.UseUtcTimestamp = true;
                json.TimestampFormat = "O";
            });
        }

        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            logs.IncludeScopes = true;
        });

        // Browsers put the token of a WebSocket into the query string, and this category writes out every request's URL.
        // A rule per provider, added last, holds whatever the configuration says. Traces tell of requests instead.
        builder.Services.PostConfigure<LoggerFilterOptions>(options =>
        {
            foreach (var provider in options.Rules.Select(rule => rule.ProviderName).Append(null).Distinct().ToArray())
                options.Rules.Add(new LoggerFilterRule(provider, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning, filter: null));
        });
    }

    private static void AddTracesAndMetrics(this IHostApplicationBuilder builder)
    {
        // Makes ASP.NET Core write method, path and address on its spans, as .NET 11 does by default. The query is not among them.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Transient<IStartupFilter, RequestSpans>());

        var telemetry = builder.Services.AddOpenTelemetry()
            .WithTracing(traces => traces.AddSource(ActivitySources))
            .WithMetrics(metrics => metrics.AddMeter(Meters));

        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            telemetry.UseOtlpExporter();
    }

    private static void AddHealth(this IHostApplicationBuilder builder)
    {
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [Live]);

        builder.Services.PostConfigure<HealthCheckServiceOptions>(options =>
        {
            foreach (var registration in options.Registrations)
            {
                var factory = registration.Factory;
                registration.Factory = services => new BoundedHealthCheck(factory(services));
                if (registration.Timeout == Timeout.InfiniteTimeSpan)
                    registration.Timeout = LongestHealthCheck;
            }
        });
    }

    private static void AddOutgoingHttp(this IHostApplicationBuilder builder)
    {
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            // The order is from the outside in: each retry is resolved anew and may go to another node.
            http.AddStandardResilienceHandler();
            http.AddServiceDiscovery();
        });
    }

    private static void MapProbe(this WebApplication app, string path, Func<HealthCheckRegistration, bool> predicate) =>
        app.MapHealthChecks(path, new HealthCheckOptions
            {
                Predicate = predicate,
                AllowCachingResponses = false,
                ResponseWriter = Probes.WriteAsync,
            })
            .AllowAnonymous()
            .DisableHttpMetrics();
}
