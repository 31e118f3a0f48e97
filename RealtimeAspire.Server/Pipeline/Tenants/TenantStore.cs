using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>The table of tenants. Every node is told of a change by the database itself.</summary>
internal sealed class TenantStore(NpgsqlDataSource dataSource)
{
    private const int CommandTimeoutSeconds = 5;

    private const string Columns = """
        tenant, created_at, suspended_at, reason, connections, topics, subscriptions_per_connection, publishes_per_second, payload_bytes, retention_days
        """;

    private const string ReadAll = $"select {Columns} from realtime.tenants order by tenant";
    private const string ReadOne = $"select {Columns} from realtime.tenants where tenant = $1";

    // The time of a suspension is that of its beginning.
    private const string Upsert = $"""
        insert into realtime.tenants as t (tenant, suspended_at, reason, connections, topics, subscriptions_per_connection, publishes_per_second, payload_bytes, retention_days)
        values ($1, case when $2 then now() end, $3, $4, $5, $6, $7, $8, $9)
            on conflict (tenant) do update set
               suspended_at = case when $2 then coalesce(t.suspended_at, now()) end, reason = excluded.reason,
               connections = excluded.connections, topics = excluded.topics, subscriptions_per_connection = excluded.subscriptions_per_connection,
               publishes_per_second = excluded.publishes_per_second, payload_bytes = excluded.payload_bytes, retention_days = excluded.retention_days
        returning {Columns}
        """;

    private const string Delete = "delete from realtime.tenants where tenant = $1";

    /// <summary>All there are, by name.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<Tenant>> ReadAllAsync(CancellationToken cancellationToken) => ReadAsync(ReadAll, [], cancellationToken);

    /// <returns>Null: there is none of this name.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<Tenant?> FindAsync(string tenant, CancellationToken cancellationToken) =>
        (await ReadAsync(ReadOne, [new NpgsqlParameter { Value = tenant }], cancellationToken)).SingleOrDefault();

    /// <summary>Makes a tenant what is said here.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<Tenant> WriteAsync(string tenant, bool isSuspended, string? reason, TenantQuotas quotas, CancellationToken cancellationToken)
    {
        NpgsqlParameter[] parameters =
        [
            new() { Value = tenant },
            new() { Value = isSuspended },
            new() { Value = reason ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
            ToParameter(quotas.Connections),
            ToParameter(quotas.Topics),
            ToParameter(quotas.SubscriptionsPerConnection),
            ToParameter(quotas.PublishesPerSecond),
            ToParameter(quotas.PayloadBytes),
            ToParameter(quotas.RetentionDays),
        ];
        return (await ReadAsync(Upsert, parameters, cancellationToken)).Single();
    }

    /// <summary>Forgets a tenant. What it has stored stays.</summary>
    /// <returns>False: there was none of this name.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> DeleteAsync(string tenant, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand(Delete);
            command.CommandTimeout = CommandTimeoutSeconds;
            command.Parameters.Add(new NpgsqlParameter { Value = tenant });
            return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    private async Task<IReadOnlyList<Tenant>> ReadAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand(sql);
            command.CommandTimeout = CommandTimeoutSeconds;
            command.Parameters.AddRange(parameters);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            List<Tenant> tenants = [];
            while (await reader.ReadAsync(cancellationToken))
            {
                tenants.Add(ToTenant(reader));
            }

            return tenants;
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    private static Tenant ToTenant(NpgsqlDataReader reader)
    {
        return new Tenant(
            reader.GetString(0),
            reader.GetFieldValue<DateTimeOffset>(1),
            reader.IsDBNull(2) ? null : reader.GetFieldValue<DateTimeOffset>(2),
            reader.IsDBNull(3) ? null : reader.GetString(3),
            new TenantQuotas
            {
                Connections = Number(4),
                Topics = Number(5),
                SubscriptionsPerConnection = Number(6),
                PublishesPerSecond = Number(7),
                PayloadBytes = Number(8),
                RetentionDays = Number(9),
            });

        int? Number(int column) => reader.IsDBNull(column) ? null : reader.GetInt32(column);
    }

    private static NpgsqlParameter ToParameter(int? number) => new() { Value = number ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer };

    private static RealtimeException Unavailable(DbException exception) =>
        new(ErrorCode.LogUnavailable, "The tenants cannot be reached; try again.", exception);
}
