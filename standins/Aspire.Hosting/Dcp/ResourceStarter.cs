using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dcp;

/// <summary>Brings one process of a resource up: waits for what it depends on, works out its environment, hands it to the orchestrator.</summary>
internal sealed class ResourceStarter(
    DcpHost dcp, DashboardProcess dashboard, ResourceNotificationService notifications, ResourceLoggerService loggers,
    IConfiguration configuration, ILogger<ResourceStarter> logger)
{
    public async Task StartAsync(IResource resource, DcpInstance instance, CancellationToken cancellationToken)
    {
        try
        {
            if (resource.Annotations.OfType<WaitAnnotation>().Any())
            {
                await PublishStateAsync(resource, instance, KnownResourceStates.Waiting);
                await notifications.WaitForDependenciesAsync(resource, cancellationToken);
            }

            await PublishStateAsync(resource, instance, KnownResourceStates.Starting);
            var (spec, properties) = resource.Annotations.OfType<IProjectMetadata>().FirstOrDefault() is { } project
                ? DescribeProject(project)
                : await DescribeProcessAsync(resource, cancellationToken);
            spec = spec with { Env = await EnvironmentAsync(resource, instance, cancellationToken) };
            await notifications.PublishUpdateAsync(resource, instance.Name, s => s with
            {
                // What was found out about an earlier process says nothing about this one.
                HealthReports = [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(check => new HealthReportSnapshot(check.Key, null, null, null))],
                Properties = properties,
                ExitCode = null,
                StopTimeStamp = null,
            });
            await dcp.Client.CreateAsync("executables", new DcpObject<ExecutableSpec, ExecutableStatus>("Executable", Metadata(resource, instance), spec), cancellationToken);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // Whatever it is, it belongs to this resource: the others go on, and it can be started again.
            logger.LogError("{Resource} could not be started: {Reason}", instance.Name, error.Message);
            loggers.GetLogger(instance.Name).LogError("{Reason}", error.Message);
            await notifications.PublishUpdateAsync(resource, instance.Name, s => s with { State = new(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error) });
        }
    }

    private Task PublishStateAsync(IResource resource, DcpInstance instance, string state) =>
        notifications.PublishUpdateAsync(resource, instance.Name, s => s with { State = new(state, KnownResourceStateStyles.Info) });

    /// <summary>A project runs from its build output, which is newer than or as old as the app host's own.</summary>
    private static (ExecutableSpec Spec, ImmutableArray<ResourcePropertySnapshot> Properties) DescribeProject(IProjectMetadata project)
    {
        var target = project.GetType().Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "AspireProjectTarget:" + project.ProjectPath)?.Value
            ?? throw new DistributedApplicationException($"{project.ProjectPath} has no build output; build the app host again.");
        var folder = Path.GetDirectoryName(project.ProjectPath)!;
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? ToolCache.Find("dotnet")
            ?? throw new DistributedApplicationException("dotnet is not on the PATH.");
        return (new ExecutableSpec(dotnet, [target], folder, []),
        [
            new("project.path", project.ProjectPath), new("executable.path", dotnet), new("executable.workDir", folder),
            new("executable.args", ImmutableArray.Create(target)),
        ]);
    }

    private async Task<(ExecutableSpec Spec, ImmutableArray<ResourcePropertySnapshot> Properties)> DescribeProcessAsync(IResource resource, CancellationToken cancellationToken)
    {
        var port = resource.Annotations.OfType<EndpointAnnotation>().First().AllocatedPort!.Value;
        var volume = resource.Annotations.OfType<VolumeAnnotation>().FirstOrDefault()?.Name is { } name ? Path.Combine(ToolCache.Volumes, name) : null;
        var scratch = Path.Combine(dcp.SessionFolder, resource.Name);
        Directory.CreateDirectory(scratch);
        var process = await resource.Annotations.OfType<ProcessAnnotation>().Single()
            .Prepare(new ProcessContext(port, volume, scratch, new TeeLogger(logger, loggers.GetLogger(resource))), cancellationToken);
        return (new ExecutableSpec(process.Path, process.Args, process.WorkingDirectory, []),
        [
            new("executable.path", process.Source), new("executable.workDir", process.WorkingDirectory),
            new("executable.args", process.Args.ToImmutableArray()),
        ]);
    }

    private async Task<IReadOnlyList<DcpEnv>> EnvironmentAsync(IResource resource, DcpInstance instance, CancellationToken cancellationToken)
    {
        var variables = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentAnnotation>())
            annotation.Callback(variables);
        if (resource is ProjectResource && dashboard.OtlpUrl is { } otlp)
        {
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
            variables["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={configuration["AppHost:OtlpApiKey"]}";
            variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance.Suffix}";
        }

        var resolved = new List<DcpEnv>();
        foreach (var (name, value) in variables)
            resolved.Add(new DcpEnv(name, await ResolveAsync(value, cancellationToken)));
        return resolved;
    }

    private static async ValueTask<string> ResolveAsync(object value, CancellationToken cancellationToken) => value is IValueProvider provider
        ? await provider.GetValueAsync(cancellationToken) ?? ""
        : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    /// <summary>Says which services the process answers for, so that their stable addresses lead to it.</summary>
    private static DcpMetadata Metadata(IResource resource, DcpInstance instance)
    {
        if (!Orchestrator.HasServices(resource))
            return new DcpMetadata(instance.Name);
        var producers = resource.Annotations.OfType<EndpointAnnotation>().Select(e => new ServiceProducer(Orchestrator.ServiceName(resource, e), "localhost"));
        return new DcpMetadata(instance.Name, new() { ["service-producer"] = System.Text.Json.JsonSerializer.Serialize(producers, System.Text.Json.JsonSerializerOptions.Web) });
    }

    /// <summary>What happens while a resource is prepared is of interest in the console and in the dashboard.</summary>
    private sealed class TeeLogger(ILogger first, ILogger second) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => first.IsEnabled(logLevel) || second.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            first.Log(logLevel, eventId, state, exception, formatter);
            second.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
