using Microsoft.Extensions.Logging;
using Npgsql;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>What a chain's next checkpoint follows on.</summary>
internal sealed record SealState(
    long Seq, byte[] Hash, long Number, byte[] Signature, DateTimeOffset SealedAt, long SealedSeq, long CutSeq, byte[] CutHash, long FirstNumber, DateTimeOffset Now);

/// <summary>
/// Signs what chains are. Each checkpoint is logged with its head as well, so that a copy of it exists outside the database.
/// </summary>
internal sealed partial class AuditCheckpoints(AuditKey key, AuditInstruments instruments, TimeProvider time, ILogger<AuditCheckpoints> logger)
{
    private const string FindDue = """
        select tenant from realtime.audit_heads where seq <> sealed_seq and ($1 or sealed_at <= clock_timestamp() - interval '55 s') order by tenant
        """;

    private const string Lock = """
        select seq, hash, checkpoint, signature, sealed_at, sealed_seq, cut_seq, cut_hash, first_checkpoint, clock_timestamp()
          from realtime.audit_heads where tenant = $1 for update
        """;

    private const string Insert = """
        insert into realtime.audit_checkpoints (tenant, number, at, seq, hash, cut_seq, cut_hash, first_number, key_id, prev, signature)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """;

    private const string Advance = """
        update realtime.audit_heads
           set checkpoint = $2, signature = $3, sealed_at = $4, sealed_seq = $5, cut_seq = $6, cut_hash = $7, first_checkpoint = $8
         where tenant = $1
        """;

    /// <summary>Signs every chain that has grown since its last checkpoint.</summary>
    /// <param name="connection">Which may be used for it alone.</param>
    /// <param name="all">Also those whose last one is younger than a minute.</param>
    /// <param name="cancellationToken">Ends it; what is signed stays.</param>
    public async Task SealAsync(NpgsqlConnection connection, bool all, CancellationToken cancellationToken)
    {
        foreach (var tenant in await FindDueAsync(connection, all, cancellationToken))
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var state = await LockAsync(connection, tenant, cancellationToken);
            if (state.Seq == state.SealedSeq)
            {
                continue;
            }

            // What was signed stays signed: a chain that has become shorter gets no new checkpoint over the old one.
            if (state.Seq < state.SealedSeq)
            {
                LogShortened(tenant, state.Seq, state.SealedSeq, state.Number);
                continue;
            }

            var sealing = await WriteAsync(connection, tenant, state, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            Tell(sealing);
        }
    }

    public static async Task<SealState> LockAsync(NpgsqlConnection connection, string tenant, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Lock, connection) { Parameters = { new() { Value = tenant } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new SealState(
            reader.GetInt64(0),
            reader.GetFieldValue<byte[]>(1),
            reader.GetInt64(2),
            reader.GetFieldValue<byte[]>(3),
            reader.GetFieldValue<DateTimeOffset>(4),
            reader.GetInt64(5),
            reader.GetInt64(6),
            reader.GetFieldValue<byte[]>(7),
            reader.GetInt64(8),
            reader.GetFieldValue<DateTimeOffset>(9));
    }

    /// <summary>Writes the next checkpoint, in the caller's transaction, which has locked the chain's end.</summary>
    public async Task<AuditCheckpoint> WriteAsync(NpgsqlConnection connection, string tenant, SealState state, CancellationToken cancellationToken)
    {
        var checkpoint = new AuditCheckpoint
        {
            Tenant = tenant,
            Number = state.Number + 1,
            At = AuditTime.After(state.SealedAt, time.GetUtcNow(), state.Now),
            Seq = state.Seq,
            Hash = state.Hash,
            CutSeq = state.CutSeq,
            CutHash = state.CutHash,
            FirstNumber = state.FirstNumber,
            KeyId = key.Id,
            Prev = state.Signature,
        }.Sign(key);
        await AuditTime.MakeMonthAsync(connection, AuditTime.MonthOf(checkpoint.At), cancellationToken);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                CreateCommand(
                    Insert, tenant, checkpoint.Number, checkpoint.At, checkpoint.Seq, checkpoint.Hash, checkpoint.CutSeq, checkpoint.CutHash, checkpoint.FirstNumber,
                    checkpoint.KeyId, checkpoint.Prev, checkpoint.Signature),
                CreateCommand(
                    Advance, tenant, checkpoint.Number, checkpoint.Signature, checkpoint.At, checkpoint.Seq, checkpoint.CutSeq, checkpoint.CutHash, checkpoint.FirstNumber),
            },
        };
        await batch.ExecuteNonQueryAsync(cancellationToken);
        return checkpoint;
    }

    /// <summary>After its commit.</summary>
    public void Tell(AuditCheckpoint checkpoint)
    {
        instruments.Sealed(checkpoint.Tenant);
        if (logger.IsEnabled(LogLevel.Information))
        {
            var hash = Convert.ToHexStringLower(checkpoint.Hash);
            LogSealed(checkpoint.Number, checkpoint.Tenant, checkpoint.Seq, hash, checkpoint.Count);
        }
    }

    private static async Task<IReadOnlyList<string>> FindDueAsync(NpgsqlConnection connection, bool all, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(FindDue, connection) { Parameters = { new() { Value = all } } };
        var due = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            due.Add(reader.GetString(0));
        }

        return due;
    }

    private static NpgsqlBatchCommand CreateCommand(string sql, params ReadOnlySpan<object> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }

    [LoggerMessage(EventId = 1511, Level = LogLevel.Information, Message = "Audit checkpoint {Number}: {Tenant}:{Seq}:{Hash}, {Rows} rows")]
    private partial void LogSealed(long number, string tenant, long seq, string hash, long rows);

    [LoggerMessage(EventId = 1512, Level = LogLevel.Critical, Message = "The audit chain of {Tenant} ends at {Seq}, before row {SealedSeq} of its checkpoint {Number}. Run the verifier")]
    private partial void LogShortened(string tenant, long seq, long sealedSeq, long number);
}
