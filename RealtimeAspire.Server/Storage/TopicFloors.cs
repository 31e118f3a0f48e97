using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Raises the lowest offset of topics that may be read, a few hundred rows at a time and each for a moment: publishes wait for
/// these rows. A floor never falls.
/// </summary>
internal static class TopicFloors
{
    private const int Topics = 500;

    private const string RaiseByCount = """
        with due as (
          select t.topic_id, t.last_offset - y.keep_events + 1 as floor
            from realtime.topics t join realtime.topic_types y on y.type = realtime.type_of(t.topic)
           where y.keep_events is not null and t.floor < t.last_offset - y.keep_events + 1 and t.topic_id > $1
           order by t.topic_id limit $2),
        held as (select d.* from realtime.topics t join due d using (topic_id) order by t.topic_id for update of t skip locked),
        raised as (update realtime.topics t set floor = greatest(t.floor, h.floor) from held h where t.topic_id = h.topic_id)
        select max(topic_id) from due
        """;

    // Of tenants that keep less than their topics' types: what was published before that was so stands where the types say.
    private const string RaiseByTenant = """
        with due as (
          select t.topic_id, gone."offset" + 1 as floor
            from realtime.tenants q join realtime.topics t using (tenant)
            cross join lateral (
              select e."offset" from realtime.events e
               where e.topic_id = t.topic_id and e."offset" >= t.floor and e.created_at <= now() - q.retention_days * interval '1 day'
               order by e."offset" desc limit 1) gone
           where q.retention_days is not null and t.topic_id > $1
           order by t.topic_id limit $2),
        held as (select d.* from realtime.topics t join due d using (topic_id) order by t.topic_id for update of t skip locked),
        raised as (update realtime.topics t set floor = greatest(t.floor, h.floor) from held h where t.topic_id = h.topic_id)
        select max(topic_id) from due
        """;

    /// <summary>Above the events of a partition that goes.</summary>
    public static Task RaiseAboveAsync(NpgsqlConnection connection, Partition partition, CancellationToken cancellationToken) => RaiseAsync(
        connection,
        $"""
        with gone as (
          select topic_id, max("offset") + 1 as floor from realtime.{partition.Name} where topic_id > $1 group by topic_id order by topic_id limit $2),
        held as (select g.* from realtime.topics t join gone g using (topic_id) where t.floor < g.floor order by t.topic_id for update of t),
        raised as (update realtime.topics t set floor = greatest(t.floor, h.floor) from held h where t.topic_id = h.topic_id)
        select max(topic_id) from gone
        """,
        cancellationToken);

    /// <summary>To what the topics' types keep by count. A topic that is busy at that moment is left as it is.</summary>
    public static Task RaiseByCountAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        RaiseAsync(connection, RaiseByCount, cancellationToken);

    /// <summary>To what tenants keep by age, where that is less than their topics' types do.</summary>
    public static Task RaiseByTenantAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        RaiseAsync(connection, RaiseByTenant, cancellationToken);

    private static async Task RaiseAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection)
        {
            CommandTimeout = 0,
            Parameters = { new() { Value = 0L }, new() { Value = (long)Topics } },
        };
        while (await command.ExecuteScalarAsync(cancellationToken) is long last)
        {
            command.Parameters[0].Value = last;
        }
    }
}
