using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Aspire.Hosting.ApplicationModel;

public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    public IResource Resource { get; } = resource;

    public string ResourceId { get; } = resourceId;

    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}

public sealed class ResourceNotificationServiceOptions
{
    /// <summary>What waiting does when a resource fails and nothing else was said; by default it goes on waiting.</summary>
    public WaitBehavior DefaultWaitBehavior { get; set; }
}

/// <summary>
/// The current state of every resource instance, and its changes. Everything that shows or awaits a state reads it here:
/// the dashboard, <c>WaitFor</c>, tests.
/// </summary>
public class ResourceNotificationService : IDisposable
{
    private readonly ILogger<ResourceNotificationService> _logger;
    private readonly IServiceProvider _services;
    private readonly ResourceLoggerService _loggers;
    private readonly WaitBehavior _defaultWaitBehavior;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceEvent> _current = new(StringComparer.Ordinal);
    private readonly HashSet<Channel<ResourceEvent>> _watchers = [];
    private bool _disposed;

    /// <param name="hostApplicationLifetime">Unused, as in the real one: disposal ends the watchers.</param>
    public ResourceNotificationService(
        ILogger<ResourceNotificationService> logger, IHostApplicationLifetime hostApplicationLifetime,
        IServiceProvider serviceProvider, ResourceLoggerService resourceLoggerService)
    {
        (_logger, _services, _loggers, _) = (logger, serviceProvider, resourceLoggerService, hostApplicationLifetime);
        _defaultWaitBehavior = serviceProvider.GetService<IOptions<ResourceNotificationServiceOptions>>()?.Value.DefaultWaitBehavior
            ?? WaitBehavior.StopOnResourceUnavailable;
    }

    internal TimeProvider Time { get; init; } = TimeProvider.System;

    internal int WatcherCount => _watchers.Count;

    /// <summary>Changes the snapshot of every instance of the resource.</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.GetResolvedResourceNames())
            await PublishUpdateAsync(resource, id, stateFactory);
    }

    /// <summary>Changes the snapshot of one instance. The factory runs alone: no other change comes between what it reads and writes.</summary>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        string? before, after;
        lock (_lock)
        {
            var known = _current.GetValueOrDefault(resourceId);
            if (known is not null && known.Resource != resource)
                throw new InvalidOperationException($"The resource id '{resourceId}' belongs to another resource object.");
            before = known?.Snapshot.State?.Text;
            var snapshot = WithCommands(resource, stateFactory(known?.Snapshot ?? InitialSnapshot(resource)));
            after = snapshot.State?.Text;
            var change = new ResourceEvent(resource, resourceId, snapshot);
            _current[resourceId] = change;
            foreach (var watcher in _watchers)
                watcher.Writer.TryWrite(change);
        }

        if (before != after)
            _logger.LogDebug("Resource {ResourceId}: {Before} -> {After}", resourceId, before, after);
        return Task.CompletedTask;
    }

    /// <summary>The current state of every instance, then each change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var subscription = Subscribe();
        foreach (var current in subscription.Current)
            yield return current;
        await foreach (var change in subscription.Changes.ReadAllAsync(cancellationToken))
            yield return change;
    }

    /// <summary>Finds an instance by its id or, where a resource has only one, by the resource's name.</summary>
    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        lock (_lock)
        {
            if (!_current.TryGetValue(resourceId, out resourceEvent) && InstancesOf_NeedsLock(resourceId) is [var only])
                resourceEvent = only;
            return resourceEvent is not null;
        }
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [string.IsNullOrEmpty(targetState) ? KnownResourceStates.Running : targetState], cancellationToken);

    public async Task<string> WaitForResourceAsync(string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var targets = targetStates.ToArray();
        var reached = await WaitAsync(resourceName, e => targets.Contains(e.Snapshot.State?.Text, StringComparer.OrdinalIgnoreCase),
            $"to enter one of the states [{string.Join(", ", targets)}]", cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    public Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default) =>
        WaitAsync(resourceName, predicate, "to meet a condition", cancellationToken);

    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, _defaultWaitBehavior, cancellationToken);

    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        var reached = await WaitAsync(resourceName, e => e.Snapshot.HealthStatus == HealthStatus.Healthy
            || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && HasEnded(e.Snapshot)), "to become healthy", cancellationToken);
        return reached.Snapshot.HealthStatus == HealthStatus.Healthy
            ? reached
            : throw new DistributedApplicationException($"Resource '{resourceName}' has entered the '{reached.Snapshot.State?.Text}' state, and will not become healthy.");
    }

    /// <summary>
    /// Returns when all that the resource waits for is there, each dependency with all its replicas at once, and throws
    /// when one of them has failed and waiting on would be in vain.
    /// </summary>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        if (!resource.TryGetAnnotationsOfType<WaitAnnotation>(out var waits))
            return;
        // One replica may be restarted while the others run: those keep their state.
        await PublishUpdateAsync(resource, s =>
            s.State?.Text is not { } state || state == KnownResourceStates.Starting ? s with { State = KnownResourceStates.Waiting } : s);
        using var firstFailure = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await foreach (var done in Task.WhenEach(waits.Select(w => WaitForDependencyAsync(resource, w, firstFailure.Token))))
                await done;
        }
        finally
        {
            await firstFailure.CancelAsync();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var watcher in _watchers)
                watcher.Writer.TryComplete();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>What is known, and all that follows, with nothing missing or twice in between.</summary>
    internal Subscription Subscribe()
    {
        var channel = Channel.CreateUnbounded<ResourceEvent>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock)
        {
            if (_disposed)
                channel.Writer.TryComplete();
            else
                _watchers.Add(channel);
            return new Subscription(this, channel, [.. _current.Values]);
        }
    }

    private async Task WaitForDependencyAsync(IResource resource, WaitAnnotation wait, CancellationToken cancellationToken)
    {
        var name = wait.Resource.Name;
        var fatal = wait.WaitType == WaitType.WaitForCompletion || (wait.WaitBehavior ?? _defaultWaitBehavior) == WaitBehavior.StopOnResourceUnavailable;
        var log = _loggers.GetLogger(resource);
        log.LogInformation("Waiting for resource '{Resource}' to {Goal}.", name, wait.WaitType switch
        {
            WaitType.WaitForCompletion => "complete",
            WaitType.WaitUntilStarted => "start",
            _ => "become healthy",
        });
        string? reported = null;
        await WaitAsync(name, _ =>
        {
            var (ready, failure) = Assess(wait);
            if (failure is not null && fatal)
            {
                log.LogError("{Failure}", failure);
                throw new DistributedApplicationException(failure);
            }

            if (failure is not null && failure != reported)
                log.LogWarning("{Failure} Waiting until it is started again.", reported = failure);
            return ready;
        }, $"for '{resource.Name}'", cancellationToken);
        log.LogInformation("Finished waiting for resource '{Resource}'.", name);
    }

    /// <summary>Whether all replicas are where the wait wants them, or which of them has failed.</summary>
    private (bool Ready, string? Failure) Assess(WaitAnnotation wait)
    {
        var ids = wait.Resource.GetResolvedResourceNames();
        var ready = true;
        foreach (var id in ids)
        {
            var snapshot = TryGetCurrentState(id, out var current) ? current.Snapshot : null;
            var state = snapshot?.State?.Text;
            var ended = HasEnded(snapshot);
            var completes = wait.WaitType == WaitType.WaitForCompletion;
            if (ended && !(completes && state != KnownResourceStates.FailedToStart && (snapshot!.ExitCode ?? wait.ExitCode) == wait.ExitCode))
            {
                var exitCode = snapshot!.ExitCode is { } code ? $" with exit code {code}" + (completes ? $", expected {wait.ExitCode}" : "") : "";
                return (false, $"Resource '{(ids.Count > 1 ? id : wait.Resource.Name)}' has entered the '{state}' state{exitCode}.");
            }

            ready &= completes ? ended : state == KnownResourceStates.Running && (wait.WaitType == WaitType.WaitUntilStarted || snapshot!.HealthStatus == HealthStatus.Healthy);
        }

        return (ready, null);
    }

    private static bool HasEnded(CustomResourceSnapshot? snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot?.State?.Text);

    private async Task<ResourceEvent> WaitAsync(string resourceName, Func<ResourceEvent, bool> predicate, string goal, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in WatchAsync(cancellationToken))
            {
                if (change.Resource.Name.Equals(resourceName, StringComparison.OrdinalIgnoreCase) && predicate(change))
                    return change;
            }
        }
        catch (OperationCanceledException exception)
        {
            throw new OperationCanceledException(Describe(resourceName, goal), exception, exception.CancellationToken);
        }

        throw new OperationCanceledException(Describe(resourceName, goal));
    }

    private string Describe(string resourceName, string goal)
    {
        lock (_lock)
        {
            var instances = InstancesOf_NeedsLock(resourceName).Select(i => $" '{i.ResourceId}' is {i.Snapshot.State?.Text ?? "not known yet"}" + string.Concat(
                i.Snapshot.HealthReports.Select(r => $", {r.Name}: {r.Status?.ToString() ?? "no report yet"} {r.Description} {r.ExceptionText}".TrimEnd())) + ".");
            return $"Waiting for resource '{resourceName}' {goal} was cancelled.{string.Concat(instances)}";
        }
    }

    private ResourceEvent[] InstancesOf_NeedsLock(string resourceName) =>
        [.. _current.Values.Where(e => e.Resource.Name.Equals(resourceName, StringComparison.OrdinalIgnoreCase))];

    private CustomResourceSnapshot InitialSnapshot(IResource resource) => new()
    {
        ResourceType = resource.GetType().Name,
        Properties = [],
        CreationTimeStamp = Time.GetUtcNow().UtcDateTime,
        Relationships =
        [
            .. resource is IResourceWithParent child ? [new RelationshipSnapshot(child.Parent.Name, "Parent")] : Array.Empty<RelationshipSnapshot>(),
            .. resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(r => new RelationshipSnapshot(r.Resource.Name, r.Type)),
        ],
        // Without these a running resource would count as healthy until its first check has answered.
        HealthReports = [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(h => new HealthReportSnapshot(h.Key, null, null, null))],
    };

    private CustomResourceSnapshot WithCommands(IResource resource, CustomResourceSnapshot snapshot)
    {
        var context = new UpdateCommandStateContext { ResourceSnapshot = snapshot, ServiceProvider = _services };
        return snapshot with { Commands = [.. resource.Annotations.OfType<ResourceCommandAnnotation>().Select(c => c.ToSnapshot(context))] };
    }

    internal sealed class Subscription(ResourceNotificationService owner, Channel<ResourceEvent> channel, IReadOnlyList<ResourceEvent> current) : IDisposable
    {
        public IReadOnlyList<ResourceEvent> Current => current;

        /// <summary>Ends when the service is disposed.</summary>
        public ChannelReader<ResourceEvent> Changes => channel.Reader;

        public void Dispose()
        {
            lock (owner._lock)
                owner._watchers.Remove(channel);
        }
    }
}
