using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>Runs the health checks of what is running: often until it is healthy, then now and then. Tells when a resource is ready.</summary>
internal sealed class ResourceHealthMonitor(
    HealthCheckService checks, DistributedApplicationModel model, ResourceNotificationService notifications, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan WhileUnhealthy = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan WhileHealthy = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(model.Resources.Select(resource => MonitorAsync(resource, stoppingToken)));

    private async Task MonitorAsync(IResource resource, CancellationToken cancellationToken)
    {
        var keys = resource.Annotations.OfType<HealthCheckAnnotation>().Select(a => a.Key).ToHashSet(StringComparer.Ordinal);
        var ready = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            await notifications.WaitForResourceAsync(resource.Name, KnownResourceStates.Running, cancellationToken);
            var healthy = keys.Count == 0 || await CheckAsync(resource, keys, cancellationToken);
            if (healthy && !ready)
            {
                ready = true;
                foreach (var annotation in resource.Annotations.OfType<ReadyAnnotation>())
                    await annotation.Callback(cancellationToken);
            }

            if (keys.Count == 0)
                return;
            await Task.Delay(healthy ? WhileHealthy : WhileUnhealthy, time, cancellationToken);
        }
    }

    private async Task<bool> CheckAsync(IResource resource, HashSet<string> keys, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            var report = await checks.CheckHealthAsync(check => keys.Contains(check.Name), limit.Token);
            var now = time.GetUtcNow().UtcDateTime;
            await PublishAsync(resource, [.. report.Entries.Select(e => new HealthReportSnapshot(e.Key, e.Value.Status, e.Value.Description, e.Value.Exception?.Message) { LastRunAt = now })]);
            return report.Status == HealthStatus.Healthy;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            await PublishAsync(resource, [.. keys.Select(key => new HealthReportSnapshot(key, HealthStatus.Unhealthy, $"No answer within {Limit.TotalSeconds} s.", null))]);
            return false;
        }
    }

    private Task PublishAsync(IResource resource, ImmutableArray<HealthReportSnapshot> reports) =>
        notifications.PublishUpdateAsync(resource, s => s with { HealthReports = reports });
}
