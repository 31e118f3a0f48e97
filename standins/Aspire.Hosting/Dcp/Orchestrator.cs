using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dcp;

/// <summary>
/// Runs the model on Aspire's orchestrator: gives out addresses, starts every resource, carries what the
/// orchestrator tells about their processes into the notifications, and stops all of it in the order of dependence.
/// </summary>
internal sealed class Orchestrator(
    DcpHost dcp, DashboardProcess dashboard, ResourceStarter starter, DistributedApplicationModel model,
    ResourceNotificationService notifications, ResourceLoggerService loggers, IConfiguration configuration,
    TimeProvider time, ILogger<Orchestrator> logger) : IHostedService, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (IResource Resource, DcpInstance Instance)> _instances = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<Task> _work = [];
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Stands for the port that the orchestrator gives a process when it starts it.</summary>
    public static string PortTemplate(IResource resource, EndpointAnnotation endpoint) => $"{{{{- portForServing \"{ServiceName(resource, endpoint)}\" -}}}}";

    public static string ServiceName(IResource resource, EndpointAnnotation endpoint) => $"{resource.Name}-{endpoint.Name}";

    /// <summary>Projects stand behind the orchestrator's proxy, which spreads connections over replicas; stores are reached directly.</summary>
    public static bool HasServices(IResource resource) => resource is ProjectResource;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var resource in model.Resources)
            Introduce(resource);
        await dcp.StartAsync(cancellationToken);
        foreach (var resource in model.Resources)
        {
            foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
                await AllocateAsync(resource, endpoint, cancellationToken);
            await PublishIntroductionAsync(resource);
        }

        _work.Add(WatchAsync());
        await dashboard.StartAsync(cancellationToken);
        foreach (var (resource, instance) in _instances.Values)
            _work.Add(starter.StartAsync(resource, instance, _stopping.Token));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // Projects first, then the stores that they use: a store whose clients are gone ends at once and cleanly.
        await StopAllAsync(r => r is ProjectResource, cancellationToken);
        await StopAllAsync(r => r is not ProjectResource, cancellationToken);
        await _stopping.CancelAsync();
        await dcp.StopAsync(cancellationToken);
        await Task.WhenAll(_work).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _stopping.Dispose();
    }

    /// <summary>Names the resource's processes and gives it the commands that every process has.</summary>
    private void Introduce(IResource resource)
    {
        if (resource is not (ProjectResource or ContainerResource))
            return;
        var instances = Enumerable.Range(0, resource.Annotations.OfType<ReplicaAnnotation>().LastOrDefault()?.Replicas ?? 1).Select(_ =>
        {
            var suffix = RandomNumberGenerator.GetString("abcdefghjkmnpqrstuvwxyz", 8);
            return new DcpInstance($"{resource.Name}-{suffix}", suffix);
        });
        var annotation = new DcpInstancesAnnotation([.. instances]);
        resource.Annotations.Add(annotation);
        foreach (var instance in annotation.Instances)
            _instances[instance.Name] = (resource, instance);

        resource.Annotations.Add(new ResourceCommandAnnotation(KnownResourceCommands.StartCommand, "Start", "Play", IsHighlighted: true, state => state is not null && !Runs(state) && !IsOnItsWay(state), StartAsync));
        resource.Annotations.Add(new ResourceCommandAnnotation(KnownResourceCommands.StopCommand, "Stop", "Stop", IsHighlighted: true, Runs, StopAsync));
        resource.Annotations.Add(new ResourceCommandAnnotation(KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise", IsHighlighted: false, Runs, RestartAsync));

        static bool Runs(string? state) => state == KnownResourceStates.Running;
        static bool IsOnItsWay(string state) => state == KnownResourceStates.Starting || state == KnownResourceStates.Stopping || state == KnownResourceStates.Waiting;
    }

    private async Task PublishIntroductionAsync(IResource resource)
    {
        var created = time.GetUtcNow().UtcDateTime;
        await notifications.PublishUpdateAsync(resource, s => s with
        {
            ResourceType = resource switch { ProjectResource => "Project", ContainerResource => "Executable", ParameterResource => "Parameter", _ => resource.GetType().Name },
            CreationTimeStamp = created,
            State = resource is ParameterResource ? KnownResourceStates.Running : KnownResourceStates.NotStarted,
            Urls = [.. resource.Annotations.OfType<EndpointAnnotation>().Select(e => new UrlSnapshot(e.Name, e.AllocatedUrl!, IsInternal: false))],
        });
        if (resource is ParameterResource parameter)
        {
            var value = await parameter.GetValueAsync(_stopping.Token);
            await notifications.PublishUpdateAsync(resource, s => s with { Properties = [new("Value", value) { IsSensitive = parameter.Secret }] });
        }
    }

    private async Task AllocateAsync(IResource resource, EndpointAnnotation endpoint, CancellationToken cancellationToken)
    {
        var port = configuration.GetValue<bool>("DcpPublisher:RandomizePorts") ? 0 : endpoint.Port ?? 0;
        if (!HasServices(resource))
        {
            endpoint.Allocate(port == 0 ? FreePort() : port);
            return;
        }

        var name = ServiceName(resource, endpoint);
        await dcp.Client.CreateAsync("services", new DcpObject<ServiceSpec, ServiceStatus>("Service", new(name), new("TCP", port == 0 ? null : port)), cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        while (true)
        {
            var service = await dcp.Client.GetAsync<ServiceSpec, ServiceStatus>("services", name, limit.Token);
            if (service?.Status is { EffectivePort: > 0 } status)
            {
                endpoint.Allocate(status.EffectivePort.Value);
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), time, limit.Token);
        }
    }

    /// <summary>Below those that the system gives out by itself: a connection of somebody else would take it before who it is for has started.</summary>
    internal static int FreePort()
    {
        while (true)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(20_000, 30_000));
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Somebody has it; another will do.
            }
        }
    }

    private async Task WatchAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await foreach (var change in dcp.Client.WatchAsync<ExecutableSpec, ExecutableStatus>("executables", _stopping.Token))
                {
                    if (change.Type != "DELETED" && change.Object.Status is { State.Length: > 0 } status && _instances.TryGetValue(change.Object.Metadata.Name, out var known))
                        await CarryOverAsync(known.Resource, known.Instance, change.Object.Spec.Stop && status.State == "Running" ? status with { State = "Stopping" } : status);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception error) when (error is HttpRequestException or IOException)
            {
                // The orchestrator ends with this process; before that, a watch that broke is begun anew.
                logger.LogDebug(error, "The watch of the orchestrator broke.");
                await Task.Delay(TimeSpan.FromMilliseconds(200), time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task CarryOverAsync(IResource resource, DcpInstance instance, ExecutableStatus status)
    {
        var started = false;
        await notifications.PublishUpdateAsync(resource, instance.Name, s =>
        {
            started = status.Pid is > 0 && s.Properties.All(p => p.Name != "executable.pid" || !Equals(p.Value, status.Pid));
            return s with
            {
                State = State(status),
                ExitCode = status.FinishTimestamp is null ? null : status.ExitCode,
                StartTimeStamp = status.StartupTimestamp?.ToUniversalTime(),
                StopTimeStamp = status.FinishTimestamp?.ToUniversalTime(),
                Properties = status.Pid is > 0 ? [.. s.Properties.Where(p => p.Name != "executable.pid"), new("executable.pid", status.Pid)] : s.Properties,
                EnvironmentVariables = status.EffectiveEnv is null ? s.EnvironmentVariables : [.. status.EffectiveEnv.Select(e => new EnvironmentVariableSnapshot(e.Name, e.Value, IsFromSpec: IsOurs(e.Name)))],
            };
        });
        foreach (var child in model.Resources.OfType<IResourceWithParent>().Where(c => ReferenceEquals(c.Parent, resource)))
            await notifications.PublishUpdateAsync(child, s => s with { State = State(status), StartTimeStamp = status.StartupTimestamp?.ToUniversalTime() });
        if (started)
        {
            _work.Add(CopyLogAsync(instance.Name, "stdout"));
            _work.Add(CopyLogAsync(instance.Name, "stderr"));
        }

        static bool IsOurs(string name) => name.Contains("__", StringComparison.Ordinal) || name.StartsWith("OTEL_", StringComparison.Ordinal) || name.StartsWith("ASPNETCORE_", StringComparison.Ordinal);
    }

    private static ResourceStateSnapshot State(ExecutableStatus status) => status.State switch
    {
        "Running" => new(KnownResourceStates.Running, KnownResourceStateStyles.Success),
        "Stopping" => new(KnownResourceStates.Stopping, KnownResourceStateStyles.Info),
        "FailedToStart" => new(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error),
        "Finished" or "Terminated" when status.ExitCode is 0 => new(KnownResourceStates.Finished, KnownResourceStateStyles.Info),
        "Finished" or "Terminated" => new(KnownResourceStates.Exited, KnownResourceStateStyles.Error),
        _ => new(KnownResourceStates.Starting, KnownResourceStateStyles.Info),
    };

    private async Task CopyLogAsync(string instance, string source)
    {
        try
        {
            await foreach (var line in dcp.Client.LogAsync(instance, source, _stopping.Token))
            {
                var space = line.IndexOf(' ', StringComparison.Ordinal);
                if (space > 0 && DateTime.TryParse(line.AsSpan(0, space), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var timestamp))
                    loggers.AddLog(instance, line[(space + 1)..], source == "stderr", timestamp);
            }
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException)
        {
            logger.LogDebug(error, "The log of {Instance} has ended.", instance);
        }
    }

    private Task StartAsync(string instance, CancellationToken cancellationToken) => InTurnAsync(instance, async () =>
    {
        if (await IsRunningAsync(instance, cancellationToken))
            return;
        var (resource, known) = _instances[instance];
        await dcp.Client.DeleteAsync("executables", instance, cancellationToken);
        while (await dcp.Client.GetAsync<ExecutableSpec, ExecutableStatus>("executables", instance, cancellationToken) is not null)
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken);
        await starter.StartAsync(resource, known, cancellationToken);
    }, cancellationToken);

    private Task StopAsync(string instance, CancellationToken cancellationToken) => InTurnAsync(instance, async () =>
    {
        if (!await IsRunningAsync(instance, cancellationToken))
            return;

        // Said here and not only by the orchestrator, whose next word may be that it has ended: that would look like a crash.
        var resource = _instances[instance].Resource;
        await notifications.PublishUpdateAsync(resource, instance, s => s with { State = new(KnownResourceStates.Stopping, KnownResourceStateStyles.Info) });
        await dcp.Client.StopExecutableAsync(instance, cancellationToken);
        await notifications.WaitForResourceAsync(resource.Name, e => e.ResourceId == instance && KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), cancellationToken);
    }, cancellationToken);

    private async Task RestartAsync(string instance, CancellationToken cancellationToken)
    {
        await StopAsync(instance, cancellationToken);
        await StartAsync(instance, cancellationToken);
    }

    private async Task<bool> IsRunningAsync(string instance, CancellationToken cancellationToken) =>
        await dcp.Client.GetAsync<ExecutableSpec, ExecutableStatus>("executables", instance, cancellationToken) is { Status.State: "Running" or "Starting" };

    /// <summary>Commands for one process wait for each other: two starts at once would undo each other.</summary>
    private async Task InTurnAsync(string instance, Func<Task> command, CancellationToken cancellationToken)
    {
        var turn = _turns.GetOrAdd(instance, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(cancellationToken);
        try
        {
            await command();
        }
        finally
        {
            turn.Release();
        }
    }

    private Task StopAllAsync(Func<IResource, bool> which, CancellationToken cancellationToken) =>
        Task.WhenAll(_instances.Where(i => which(i.Value.Resource)).Select(i => StopAsync(i.Key, cancellationToken)));
}
