using System.Data;
using System.Data.Common;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>Has the chains signed every minute and when the node stops, and pruned every hour; one node at a time.</summary>
internal sealed partial class AuditSealer(
    NpgsqlDataSource dataSource, AuditCheckpoints checkpoints, AuditPruning pruning, TimeProvider time, ILogger<AuditSealer> logger) : BackgroundService
{
    // Any number that nothing else in the database uses.
    private const long AdvisoryLock = 0x4175_6469_7453_6561;

    private const int RoundsPerPruning = 60;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(3);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var patience = new CancellationTokenSource(LastPatience, time);
        await RunAsync(prune: false, all: true, patience.Token);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        for (var round = 1; !stoppingToken.IsCancellationRequested; round++)
        {
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await RunAsync(prune: round % RoundsPerPruning == 1, all: false, stoppingToken);
        }
    }

    /// <summary>Does nothing if another node is at it.</summary>
    private async Task RunAsync(bool prune, bool all, CancellationToken cancellationToken)
    {
        try
        {
            // The lock belongs to the session: it ends with the connection, whatever happens.
            await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
            if (!await connection.ReadAsync<bool>($"select pg_try_advisory_lock({AdvisoryLock})", cancellationToken))
            {
                return;
            }

            try
            {
                await checkpoints.SealAsync(connection, all, cancellationToken);
                if (prune)
                {
                    await pruning.PruneAsync(connection, cancellationToken);
                }
            }
            finally
            {
                if (connection.State is ConnectionState.Open)
                {
                    await connection.RunAsync($"select pg_advisory_unlock({AdvisoryLock})", CancellationToken.None);
                }
            }
        }
        catch (DbException exception)
        {
            LogFailed(exception.Message);
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
    }

    [LoggerMessage(EventId = 1514, Level = LogLevel.Warning, Message = "The audit trail could not be signed or pruned; it is tried again in a minute: {Reason}")]
    private partial void LogFailed(string reason);
}
