using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>
/// Writes what waits in the <see cref="AuditTrail"/>, in batches. While Postgres is away it tries again, and entries wait.
/// </summary>
internal sealed partial class AuditWriter(AuditTrail trail, AuditAppender appender, AuditInstruments instruments, TimeProvider time, ILogger<AuditWriter> logger)
    : BackgroundService
{
    private const int BatchEntries = 500;

    /// <summary>What is being counted is written at the latest so long after its minute.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(2);

    /// <summary>How long a node that stops goes on trying: where everything stops at once, Postgres may be gone already.</summary>
    private static readonly TimeSpan LastPatience = TimeSpan.FromMilliseconds(300);

    // What is in hand may have been written by a transaction whose answer was lost.
    private bool _again;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        trail.Open();
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        var left = trail.Close();
        if (left > 0)
        {
            LogLeft(left);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            await trail.WaitForEntriesAsync(Pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await WriteWaitingAsync(all: false, stoppingToken);
        }

        using var patience = new CancellationTokenSource(LastPatience, time);
        await WriteWaitingAsync(all: true, patience.Token);
    }

    private async Task WriteWaitingAsync(bool all, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested && trail.Take(BatchEntries, all) is { Count: > 0 } batch)
        {
            if (!await WriteAsync(batch, cancellationToken))
            {
                trail.PutBack(batch);
                return;
            }

            trail.Finish();
        }
    }

    /// <returns>False: there was no more time.</returns>
    private async Task<bool> WriteAsync(IReadOnlyList<PendingEntry> batch, CancellationToken cancellationToken)
    {
        var retry = FirstRetry;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await appender.AppendAsync([.. batch.Select(pending => pending.Entry)], _again, cancellationToken);
                Confirm(batch);
                return true;
            }
            // A number that is taken already is no fault of the entries: somebody has changed the chain.
            catch (Exception exception) when (PostgresFailure.IsData(exception) && exception is not PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
            {
                return batch.Count == 1 ? Refuse(batch[0], exception) : await WriteOneByOneAsync(batch, cancellationToken);
            }
            // Nobody above could do better: it is logged and tried again.
#pragma warning disable CA1031
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogRetry(trail.Waiting, exception);
            }
            catch (OperationCanceledException)
            {
                // There is no more time.
            }

            _again = true;
            await Task.Delay(retry, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            retry = TimeSpan.FromTicks(Math.Min(retry.Ticks * 2, LastRetry.Ticks));
        }

        return false;
    }

    private async Task<bool> WriteOneByOneAsync(IReadOnlyList<PendingEntry> batch, CancellationToken cancellationToken)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            if (!await WriteAsync([batch[i]], cancellationToken))
            {
                return false;
            }
        }

        return true;
    }

    private void Confirm(IReadOnlyList<PendingEntry> batch)
    {
        if (_again)
        {
            _again = false;
            LogRestored();
        }

        foreach (var pending in batch)
        {
            instruments.Written(pending.Entry.Tenant, pending.Entry.Action);
            pending.Done?.TrySetResult();
        }
    }

    private bool Refuse(PendingEntry pending, Exception exception)
    {
        LogRefused(exception, pending.Entry.Action.Name);
        instruments.Dropped(pending.Entry.Tenant, pending.Entry.Count);
        pending.Done?.TrySetException(new RealtimeException(ErrorCode.AuditUnavailable));
        return true;
    }

    private void LogRetry(int waiting, Exception exception)
    {
        if (exception is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            LogOccupied(waiting);
        }
        else if (!_again)
        {
            LogWaiting(waiting, exception.Message);
        }
    }

    [LoggerMessage(EventId = 1501, Level = LogLevel.Warning, Message = "The audit trail cannot be written, and is tried again; {Waiting} entries wait: {Reason}")]
    private partial void LogWaiting(int waiting, string reason);

    [LoggerMessage(EventId = 1502, Level = LogLevel.Information, Message = "The audit trail is written again")]
    private partial void LogRestored();

    [LoggerMessage(EventId = 1503, Level = LogLevel.Error, Message = "The database does not take an audit entry {Action}, which is dropped")]
    private partial void LogRefused(Exception exception, string action);

    [LoggerMessage(EventId = 1504, Level = LogLevel.Critical, Message = "The end of an audit chain was changed: its next number is taken. Run the verifier; {Waiting} entries wait")]
    private partial void LogOccupied(int waiting);

    [LoggerMessage(EventId = 1505, Level = LogLevel.Error, Message = "The node stops, and {Left} audit entries were not written")]
    private partial void LogLeft(int left);
}
