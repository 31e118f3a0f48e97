using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Dcp;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

internal sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _inner;
    private readonly List<IResource> _resources = [];
    private readonly EntryPointInterception? _interception = EntryPointInterception.Current;

    public DistributedApplicationBuilder(DistributedApplicationOptions options)
    {
        var settings = new HostApplicationBuilderSettings { Args = options.Args };
        _interception?.Configure(options, settings);
        _inner = new HostApplicationBuilder(settings);
        AppHostAssembly = _interception?.EntryAssembly ?? Assembly.GetEntryAssembly();
        var directory = AppHostAssembly?.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "AppHostProjectPath")?.Value ?? _inner.Environment.ContentRootPath;

        // As `dotnet run` does: generated passwords live in the user's secrets.
        if (AppHostAssembly is not null)
            _inner.Configuration.AddUserSecrets(AppHostAssembly, optional: true);
        _inner.Configuration.AddEnvironmentVariables();
        if (settings.Args is { Length: > 0 } args)
            _inner.Configuration.AddCommandLine(args);

        _inner.Configuration["AppHost:Name"] = AppHostAssembly?.GetName().Name ?? "AppHost";
        _inner.Configuration["AppHost:Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(directory)));
        _inner.Configuration["AppHost:ResourceService:ApiKey"] ??= NewKey();
        _inner.Configuration["AppHost:OtlpApiKey"] ??= NewKey();
        _inner.Configuration["AppHost:DashboardApiKey"] ??= NewKey();
        _inner.Configuration["AppHost:BrowserToken"] ??= _inner.Configuration["ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN"] ?? NewKey();

        _inner.Logging.AddFilter("Microsoft", LogLevel.Warning);
        _inner.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);
        _inner.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _inner.Logging.AddConfiguration(_inner.Configuration.GetSection("Logging"));

        Services.TryAddSingleton(TimeProvider.System);
        Services.AddHealthChecks();
        Services.AddHttpClient();
        Services.AddSingleton(options);
        Services.AddSingleton<ResourceLoggerService>();
        Services.AddSingleton(p => new ResourceNotificationService(p.GetRequiredService<ResourceLoggerService>()));
        Services.AddSingleton(p => new ResourceCommandService(p.GetRequiredService<ResourceNotificationService>(), p.GetRequiredService<ResourceLoggerService>()));
        Services.AddSingleton(_ => new DistributedApplicationModel(_resources));
        Services.AddSingleton<DcpHost>();
        Services.AddSingleton<DashboardProcess>();
        Services.AddSingleton<ResourceStarter>();
        if (!options.DisableDashboard)
        {
            Services.AddSingleton<DashboardServiceHost>();
            Services.AddHostedService(p => p.GetRequiredService<DashboardServiceHost>());
        }

        Services.AddHostedService<Orchestrator>();
        Services.AddHostedService<ResourceHealthMonitor>();
    }

    public ConfigurationManager Configuration => _inner.Configuration;

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _inner.Environment;

    public IServiceCollection Services => _inner.Services;

    public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource
    {
        if (_resources.Any(r => string.Equals(r.Name, resource.Name, StringComparison.OrdinalIgnoreCase)))
            throw new DistributedApplicationException($"Cannot add resource of type '{resource.GetType()}' with name '{resource.Name}': the name is taken.");
        _resources.Add(resource);
        return new ResourceBuilder<T>(this, resource);
    }

    public DistributedApplication Build()
    {
        _interception?.BuilderReady(this);
        var application = new DistributedApplication(_inner.Build(), _interception);
        _interception?.ApplicationBuilt(application);
        return application;
    }

    private static string NewKey() => RandomNumberGenerator.GetHexString(32, lowercase: true);
}
