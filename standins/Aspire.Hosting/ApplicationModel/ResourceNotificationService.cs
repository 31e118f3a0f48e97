using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    public IResource Resource { get; } = resource;

    public string ResourceId { get; } = resourceId;

    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}

/// <summary>
/// The current state of every resource instance, and its changes. Everything that shows or awaits a state reads it here:
/// the dashboard, <c>WaitFor</c>, tests.
/// </summary>
public class ResourceNotificationService : IDisposable
{
    private readonly ResourceLoggerService _loggers;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceEvent> _current = new(StringComparer.Ordinal);
    private readonly HashSet<Channel<ResourceEvent>> _watchers = [];
    private bool _disposed;

    internal ResourceNotificationService(ResourceLoggerService loggers) => _loggers = loggers;

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
        lock (_lock)
        {
            var known = _current.GetValueOrDefault(resourceId);
            if (known is not null && known.Resource != resource)
                throw new InvalidOperationException($"The resource id '{resourceId}' belongs to another resource object.");
            var change = new ResourceEvent(resource, resourceId, stateFactory(known?.Snapshot ?? InitialSnapshot(resource)));
            _current[resourceId] = change;
            foreach (var watcher in _watchers)
                watcher.Writer.TryWrite(change);
        }

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
        WaitForResourceAsync(resourceName, e => e.Snapshot.State?.Text == (targetState ?? KnownResourceStates.Running), cancellationToken);

    public async Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        OperationCanceledException? cancelled = null;
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
            cancelled = exception;
        }

        throw new OperationCanceledException(Describe(resourceName), cancelled, cancellationToken);
    }

    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        var reached = await WaitForResourceAsync(resourceName, e => e.Snapshot.HealthStatus == HealthStatus.Healthy
            || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && HasEnded(e.Snapshot)), cancellationToken);
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
        using var firstFailure = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await foreach (var done in Task.WhenEach(resource.Annotations.OfType<WaitAnnotation>().Select(w => WaitForDependencyAsync(resource, w, firstFailure.Token))))
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
        var log = _loggers.GetLogger(resource);
        log.LogInformation("Waiting for resource '{Resource}' to become healthy.", wait.Resource.Name);
        string? reported = null;
        await WaitForResourceAsync(wait.Resource.Name, _ =>
        {
            var (ready, failure) = Assess(wait.Resource);
            if (failure is not null && wait.Behavior == WaitBehavior.StopOnResourceUnavailable)
            {
                log.LogError("{Failure}", failure);
                throw new DistributedApplicationException(failure);
            }

            if (failure is not null && failure != reported)
                log.LogWarning("{Failure} Waiting until it is started again.", reported = failure);
            return ready;
        }, cancellationToken);
        log.LogInformation("Finished waiting for resource '{Resource}'.", wait.Resource.Name);
    }

    /// <summary>Whether all replicas are healthy, or which of them has failed.</summary>
    private (bool Ready, string? Failure) Assess(IResource resource)
    {
        var ready = true;
        foreach (var id in resource.GetResolvedResourceNames())
        {
            var snapshot = TryGetCurrentState(id, out var current) ? current.Snapshot : null;
            if (HasEnded(snapshot))
                return (false, $"Resource '{id}' has entered the '{snapshot?.State?.Text}' state{(snapshot?.ExitCode is { } code ? $" with exit code {code}" : "")}.");
            ready &= snapshot?.HealthStatus == HealthStatus.Healthy;
        }

        return (ready, null);
    }

    private static bool HasEnded(CustomResourceSnapshot? snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot?.State?.Text);

    private string Describe(string resourceName)
    {
        lock (_lock)
        {
            var instances = InstancesOf_NeedsLock(resourceName).Select(i => $" '{i.ResourceId}' is {i.Snapshot.State?.Text ?? "not known yet"}" + string.Concat(
                i.Snapshot.HealthReports.Select(r => $", {r.Name}: {r.Status?.ToString() ?? "no report yet"} {r.Description} {r.ExceptionText}".TrimEnd())) + ".");
            return $"Waiting for resource '{resourceName}' was cancelled.{string.Concat(instances)}";
        }
    }

    private ResourceEvent[] InstancesOf_NeedsLock(string resourceName) =>
        [.. _current.Values.Where(e => e.Resource.Name.Equals(resourceName, StringComparison.OrdinalIgnoreCase))];

    private static CustomResourceSnapshot InitialSnapshot(IResource resource) => new()
    {
        ResourceType = resource.GetType().Name,
        Properties = [],
        CreationTimeStamp = TimeProvider.System.GetUtcNow().UtcDateTime,
        // Without these a running resource would count as healthy until its first check has answered.
        HealthReports = [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(h => new HealthReportSnapshot(h.Key, null, null, null))],
    };

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
