using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>
/// Removes the months of the trail whose time is over, whole. In the same transaction a checkpoint of each chain signs up to which row
/// that was: the rest of the chain still has something to hold on to, and nothing else may be missing.
/// </summary>
internal sealed partial class AuditPruning(
    AuditCheckpoints checkpoints, AuditTrail trail, IOptions<RealtimeOptions> options, TimeProvider time, ILogger<AuditPruning> logger)
{
    private const string MonthFormat = "yyyyMM";

    private const string FindMonths = """
        select right(c.relname, 6) from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'realtime.audit'::regclass and c.relname ~ '^audit_\d{6}$' order by 1
        """;

    /// <param name="connection">Which may be used for it alone.</param>
    /// <param name="cancellationToken">Ends it; each month is removed whole or not at all.</param>
    public async Task PruneAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A node whose clock is ahead must not remove what is still to be kept.
        var database = new DateTimeOffset(await connection.ReadAsync<DateTime>("select clock_timestamp()", cancellationToken));
        var before = AuditTime.After(DateTimeOffset.MinValue, time.GetUtcNow(), database) - options.Value.Audit.Retention;
        foreach (var name in await connection.ReadAllAsync<string>(FindMonths, cancellationToken))
        {
            var month = DateOnly.ParseExact(name, MonthFormat, CultureInfo.InvariantCulture);
            var end = new DateTimeOffset(month.AddMonths(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
            if (end > before)
            {
                return;
            }

            await PruneAsync(connection, name, end, cancellationToken);
        }
    }

    private async Task PruneAsync(NpgsqlConnection connection, string month, DateTimeOffset end, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.RunAsync("set local lock_timeout = '2s'", cancellationToken);
        var tenants = await connection.ReadAllAsync<string>(
            $"select tenant from realtime.audit_{month} union select tenant from realtime.audit_checkpoints_{month} order by 1", cancellationToken);
        var cuts = new List<(AuditCheckpoint Checkpoint, long Rows)>();
        foreach (var tenant in tenants)
        {
            var state = await AuditCheckpoints.LockAsync(connection, tenant, cancellationToken);
            var cut = await ReadCutAsync(connection, tenant, month, end, state, cancellationToken);
            cuts.Add((await checkpoints.WriteAsync(connection, tenant, cut, cancellationToken), cut.CutSeq - state.CutSeq));
        }

        await connection.RunAsync($"drop table realtime.audit_{month}, realtime.audit_checkpoints_{month}", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        LogPruned(month);
        foreach (var (checkpoint, rows) in cuts)
        {
            checkpoints.Tell(checkpoint);
            trail.Record(AuditAction.Pruned, checkpoint.Tenant, AuditActor.System, month, details: [("rows", $"{rows}"), ("through", $"{checkpoint.CutSeq}")]);
        }
    }

    /// <summary>Where the chain begins when the month is gone.</summary>
    private static async Task<SealState> ReadCutAsync(
        NpgsqlConnection connection, string tenant, string month, DateTimeOffset end, SealState state, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand($"select seq, hash from realtime.audit_{month} where tenant = $1 order by seq desc limit 1") { Parameters = { new() { Value = tenant } } },
                new NpgsqlBatchCommand("select min(number) from realtime.audit_checkpoints where tenant = $1 and at >= $2")
                {
                    Parameters = { new() { Value = tenant }, new() { Value = end } },
                },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        if (await reader.ReadAsync(cancellationToken))
        {
            state = state with { CutSeq = reader.GetInt64(0), CutHash = reader.GetFieldValue<byte[]>(1) };
        }

        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return state with { FirstNumber = await reader.IsDBNullAsync(0, cancellationToken) ? state.Number + 1 : reader.GetInt64(0) };
    }

    [LoggerMessage(EventId = 1513, Level = LogLevel.Information, Message = "Removed {Month} from the audit trail: it is past its retention")]
    private partial void LogPruned(string month);
}
