using Npgsql;
using NpgsqlTypes;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>Appends entries to the chains of their tenants: one transaction, which holds the ends of the chains until its commit.</summary>
internal sealed class AuditAppender(NpgsqlDataSource dataSource, AuditKey key, TimeProvider time, AuditInstruments instruments)
{
    private const int CommandTimeoutSeconds = 4;

    private static readonly string[] Limits =
        ["set local lock_timeout = '2s'", "set local statement_timeout = '4s'", "set local idle_in_transaction_session_timeout = '4s'"];

    // In order, so that no two writers wait for each other.
    private const string Begin = "insert into realtime.audit_heads (tenant) select unnest($1::text[]) order by 1 on conflict do nothing";

    private const string Lock = """
        select tenant, seq, hash, written_at, checkpoint, clock_timestamp() from realtime.audit_heads where tenant = any($1) order by tenant for update
        """;

    private const string FindWritten = "select id from realtime.audit where id = any($1)";

    private const string Insert = """
        insert into realtime.audit (tenant, seq, id, at, written_at, action, actor, target, code, connection, origin, count, details, checkpoint, key_id, prev, hash)
        select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[],
          $10::text[], $11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::text[], $16::bytea[], $17::bytea[])
        """;

    private const string Advance = """
        update realtime.audit_heads h set seq = n.seq, hash = n.hash, written_at = n.written_at
          from unnest($1::text[], $2::bigint[], $3::bytea[], $4::timestamptz[]) n (tenant, seq, hash, written_at) where h.tenant = n.tenant
        """;

    // Months that are known to have their tables. Of the one writer.
    private readonly HashSet<DateOnly> _months = [];

    /// <param name="entries">What is to be on record, in order.</param>
    /// <param name="again">They may have been written before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="NpgsqlException">Nothing was written, or the answer was lost.</exception>
    public async Task AppendAsync(IReadOnlyList<AuditEntry> entries, bool again, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var heads = await LockAsync(connection, entries, cancellationToken);
        if (again)
        {
            var written = await FindWrittenAsync(connection, entries, cancellationToken);
            entries = [.. entries.Where(entry => !written.Contains(entry.Id))];
        }

        var rows = new List<AuditRow>(entries.Count);
        foreach (var entry in entries)
        {
            var row = ToRow(entry, heads[entry.Tenant]).Chain(key);
            heads[entry.Tenant] = heads[entry.Tenant] with { Seq = row.Seq, Hash = row.Hash };
            rows.Add(row);
        }

        if (rows.Count > 0)
        {
            var made = await MakeMonthsAsync(connection, rows, cancellationToken);
            await WriteAsync(connection, rows, heads, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            _months.UnionWith(made);
        }

        instruments.Appended(time.GetElapsedTime(started));
    }

    private AuditRow ToRow(AuditEntry entry, AuditHead head) => new()
    {
        Tenant = entry.Tenant,
        Seq = head.Seq + 1,
        Id = entry.Id,
        At = AuditTime.Cut(entry.At),
        WrittenAt = head.WrittenAt,
        Action = entry.Action.Name,
        Actor = entry.Actor.ToString(),
        Target = entry.Target,
        Code = entry.Code,
        Connection = entry.Source.Connection,
        Origin = entry.Source.Range,
        Count = entry.Count,
        Details = entry.DetailsJson(),
        Checkpoint = head.Checkpoint,
        KeyId = key.Id,
        Prev = head.Hash,
    };

    /// <summary>The ends of the chains, with the time at which they are continued.</summary>
    private async Task<Dictionary<string, AuditHead>> LockAsync(NpgsqlConnection connection, IReadOnlyList<AuditEntry> entries, CancellationToken cancellationToken)
    {
        var tenants = entries.Select(entry => entry.Tenant).Distinct(StringComparer.Ordinal).ToArray();
        await using var batch = new NpgsqlBatch(connection) { Timeout = CommandTimeoutSeconds };
        foreach (var limit in Limits)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(limit));
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand(Begin) { Parameters = { new() { Value = tenants } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Lock) { Parameters = { new() { Value = tenants } } });
        var heads = new Dictionary<string, AuditHead>(StringComparer.Ordinal);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (writtenAt, now) = (reader.GetFieldValue<DateTimeOffset>(3), reader.GetFieldValue<DateTimeOffset>(5));
            heads[reader.GetString(0)] = new AuditHead(
                reader.GetInt64(1), reader.GetFieldValue<byte[]>(2), AuditTime.After(writtenAt, time.GetUtcNow(), now), reader.GetInt64(4));
        }

        return heads;
    }

    private static async Task<HashSet<Guid>> FindWrittenAsync(NpgsqlConnection connection, IReadOnlyList<AuditEntry> entries, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(FindWritten, connection)
        {
            CommandTimeout = CommandTimeoutSeconds,
            Parameters = { new() { Value = entries.Select(entry => entry.Id).ToArray() } },
        };
        var written = new HashSet<Guid>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            written.Add(reader.GetGuid(0));
        }

        return written;
    }

    private async Task<IReadOnlyList<DateOnly>> MakeMonthsAsync(NpgsqlConnection connection, List<AuditRow> rows, CancellationToken cancellationToken)
    {
        var missing = rows.Select(row => AuditTime.MonthOf(row.WrittenAt)).Distinct().Where(month => !_months.Contains(month)).ToList();
        foreach (var month in missing)
        {
            await AuditTime.MakeMonthAsync(connection, month, cancellationToken);
        }

        return missing;
    }

    private static async Task WriteAsync(NpgsqlConnection connection, List<AuditRow> rows, Dictionary<string, AuditHead> heads, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            Timeout = CommandTimeoutSeconds,
            BatchCommands =
            {
                new NpgsqlBatchCommand(Insert)
                {
                    Parameters =
                    {
                        Column(rows, row => row.Tenant),
                        Column(rows, row => row.Seq),
                        Column(rows, row => row.Id),
                        Column(rows, row => row.At),
                        Column(rows, row => row.WrittenAt),
                        Column(rows, row => row.Action),
                        Column(rows, row => row.Actor),
                        Column(rows, row => row.Target),
                        Column(rows, row => row.Code),
                        Column(rows, row => row.Connection),
                        Column(rows, row => row.Origin),
                        Column(rows, row => row.Count),
                        Column(rows, row => row.Details),
                        Column(rows, row => row.Checkpoint),
                        Column(rows, row => row.KeyId),
                        Column(rows, row => row.Prev),
                        Column(rows, row => row.Hash),
                    },
                },
                new NpgsqlBatchCommand(Advance)
                {
                    Parameters =
                    {
                        Column(heads, head => head.Key), Column(heads, head => head.Value.Seq), Column(heads, head => head.Value.Hash), Column(heads, head => head.Value.WrittenAt),
                    },
                },
            },
        };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlParameter Column<TRow, T>(IReadOnlyCollection<TRow> rows, Func<TRow, T> value) => new() { Value = rows.Select(value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | TypeOf<T>() };

    private static NpgsqlDbType TypeOf<T>() => typeof(T) switch
    {
        var type when type == typeof(long) => NpgsqlDbType.Bigint,
        var type when type == typeof(Guid) => NpgsqlDbType.Uuid,
        var type when type == typeof(DateTimeOffset) => NpgsqlDbType.TimestampTz,
        var type when type == typeof(byte[]) => NpgsqlDbType.Bytea,
        _ => NpgsqlDbType.Text,
    };
}

/// <summary>The times of a chain.</summary>
internal static class AuditTime
{
    /// <summary>To the microsecond, as the database keeps it.</summary>
    public static DateTimeOffset Cut(DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);

    /// <summary>Now, but not before the last time, and not ahead of the database: one node's clock must not lead the chain into the future.</summary>
    public static DateTimeOffset After(DateTimeOffset last, DateTimeOffset node, DateTimeOffset database)
    {
        var now = node < database ? node : database;
        return Cut(now > last ? now : last);
    }

    public static DateOnly MonthOf(DateTimeOffset time) => new(time.UtcDateTime.Year, time.UtcDateTime.Month, 1);

    /// <summary>Makes the tables of a month, if they are missing.</summary>
    public static async Task MakeMonthAsync(NpgsqlConnection connection, DateOnly month, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select realtime.create_audit_partitions($1)", connection)
        {
            Parameters = { new() { Value = new DateTimeOffset(month.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero) } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
