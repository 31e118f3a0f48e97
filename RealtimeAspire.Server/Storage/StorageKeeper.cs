using System.Data.Common;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Brings the schema up to date before the node is ready. For as long as it runs it keeps partitions made ahead, and removes
/// what is past its retention.
/// </summary>
internal sealed partial class StorageKeeper(
    Migrator migrator,
    TopicTypeTable topicTypes,
    RetentionSweep sweep,
    NpgsqlDataSource dataSource,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<StorageKeeper> logger) : BackgroundService, IHealthCheck
{
    private const int DaysAhead = 7;
    private const int FewDaysAhead = 2;

    private static readonly TimeSpan ConnectRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PartitionInterval = TimeSpan.FromHours(1);
    private static readonly TimeSpan PartitionRetry = TimeSpan.FromMinutes(1);

    private volatile bool _ready;
    private long _partitionsUntil;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!_ready)
        {
            return Task.FromResult(HealthCheckResult.Unhealthy("The migrations have not been applied yet."));
        }

        var until = new DateTimeOffset(Interlocked.Read(ref _partitionsUntil), TimeSpan.Zero);
        var few = until - time.GetUtcNow() < TimeSpan.FromDays(FewDaysAhead);
        return Task.FromResult(few
            ? HealthCheckResult.Degraded($"Partitions are made up to {until:yyyy-MM-dd} only.")
            : HealthCheckResult.Healthy());
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            await MigrateAsync(stoppingToken);
            _ready = true;
            while (true)
            {
                var made = await CreatePartitionsAsync(stoppingToken);
                await SweepAsync(stoppingToken);
                await Task.Delay(made ? PartitionInterval : PartitionRetry, time, stoppingToken);
            }
        }
        catch (MigrationException exception)
        {
            LogMigrationFailed(exception.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private async Task MigrateAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await migrator.MigrateAsync(stoppingToken);
                await topicTypes.WriteAsync(stoppingToken);
                if (await CreatePartitionsAsync(stoppingToken))
                {
                    return;
                }
            }
            catch (DbException exception)
            {
                LogUnreachable(exception.Message);
            }

            await Task.Delay(ConnectRetry, time, stoppingToken);
        }
    }

    private async Task<bool> CreatePartitionsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand("select realtime.create_partitions($1)");
            command.Parameters.Add(new NpgsqlParameter { Value = DaysAhead });
            var made = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
            Interlocked.Exchange(ref _partitionsUntil, time.GetUtcNow().UtcDateTime.Date.AddDays(DaysAhead + 1).Ticks);
            if (made > 0)
            {
                LogPartitionsMade(made, DaysAhead);
            }

            return true;
        }
        catch (DbException exception)
        {
            LogPartitionsFailed(exception);
            return false;
        }
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await sweep.RunAsync(cancellationToken);
        }
        catch (DbException exception)
        {
            LogSweepFailed(exception);
        }
    }

    [LoggerMessage(EventId = 1411, Level = LogLevel.Warning, Message = "Postgres cannot be reached yet: {Reason}")]
    private partial void LogUnreachable(string reason);

    [LoggerMessage(EventId = 1412, Level = LogLevel.Critical, Message = "The node stops: {Reason}")]
    private partial void LogMigrationFailed(string reason);

    [LoggerMessage(EventId = 1413, Level = LogLevel.Information, Message = "Made {Made} partitions, up to {DaysAhead} days ahead")]
    private partial void LogPartitionsMade(int made, int daysAhead);

    [LoggerMessage(EventId = 1414, Level = LogLevel.Error, Message = "Partitions could not be made")]
    private partial void LogPartitionsFailed(Exception exception);

    [LoggerMessage(EventId = 1415, Level = LogLevel.Warning, Message = "What is past its retention could not be removed; it is tried again in an hour")]
    private partial void LogSweepFailed(Exception exception);
}
