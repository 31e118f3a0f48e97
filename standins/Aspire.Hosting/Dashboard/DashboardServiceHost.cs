using System.Net;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>Offers the application's resources to the dashboard, on this machine only.</summary>
internal sealed class DashboardServiceHost(
    IConfiguration configuration,
    IHostEnvironment environment,
    ILogger<DashboardServiceHost> logger,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands) : IHostedService, IAsyncDisposable
{
    private const string UrlSetting = "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL";

    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<string> _uri = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? _server;

    /// <summary>Where the service listens, as soon as it does.</summary>
    public Task<string> GetResourceServiceUriAsync(CancellationToken cancellationToken) => _uri.Task.WaitAsync(cancellationToken);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _server = Build();
        try
        {
            await _server.StartAsync(cancellationToken);
        }
        catch (IOException exception) when (exception.InnerException is AddressInUseException)
        {
            throw new DistributedApplicationException(
                $"The dashboard's resource service cannot listen on {configuration[UrlSetting]}: the port is taken. Change {UrlSetting}.", exception);
        }

        _uri.SetResult(_server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        // A dashboard that keeps its side of a call open would hold up the application's end.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(1));
        if (_server is not null)
            await _server.StopAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _stopping.Dispose();
    }

    private WebApplication Build()
    {
        var (address, port) = Endpoint();
        var name = configuration["AppHost:DashboardApplicationName"] ?? environment.ApplicationName;
        if (name.EndsWith("AppHost", StringComparison.OrdinalIgnoreCase) && name[..^"AppHost".Length].TrimEnd('.') is { Length: > 0 } stem)
            name = stem;
        var service = new DashboardService(name, ApiKey(), notifications, loggers, commands, logger, _stopping.Token);

        // An empty builder: the application's settings and its log are not this server's.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(address, port, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.AddServerHeader = false;
            // Watches last as long as the application, and their requests are limited one by one (GrpcCall).
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        var server = builder.Build();
        server.Run(service.HandleAsync);
        return server;
    }

    private (IPAddress Address, int Port) Endpoint()
    {
        if (configuration[UrlSetting] is not { Length: > 0 } setting)
            return (IPAddress.Loopback, 0);
        if (!Uri.TryCreate(setting, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttp || !uri.IsLoopback)
            throw new DistributedApplicationException($"{UrlSetting} must be an http address on this machine, such as http://localhost:0, and is '{setting}'.");
        return (uri.HostNameType == UriHostNameType.IPv6 ? IPAddress.IPv6Loopback : IPAddress.Loopback, uri.Port);
    }

    private string? ApiKey() =>
        string.Equals(configuration["AppHost:ResourceService:AuthMode"], "Unsecured", StringComparison.OrdinalIgnoreCase) ? null
        : configuration["AppHost:ResourceService:ApiKey"] is { Length: > 0 } key ? key
        : throw new DistributedApplicationException("AppHost:ResourceService:ApiKey is required unless AppHost:ResourceService:AuthMode is 'Unsecured'.");
}
