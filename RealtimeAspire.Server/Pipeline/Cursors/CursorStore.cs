using System.Data.Common;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.Cursors;

/// <summary>How far each consumer, a device of a user, has acknowledged a topic. In Postgres, whatever log the topic is in.</summary>
internal sealed class CursorStore(NpgsqlDataSource? dataSource)
{
    private const int CommandTimeoutSeconds = 2;

    private const int MaxConsumers = 100;

    // Acknowledges that cross end at the highest, whoever comes last. First ones that cross may each be one more than there is room for. What has not been used for a month
    // takes no room: browsers forget who they are.
    private const string Advance = """
        with room as (
          select exists (select from realtime.cursors where tenant = $1 and user_id = $2 and consumer = $3 and topic = $4)
              or (select count(*) from (select from realtime.cursors
                   where tenant = $1 and user_id = $2 and topic = $4 and updated_at > now() - interval '30 days' limit $7) used) < $7 as is_there),
        moved as (
          insert into realtime.cursors as c (tenant, user_id, consumer, topic, epoch, "offset", updated_at)
          select $1, $2, $3, $4, $5, $6, now() from room where is_there
              on conflict (tenant, user_id, consumer, topic) do update set epoch = excluded.epoch, "offset" = excluded."offset", updated_at = excluded.updated_at
           where c.epoch <> excluded.epoch or c."offset" < excluded."offset")
        select is_there from room
        """;

    private const string Find = """
        select epoch, "offset" from realtime.cursors where tenant = $1 and user_id = $2 and consumer = $3 and topic = $4
        """;

    /// <summary>Everything up to the position is done with. Never moves back: an offset that is lower than the cursor's changes nothing.</summary>
    /// <param name="caller">Whose cursor it is.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="consumer">Untrusted; validated here.</param>
    /// <param name="position">Untrusted; compared with <paramref name="tip"/>.</param>
    /// <param name="tip">The topic's tip at this moment.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>consumer_invalid</c>, <c>position_invalid</c>, <c>quota_exceeded</c>, <c>log_unavailable</c>.</exception>
    public async Task AcknowledgeAsync(
        Caller caller, TopicName topic, string consumer, Position position, Position tip, CancellationToken cancellationToken)
    {
        SubscribeForm.RequireConsumer(consumer);
        if (!position.IsWellFormed || position.Epoch != tip.Epoch || position.Offset > tip.Offset)
        {
            throw new RealtimeException(ErrorCode.PositionInvalid, "The position is not one of this topic as it is now.");
        }

        try
        {
            await using var batch = DataSource.CreateBatch();
            batch.Timeout = CommandTimeoutSeconds;
            var command = CreateCommand(Advance, caller, topic, consumer);
            command.Parameters.Add(new NpgsqlParameter { Value = position.Epoch });
            command.Parameters.Add(new NpgsqlParameter { Value = position.Offset });
            command.Parameters.Add(new NpgsqlParameter { Value = (long)MaxConsumers });
            batch.BatchCommands.Add(command);
            if (await batch.ExecuteScalarAsync(cancellationToken) is not true)
            {
                throw new RealtimeException(ErrorCode.QuotaExceeded, $"A user has at most {MaxConsumers} consumers of a topic.");
            }
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    /// <summary>What the consumer has acknowledged; null when nothing. The topic may be in another epoch by now.</summary>
    /// <param name="caller">Whose cursor it is.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="consumer">Untrusted; validated here.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>consumer_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task<Position?> FindAsync(Caller caller, TopicName topic, string consumer, CancellationToken cancellationToken)
    {
        SubscribeForm.RequireConsumer(consumer);
        try
        {
            await using var batch = DataSource.CreateReading(caller.Tenant);
            batch.Timeout = CommandTimeoutSeconds;
            batch.BatchCommands.Add(CreateCommand(Find, caller, topic, consumer));
            await using var reader = await batch.ReadAsync(cancellationToken);
            return await reader.ReadAsync(cancellationToken) ? new Position(reader.GetString(0), reader.GetInt64(1)) : null;
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    private NpgsqlDataSource DataSource =>
        dataSource ?? throw new RealtimeException(ErrorCode.LogUnavailable, "This node has no Postgres, which has the cursors.");

    private static NpgsqlBatchCommand CreateCommand(string sql, Caller caller, TopicName topic, string consumer)
    {
        var command = new NpgsqlBatchCommand(sql);
        command.Parameters.Add(new NpgsqlParameter { Value = caller.Tenant });
        command.Parameters.Add(new NpgsqlParameter { Value = caller.UserId });
        command.Parameters.Add(new NpgsqlParameter { Value = consumer });
        command.Parameters.Add(new NpgsqlParameter { Value = topic.Value });
        return command;
    }

    private static RealtimeException Unavailable(DbException exception) =>
        new(ErrorCode.LogUnavailable, "The cursor cannot be reached; try again.", exception);
}
