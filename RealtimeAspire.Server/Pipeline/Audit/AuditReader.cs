using System.Data.Common;
using System.Text.Json;
using Npgsql;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>An entry of the trail for who may read it.</summary>
/// <param name="Seq">Its number within the tenant.</param>
/// <param name="At">When it happened.</param>
/// <param name="Action">What was done.</param>
/// <param name="Actor">Who did it: <c>user:…</c>, <c>key:…</c>, <c>system</c>, <c>unknown</c>, or <c>many</c> for several.</param>
/// <param name="Target">What it was done to.</param>
/// <param name="Code">The outcome: <c>ok</c>, or why not.</param>
/// <param name="Connection">The connection it came over.</param>
/// <param name="Origin">The range of addresses it came from.</param>
/// <param name="Count">How many of the same it stands for.</param>
/// <param name="Details">A few facts more.</param>
internal sealed record AuditItem(
    long Seq, DateTimeOffset At, string Action, string Actor, string? Target, string Code, string? Connection, string? Origin, long Count, JsonElement? Details);

/// <summary>A page of the trail.</summary>
/// <param name="Entries">Ascending.</param>
/// <param name="Seq">Where the next page goes on.</param>
/// <param name="Complete">There is nothing behind it at the moment.</param>
internal sealed record AuditPage(IReadOnlyList<AuditItem> Entries, long Seq, bool Complete);

/// <summary>Reads a tenant's trail.</summary>
internal sealed class AuditReader(NpgsqlDataSource? dataSource)
{
    private const int CommandTimeoutSeconds = 10;

    private const string Read = """
        select seq, at, action, actor, target, code, connection, origin, count, details
          from realtime.audit where tenant = $1 and seq > $2 order by seq limit $3
        """;

    /// <param name="tenant">Whose.</param>
    /// <param name="after">The last number that is known.</param>
    /// <param name="limit">The most entries.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>audit_unavailable</c>.</exception>
    public async Task<AuditPage> ReadAsync(string tenant, long after, int limit, CancellationToken cancellationToken)
    {
        if (dataSource is null)
        {
            throw new RealtimeException(ErrorCode.AuditUnavailable, "This node has no Postgres, which has the audit trail.");
        }

        try
        {
            await using var command = dataSource.CreateCommand(Read);
            command.CommandTimeout = CommandTimeoutSeconds;
            command.Parameters.Add(new NpgsqlParameter { Value = tenant });
            command.Parameters.Add(new NpgsqlParameter { Value = after });
            command.Parameters.Add(new NpgsqlParameter { Value = (long)limit + 1 });
            var entries = new List<AuditItem>();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                entries.Add(ToItem(reader));
            }

            var complete = entries.Count <= limit;
            if (!complete)
            {
                entries.RemoveAt(limit);
            }

            return new AuditPage(entries, entries.Count > 0 ? entries[^1].Seq : after, complete);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.AuditUnavailable, "The audit trail cannot be read; try again.", exception);
        }
    }

    private static AuditItem ToItem(NpgsqlDataReader reader) => new(
        reader.GetInt64(0),
        reader.GetFieldValue<DateTimeOffset>(1),
        reader.GetString(2),
        reader.GetString(3),
        reader.IsDBNull(4) ? null : reader.GetString(4),
        reader.GetString(5),
        reader.IsDBNull(6) ? null : reader.GetString(6),
        reader.IsDBNull(7) ? null : reader.GetString(7),
        reader.GetInt64(8),
        reader.IsDBNull(9) ? null : ToDetails(reader.GetString(9)));

    /// <summary>What was tampered with is read as well as it can be: it is the verifier that judges it.</summary>
    private static JsonElement ToDetails(string json)
    {
        try
        {
            return JsonElement.Parse(json);
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(json);
        }
    }
}
