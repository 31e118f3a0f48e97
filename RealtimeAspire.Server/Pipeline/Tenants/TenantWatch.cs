using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>
/// Keeps what this node knows of the tenants as the database has it: reads them before the node is ready, whenever they are told to
/// have changed, and again and again while that would not be heard. Then it closes the connections of those that are not taken any
/// more.
/// </summary>
internal sealed partial class TenantWatch(
    PostgresListener listener,
    TenantStore store,
    TenantRegistry registry,
    ConnectionFactory connections,
    TimeProvider time,
    ILogger<TenantWatch> logger) : BackgroundService, IHealthCheck
{
    /// <summary>While nobody would tell.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>For good measure.</summary>
    private static readonly TimeSpan QuietInterval = TimeSpan.FromSeconds(15);

    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private bool _hasFailed;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        listener.TenantsChanged += Look;
        listener.Restored += Look;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        listener.TenantsChanged -= Look;
        listener.Restored -= Look;
        await base.StopAsync(cancellationToken);
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(registry.IsRead ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("The tenants have not been read yet."));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            while (true)
            {
                var isRead = await TryReadAsync(stoppingToken);
                await WaitAsync(isRead && listener.IsListening ? QuietInterval : LookInterval, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private void Look() => _changes.Writer.TryWrite(true);

    private async Task WaitAsync(TimeSpan interval, CancellationToken stoppingToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        using var timer = time.CreateTimer(static over => ((CancellationTokenSource)over!).Cancel(), over, interval, Timeout.InfiniteTimeSpan);
        try
        {
            await _changes.Reader.ReadAsync(over.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            // It is time to look.
        }
    }

    private async Task<bool> TryReadAsync(CancellationToken stoppingToken)
    {
        try
        {
            var tenants = await store.ReadAllAsync(stoppingToken);
            _hasFailed = false;
            if (registry.TryReplace(tenants))
            {
                LogRead(tenants.Count);
                CloseRefused();
            }

            return true;
        }
        catch (RealtimeException exception)
        {
            if (!_hasFailed)
            {
                LogUnread(exception.InnerException?.Message ?? exception.Message);
            }

            _hasFailed = true;
            return false;
        }
    }

    private void CloseRefused()
    {
        var closed = 0;
        foreach (var connection in connections.Connections)
        {
            if (registry.RefusalOf(connection.Caller.Tenant) is { } refusal)
            {
                connection.Close(refusal);
                closed++;
            }
        }

        if (closed > 0)
        {
            LogClosed(closed);
        }
    }

    [LoggerMessage(EventId = 1560, Level = LogLevel.Information, Message = "Read the {Count} tenants")]
    private partial void LogRead(int count);

    [LoggerMessage(EventId = 1561, Level = LogLevel.Warning, Message = "The tenants cannot be read; what was known of them counts until they can: {Reason}")]
    private partial void LogUnread(string reason);

    [LoggerMessage(EventId = 1562, Level = LogLevel.Information, Message = "Closed {Count} connections of tenants that are not taken any more")]
    private partial void LogClosed(int count);
}
