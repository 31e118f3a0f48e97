using Aspire.Hosting.Dcp;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>Starts Aspire's dashboard and tells it, and the resources, how to reach each other.</summary>
internal sealed class DashboardProcess(
    DcpHost dcp, DistributedApplicationOptions options, IServiceProvider services, IConfiguration configuration, ILogger<DashboardProcess> logger)
{
    /// <summary>Where resources send their telemetry (gRPC); null without a dashboard.</summary>
    public string? OtlpUrl { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.DisableDashboard)
            return;
        var bundle = await AspireBundle.LocateAsync(logger, cancellationToken);
        var frontend = WithPort(configuration["ASPNETCORE_URLS"]?.Split(';')[0] ?? "http://localhost:0");
        OtlpUrl = WithPort(configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] ?? "http://localhost:0");
        var anonymous = configuration.GetValue<bool>("ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS");
        var resources = (DashboardServiceHost)services.GetService(typeof(DashboardServiceHost))!;
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ASPNETCORE_URLS"] = frontend,
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = OtlpUrl,
            ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = await resources.GetResourceServiceUriAsync(cancellationToken),
            ["DASHBOARD__FRONTEND__AUTHMODE"] = anonymous ? "Unsecured" : "BrowserToken",
            ["DASHBOARD__FRONTEND__BROWSERTOKEN"] = configuration["AppHost:BrowserToken"],
            ["DASHBOARD__OTLP__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__OTLP__PRIMARYAPIKEY"] = configuration["AppHost:OtlpApiKey"],
            ["DASHBOARD__API__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__API__PRIMARYAPIKEY"] = configuration["AppHost:DashboardApiKey"],
            ["DASHBOARD__RESOURCESERVICECLIENT__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__RESOURCESERVICECLIENT__APIKEY"] = configuration["AppHost:ResourceService:ApiKey"],
            ["LOGGING__LOGLEVEL__DEFAULT"] = "Warning",
        };
        var spec = new ExecutableSpec(bundle.Dashboard, ["dashboard"], Path.GetDirectoryName(bundle.Dashboard)!, [.. environment.Select(e => new DcpEnv(e.Key, e.Value))]);
        await dcp.Client.CreateAsync("executables", new DcpObject<ExecutableSpec, ExecutableStatus>("Executable", new("aspire-dashboard"), spec), cancellationToken);

        var login = anonymous ? "" : $"/login?t={configuration["AppHost:BrowserToken"]}";
        logger.LogInformation("Login to the dashboard at {Url}", frontend + login);
    }

    private static string WithPort(string url) => new Uri(url) is { Port: 0 } any ? $"{any.Scheme}://{any.Host}:{Orchestrator.FreePort()}" : url;
}
