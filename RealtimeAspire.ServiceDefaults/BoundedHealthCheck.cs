using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace RealtimeAspire.ServiceDefaults;

/// <summary>
/// Ends with its token, whatever the check itself does: Npgsql waits on for the answer to its cancellation, and the first use of Redis connects
/// without yielding the thread. A probe that hangs with its store looks like a dead node.
/// </summary>
internal sealed class BoundedHealthCheck(IHealthCheck check) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.Run(() => check.CheckHealthAsync(context, cancellationToken), cancellationToken).WaitAsync(cancellationToken);
}
