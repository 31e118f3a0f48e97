using Microsoft.Extensions.Logging;
using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Frees what topics with a limit by count have left behind: a past day of which half is below its topics' floors is copied
/// without that half, and the copy takes its place in one short transaction.
/// </summary>
internal sealed partial class PartitionCompaction(TimeProvider time, ILogger<PartitionCompaction> logger)
{
    // 32 MiB: one statement, hence one snapshot, for a moment only.
    private const long BlocksPerCopy = 4_096;
    private const int SwapAttempts = 10;

    // Less and less often the older a day is: what happens to it happens ever more slowly.
    // Materialized: only after the names are known to end with a day may they be read as such.
    private const string FindDue = """
        with d as materialized (
          select c.relname::text as name
            from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where c.relnamespace = 'realtime'::regnamespace and c.relname ~ '^events_\d+_\d{8}$' and not i.inhdetachpending),
        ended as (select name, (right(name, 8)::date + 1)::timestamp at time zone 'utc' as at from d)
        select name
          from ended left join realtime.partition_states s on s.partition = name
         where at < now() - interval '1 hour' and coalesce(s.checked_at < now() - greatest(interval '20 hours', (now() - at) / 10), true)
         order by name
        """;

    private static readonly TimeSpan SwapPause = TimeSpan.FromSeconds(1);

    /// <summary>The past days that are to be looked at. The floors of topics are raised to what their types and tenants keep.</summary>
    public static async Task<IReadOnlyList<string>> FindDueAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var due = await connection.ReadAllAsync<string>(FindDue, cancellationToken);
        if (due.Count > 0)
        {
            await TopicFloors.RaiseByCountAsync(connection, cancellationToken);
            await TopicFloors.RaiseByTenantAsync(connection, cancellationToken);
        }

        return due;
    }

    /// <summary>Rewrites a partition if that is worth it.</summary>
    /// <returns>True: nothing would be left in it, and it is as it was.</returns>
    public async Task<bool> IsEmptyAfterAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        if (await IsHalfDeadAsync(connection, partition, cancellationToken) && !await CompactAsync(connection, partition, cancellationToken))
        {
            return true;
        }

        await connection.RunAsync($"""
            insert into realtime.partition_states (partition, checked_at) values ('{partition.Name}', now())
                on conflict (partition) do update set checked_at = excluded.checked_at
            """, cancellationToken);
        return false;
    }

    private static async Task<bool> IsHalfDeadAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        var dead = await connection.ReadAsync<long>($"""
            select count(*) from realtime.topics t join realtime.{partition.Name} e on e.topic_id = t.topic_id and e."offset" < t.floor where t.floor > 1
            """, cancellationToken);
        return dead > 0 && dead * 2 >= await connection.ReadAsync<long>($"select count(*) from realtime.{partition.Name}", cancellationToken);
    }

    /// <returns>False: nothing is left in it, and it is as it was.</returns>
    private async Task<bool> CompactAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        await RequireFinalAsync(connection, partition, cancellationToken);
        var copy = $"{partition.Name}_compacted";
        var (from, to) = partition.Bounds();
        await connection.RunAsync($"""
            drop table if exists realtime.{copy};
            create table realtime.{copy} (like realtime.events including defaults,
              constraint in_place check (retention_class = {partition.RetentionClass} and created_at >= '{from}' and created_at < '{to}'));
            """, cancellationToken);
        var kept = await CopyAsync(connection, partition, copy, cancellationToken);
        if (kept == 0)
        {
            await connection.RunAsync($"drop table realtime.{copy}", cancellationToken);
            return false;
        }

        await connection.RunAsync($"create unique index on realtime.{copy} (topic_id, \"offset\"); analyze realtime.{copy}", cancellationToken);
        await SwapAsync(connection, partition, copy, cancellationToken);
        LogCompacted(partition.Name, kept);
        return true;
    }

    /// <summary>Nobody writes to a day that is over, but for transactions that began on it and have not ended: they would hold this lock.</summary>
    private static async Task RequireFinalAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.RunAsync($"set local lock_timeout = '100ms'; lock table realtime.{partition.Name} in share mode", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<long> CopyAsync(NpgsqlConnection connection, Partition partition, string copy, CancellationToken cancellationToken)
    {
        var blocks = await connection.ReadAsync<long>(
            $"select pg_relation_size('realtime.{partition.Name}') / current_setting('block_size')::integer", cancellationToken);
        var kept = 0L;
        for (var block = 0L; block < blocks; block += BlocksPerCopy)
        {
            kept += await connection.RunAsync($"""
                insert into realtime.{copy}
                select e.* from realtime.{partition.Name} e join realtime.topics t on t.topic_id = e.topic_id and e."offset" >= t.floor
                 where e.ctid >= '({block},0)' and e.ctid < '({block + BlocksPerCopy},0)'
                """, cancellationToken);
        }

        return kept;
    }

    /// <summary>Reads and publishes wait for it, a tenth of a second at most: if others do not let go by then, it lets them pass.</summary>
    private async Task SwapAsync(NpgsqlConnection connection, Partition partition, string copy, CancellationToken cancellationToken)
    {
        var (from, to) = partition.Bounds();
        for (var attempt = 1; ; attempt++)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            try
            {
                await connection.RunAsync($"""
                    set local lock_timeout = '100ms';
                    alter table realtime.{partition.Parent} detach partition realtime.{partition.Name};
                    drop table realtime.{partition.Name};
                    alter table realtime.{copy} rename to {partition.Name};
                    alter table realtime.{partition.Parent} attach partition realtime.{partition.Name} for values from ('{from}') to ('{to}');
                    alter table realtime.{partition.Name} drop constraint in_place;
                    """, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                return;
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable && attempt < SwapAttempts)
            {
                await transaction.RollbackAsync(cancellationToken);
            }

            await Task.Delay(SwapPause, time, cancellationToken);
        }
    }

    [LoggerMessage(EventId = 1422, Level = LogLevel.Information, Message = "Rewrote the partition {Name} with the {Kept} events that are left")]
    private partial void LogCompacted(string name, long kept);
}
