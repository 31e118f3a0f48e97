using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Writes the configured topic types to the database, where <c>realtime.publish</c> and the making of partitions read them. The
/// node that started last has its way.
/// </summary>
internal sealed class TopicTypeTable(NpgsqlDataSource dataSource, TopicCatalog catalog, IOptions<RealtimeOptions> options)
{
    // Rows that stay the same are not written: nodes that start do not wait for each other, nor for who reads.
    private const string Upsert = """
        insert into realtime.topic_types as t (type, is_default, durability, servers_publish, ephemeral_events, payload_bytes, retention_class, keep_events, id_window, requires_signature)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            on conflict (type) do update set
               is_default = excluded.is_default, durability = excluded.durability, servers_publish = excluded.servers_publish,
               ephemeral_events = excluded.ephemeral_events, payload_bytes = excluded.payload_bytes,
               retention_class = excluded.retention_class, keep_events = excluded.keep_events, id_window = excluded.id_window,
               requires_signature = excluded.requires_signature
         where row(t.*) is distinct from row(excluded.*)
        """;

    // There is one default at a time.
    private const string Forget = """
        delete from realtime.topic_types where type <> all($1)
        """;

    private const string ForgetDefault = "update realtime.topic_types set is_default = false where is_default and type is distinct from $1";

    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        var defaultType = options.Value.DefaultTopicType;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                // Two nodes that start together: one after the other.
                new NpgsqlBatchCommand("lock table realtime.topic_types in share row exclusive mode"),
                new NpgsqlBatchCommand(Forget) { Parameters = { new() { Value = catalog.Policies.Select(policy => policy.Type).ToArray() } } },
                new NpgsqlBatchCommand(ForgetDefault)
                {
                    Parameters = { new() { Value = defaultType ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text } },
                },
            },
        };
        foreach (var policy in catalog.Policies)
        {
            batch.BatchCommands.Add(ToCommand(policy, policy.Type == defaultType));
        }

        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static NpgsqlBatchCommand ToCommand(TopicPolicy policy, bool isDefault) => new(Upsert)
    {
        Parameters =
        {
            new() { Value = policy.Type },
            new() { Value = isDefault },
            new() { Value = policy.Durability.ToString().ToLowerInvariant() },
            new() { Value = policy.Publishers.HasFlag(Publishers.Servers) },
            new() { Value = policy.EphemeralEvents.ToArray() },
            new() { Value = policy.PayloadBytes },
            new() { Value = PostgresRetention.ClassOf(policy) },
            new() { Value = policy.Retention.Events ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint },
            new() { Value = policy.IdempotencyWindow },
            new() { Value = policy.Signed is SignedEvents.Required },
        },
    };
}
