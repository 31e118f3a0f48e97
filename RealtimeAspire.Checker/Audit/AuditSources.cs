using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Checker.Audit;

/// <summary>One piece of a trail; of the three exactly one is there. A tenant's checkpoints come first, then its rows, then its head.</summary>
internal sealed record AuditRecord(
    string Tenant,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AuditCheckpoint? Checkpoint = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AuditRow? Row = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Head = null);

/// <summary>An export: one record a line.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AuditRecord))]
internal sealed partial class AuditJson : JsonSerializerContext;

/// <summary>Where a trail is read from, piece by piece: nothing is held in memory.</summary>
internal static class AuditSources
{
    private const int PageRows = 2_000;

    private const string Checkpoints = """
        select tenant, number, at, seq, hash, cut_seq, cut_hash, first_number, key_id, prev, signature
          from realtime.audit_checkpoints where tenant = $1 order by number, at
        """;

    private const string Rows = """
        select tenant, seq, id, at, written_at, action, actor, target, code, connection, origin, count, details, checkpoint, key_id, prev, hash
          from realtime.audit where tenant = $1 order by seq, written_at
        """;

    private const string Tenants = """
        select tenant from (
          select tenant from realtime.audit_heads union select tenant from realtime.audit union select tenant from realtime.audit_checkpoints) t
         where tenant = coalesce($1, tenant) order by 1
        """;

    /// <summary>As it is at one moment, whatever is appended meanwhile.</summary>
    public static async IAsyncEnumerable<AuditRecord> FromPostgresAsync(
        string connectionString, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        var tenants = new List<string>();
        await foreach (var reader in ReadAsync(connection, Tenants, tenant, cancellationToken))
        {
            tenants.Add(reader.GetString(0));
        }

        foreach (var each in tenants)
        {
            await foreach (var reader in ReadPagesAsync(connection, Checkpoints, each, cancellationToken))
            {
                yield return new AuditRecord(each, Checkpoint: ToCheckpoint(reader));
            }

            await foreach (var reader in ReadPagesAsync(connection, Rows, each, cancellationToken))
            {
                yield return new AuditRecord(each, Row: ToRow(reader));
            }

            await foreach (var reader in ReadAsync(connection, "select seq from realtime.audit_heads where tenant = $1", each, cancellationToken))
            {
                yield return new AuditRecord(each, Head: reader.GetInt64(0));
            }
        }
    }

    public static async IAsyncEnumerable<AuditRecord> FromFileAsync(
        string path, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, cancellationToken))
        {
            number++;
            AuditRecord? record;
            try
            {
                record = JsonSerializer.Deserialize(line, AuditJson.Default.AuditRecord);
            }
            catch (JsonException exception)
            {
                throw new CannotRunException($"Line {number} of {path} is no record of an export.", exception);
            }

            if (record?.Tenant is { } its && (tenant is null || its == tenant))
            {
                yield return record;
            }
        }
    }

    private static async IAsyncEnumerable<NpgsqlDataReader> ReadAsync(
        NpgsqlConnection connection, string sql, string? tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection)
        {
            CommandTimeout = 0,
            Parameters = { new() { Value = tenant ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            yield return reader;
        }
    }

    /// <summary>Through a cursor, so that the server keeps what is not yet wanted.</summary>
    private static async IAsyncEnumerable<NpgsqlDataReader> ReadPagesAsync(
        NpgsqlConnection connection, string sql, string tenant, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A declaration takes no parameters.
        var literal = $"'{tenant.Replace("'", "''", StringComparison.Ordinal)}'";
        await using (var declare = new NpgsqlCommand($"declare pages no scroll cursor for {sql.Replace("$1", literal, StringComparison.Ordinal)}", connection))
        {
            await declare.ExecuteNonQueryAsync(cancellationToken);
        }

        var read = PageRows;
        while (read == PageRows)
        {
            read = 0;
            await using var fetch = new NpgsqlCommand($"fetch {PageRows} from pages", connection) { CommandTimeout = 0 };
            await using var reader = await fetch.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                read++;
                yield return reader;
            }
        }

        await using var close = new NpgsqlCommand("close pages", connection);
        await close.ExecuteNonQueryAsync(cancellationToken);
    }

    private static AuditCheckpoint ToCheckpoint(NpgsqlDataReader reader) => new()
    {
        Tenant = reader.GetString(0),
        Number = reader.GetInt64(1),
        At = reader.GetFieldValue<DateTimeOffset>(2),
        Seq = reader.GetInt64(3),
        Hash = reader.GetFieldValue<byte[]>(4),
        CutSeq = reader.GetInt64(5),
        CutHash = reader.GetFieldValue<byte[]>(6),
        FirstNumber = reader.GetInt64(7),
        KeyId = reader.GetString(8),
        Prev = reader.GetFieldValue<byte[]>(9),
        Signature = reader.GetFieldValue<byte[]>(10),
    };

    private static AuditRow ToRow(NpgsqlDataReader reader) => new()
    {
        Tenant = reader.GetString(0),
        Seq = reader.GetInt64(1),
        Id = reader.GetGuid(2),
        At = reader.GetFieldValue<DateTimeOffset>(3),
        WrittenAt = reader.GetFieldValue<DateTimeOffset>(4),
        Action = reader.GetString(5),
        Actor = reader.GetString(6),
        Target = TextOf(reader, 7),
        Code = reader.GetString(8),
        Connection = TextOf(reader, 9),
        Origin = TextOf(reader, 10),
        Count = reader.GetInt64(11),
        Details = TextOf(reader, 12),
        Checkpoint = reader.GetInt64(13),
        KeyId = reader.GetString(14),
        Prev = reader.GetFieldValue<byte[]>(15),
        Hash = reader.GetFieldValue<byte[]>(16),
    };

    private static string? TextOf(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
}
