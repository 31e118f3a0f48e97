using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

/// <summary>The services that know about resources, without a builder, an orchestrator or a dashboard.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    public const string ApiKey = "the-key";

    private readonly IHost _host;

    public TestApp(params (string Name, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "Sample.AppHost" });
        builder.Configuration["AppHost:ResourceService:ApiKey"] = ApiKey;
        foreach (var (name, value) in settings)
            builder.Configuration[name] = value;
        builder.Services.AddSingleton<ResourceLoggerService>();
        builder.Services.AddSingleton(s => new ResourceNotificationService(s.GetRequiredService<ResourceLoggerService>()));
        builder.Services.AddSingleton(s => new ResourceCommandService(s.GetRequiredService<ResourceNotificationService>(), s.GetRequiredService<ResourceLoggerService>()));
        builder.Services.AddSingleton<DashboardServiceHost>();
        _host = builder.Build();
    }

    public ResourceNotificationService Notifications => _host.Services.GetRequiredService<ResourceNotificationService>();

    public ResourceLoggerService Loggers => _host.Services.GetRequiredService<ResourceLoggerService>();

    public ResourceCommandService Commands => _host.Services.GetRequiredService<ResourceCommandService>();

    public DashboardServiceHost Service => _host.Services.GetRequiredService<DashboardServiceHost>();

    public static TestResource Replicated(string name, params string[] ids)
    {
        var resource = new TestResource(name);
        resource.Annotations.Add(new DcpInstancesAnnotation([.. ids.Select(id => new DcpInstance(id, id))]));
        return resource;
    }

    public static ResourceCommandAnnotation Command(string name, Func<string, Task> run, Func<string?, bool>? isEnabled = null) =>
        new(name, name, "Play", IsHighlighted: true, isEnabled ?? (_ => true), (id, _) => run(id));

    public Task RunsAsync(IResource resource, params HealthReportSnapshot[] reports) =>
        Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Running, HealthReports = [.. reports] });

    public Task EndsAsync(IResource resource, string state, int? exitCode = null) =>
        Notifications.PublishUpdateAsync(resource, s => s with { State = state, ExitCode = exitCode });

    public async Task<string> ConsoleOfAsync(IResource resource)
    {
        var lines = new List<string>();
        foreach (var id in resource.GetResolvedResourceNames())
        {
            await foreach (var batch in Loggers.GetAllAsync(id))
                lines.AddRange(batch.Select(l => l.Content));
        }

        return string.Join('\n', lines);
    }

    public async ValueTask DisposeAsync()
    {
        await Service.StopAsync(CancellationToken.None);
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

internal class TestResource(string name) : Resource(name);

internal sealed class TestDatabase(string name, TestResource parent) : TestResource(name), IResourceWithParent<TestResource>
{
    public TestResource Parent => parent;
}
