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
        builder.Services.AddSingleton<ResourceNotificationService>();
        builder.Services.AddSingleton(s => new ResourceCommandService(
            s.GetRequiredService<ResourceNotificationService>(), s.GetRequiredService<ResourceLoggerService>(), s));
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
        resource.Annotations.Add(new DcpInstancesAnnotation([.. ids.Select((id, i) => new DcpInstance(id, id, i))]));
        return resource;
    }

    public static ResourceCommandAnnotation Command(
        string name, Func<ExecuteCommandContext, Task<ExecuteCommandResult>> run, Func<UpdateCommandStateContext, ResourceCommandState>? state = null) =>
        new(name, name, state ?? (_ => ResourceCommandState.Enabled), run, null, null, null, "Play", IconVariant.Filled, isHighlighted: true);

    public Task RunsAsync(IResource resource, params HealthReportSnapshot[] reports) =>
        Notifications.PublishUpdateAsync(resource, s => s with { State = KnownResourceStates.Running, HealthReports = [.. reports] });

    public Task EndsAsync(IResource resource, string state, int? exitCode = null) =>
        Notifications.PublishUpdateAsync(resource, s => s with { State = state, ExitCode = exitCode });

    public async Task<string> ConsoleOfAsync(IResource resource)
    {
        var lines = new List<string>();
        await foreach (var batch in Loggers.GetAllAsync(resource))
            lines.AddRange(batch.Select(l => l.Content));
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
