using Microsoft.Extensions.Logging;
using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Removes what is past its retention, one node at a time. Days that are over for their class are dropped whole; days in which
/// few events are left above their topics' floors are rewritten. Nothing is deleted row by row, and publishes go on.
/// </summary>
/// <remarks>
/// Readers do not depend on it: they see no event that is past its retention. The floors of topics are raised first, so that
/// what is removed is never a hole in the middle of what is read, also where a topic's class has changed.
/// </remarks>
internal sealed partial class RetentionSweep(NpgsqlDataSource dataSource, PartitionCompaction compaction, ILogger<RetentionSweep> logger)
{
    // Any number that nothing else in the database uses.
    public const long AdvisoryLock = 0x5265_7465_6E74_696F;

    // A transaction that an application keeps open must not hold this up for ever, nor what waits behind this.
    private const string Settings = "set lock_timeout = '2s'; set idle_in_transaction_session_timeout = '10s'; set enable_seqscan = off; set jit = off";

    private const string FindBegun = "select partition from realtime.partition_states where dropping";

    // Materialized: only after the names are known to end with a day may they be read as such.
    private const string FindExpired = """
        with d as materialized (
          select c.relname::text as name, p.relname::text as parent
            from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
           where c.relnamespace = 'realtime'::regnamespace and c.relname ~ '^(events_[1-9]\d*|event_ids)_\d{8}$')
        select name from d
         where (right(name, 8)::date + 1)::timestamp at time zone 'utc' <= now() - case parent
             when 'event_ids' then (select coalesce(max(id_window), '1 day') from realtime.topic_types where durability = 'durable') + interval '1 day'
             else substr(parent, 8)::integer * interval '1 day' end
         order by name
        """;

    private const string FindState = """
        select inhdetachpending from pg_inherits where inhrelid = to_regclass($1)
        """;

    /// <summary>Does nothing if another node is at it.</summary>
    /// <exception cref="NpgsqlException">It was not finished; the rest waits for the next time.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // The lock belongs to the session: it ends with the connection, whatever happens.
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.RunAsync(Settings, cancellationToken);
        if (!await connection.ReadAsync<bool>($"select pg_try_advisory_lock({AdvisoryLock})", cancellationToken))
        {
            return;
        }

        try
        {
            foreach (var query in new[] { FindBegun, FindExpired })
            {
                foreach (var name in await connection.ReadAllAsync<string>(query, cancellationToken))
                {
                    await TryAsync(name, () => DropAsync(connection, Partition.Parse(name), cancellationToken));
                }
            }

            foreach (var name in await PartitionCompaction.FindDueAsync(connection, cancellationToken))
            {
                await TryAsync(name, () => CompactAsync(connection, Partition.Parse(name), cancellationToken));
            }
        }
        finally
        {
            if (connection.State is System.Data.ConnectionState.Open)
            {
                await connection.RunAsync($"select pg_advisory_unlock({AdvisoryLock})", CancellationToken.None);
            }
        }
    }

    /// <summary>A partition that somebody uses for long, or that an operator has changed, holds up no other.</summary>
    private async Task TryAsync(string name, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (PostgresException exception) when (!exception.SqlState.StartsWith("57P", StringComparison.Ordinal))
        {
            LogPostponed(exception, name);
        }
    }

    private async Task CompactAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        if (await compaction.IsEmptyAfterAsync(connection, partition, cancellationToken))
        {
            await DropAsync(connection, partition, cancellationToken);
        }
    }

    /// <summary>Each step can be repeated, so that whoever comes next can finish it.</summary>
    private async Task DropAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        await connection.RunAsync($"""
            insert into realtime.partition_states (partition, dropping) values ('{partition.Name}', true) on conflict (partition) do update set dropping = true
            """, cancellationToken);
        if (await connection.ReadAsync<bool>($"select to_regclass('realtime.{partition.Name}') is not null", cancellationToken))
        {
            if (partition.HoldsEvents)
            {
                await TopicFloors.RaiseAboveAsync(connection, partition, cancellationToken);
            }

            await DetachAsync(connection, partition, cancellationToken);
            await connection.RunAsync($"drop table realtime.{partition.Name}", cancellationToken);
            LogDropped(partition.Name);
        }

        await connection.RunAsync($"delete from realtime.partition_states where partition = '{partition.Name}'", cancellationToken);
    }

    /// <summary>Concurrently: nobody waits for it, while it waits for whoever reads.</summary>
    private static async Task DetachAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        await using var state = new NpgsqlCommand(FindState, connection) { Parameters = { new() { Value = $"realtime.{partition.Name}" } } };
        switch (await state.ExecuteScalarAsync(cancellationToken))
        {
            case false:
                await connection.RunAsync($"alter table realtime.{partition.Parent} detach partition realtime.{partition.Name} concurrently", cancellationToken);
                break;
            case true:
                await connection.RunAsync($"alter table realtime.{partition.Parent} detach partition realtime.{partition.Name} finalize", cancellationToken);
                break;
            default:
                // It has been detached before.
                break;
        }
    }

    [LoggerMessage(EventId = 1421, Level = LogLevel.Information, Message = "Dropped the partition {Name}: it is past its retention")]
    private partial void LogDropped(string name);

    [LoggerMessage(EventId = 1423, Level = LogLevel.Warning, Message = "The partition {Name} is left as it is until the next time")]
    private partial void LogPostponed(Exception exception, string name);
}
