using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What is past its retention: readers do not see it any more, and its space is freed. Rows are made older than they are.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresRetentionScenarios(Topology topology) : IAsyncLifetime
{
    private PostgresDatabase? _database;

    private PostgresDatabase Database => _database!;

    public async ValueTask InitializeAsync() => _database = await PostgresDatabase.CreateAsync(topology);

    public ValueTask DisposeAsync() => Database.DisposeAsync();

    [Fact]
    public async Task Of_a_limited_topic_exactly_the_newest_are_read_and_a_changed_limit_holds_at_once()
    {
        await using (var node = await Database.StartNodeAsync(With("log", events: 10)))
        {
            await AppendAsync(node, "log:a", 25);

            var page = await node.ReadAsync("log:a");
            Assert.Equal((16, 25), (page.Floor, page.Tip.Offset));
            Assert.Equal(Offsets(16, 25), page.Events.Select(logged => logged.Position.Offset));
            Assert.Equal(Offsets(16, 19), await node.OffsetsAsync("log:a", new LogRange.Before(20)));
            Assert.Equal(Offsets(16, 25), await node.OffsetsAsync("log:a", new LogRange.Newest(20)));
            Assert.Equal(Offsets(16, 25), await node.OffsetsAsync("log:a", new LogRange.Since(DateTimeOffset.UnixEpoch)));
        }

        await using var changed = await Database.StartNodeAsync(With("log", events: 3));
        Assert.Equal(Offsets(23, 25), await changed.OffsetsAsync("log:a"));
    }

    [Fact]
    public async Task Events_over_their_age_are_not_read()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromHours(2)));
        await AppendAsync(node, "log:a", 5);
        await Database.ExecuteAsync("""update realtime.events set created_at = created_at - interval '3 hours' where "offset" <= 2""");

        var page = await node.ReadAsync("log:a");

        Assert.Equal(Offsets(3, 5), page.Events.Select(logged => logged.Position.Offset));
        Assert.Equal(5, page.Tip.Offset);
    }

    [Fact]
    public async Task Days_that_are_over_for_their_class_are_dropped_whole_and_others_stay()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromDays(3)));
        foreach (var topic in new[] { "log:a", "room:a" })
        {
            await AppendAsync(node, topic, 4);
        }

        await MakeOlderAsync("\"offset\" <= 2", days: 5);
        Assert.Contains(Name("events_3", 5), await PartitionsAsync());
        await SweepAsync();

        Assert.DoesNotContain(Name("events_3", 5), await PartitionsAsync());
        Assert.Contains(Name("events_0", 5), await PartitionsAsync());
        Assert.Equal((3, 2), ((await node.ReadAsync("log:a")).Floor, (await node.ReadAsync("log:a")).Events.Count));
        Assert.Equal(Offsets(1, 4), await node.OffsetsAsync("room:a"));
        Assert.Equal(5, (await node.AppendAsync("log:a", "next")).Position.Offset);
    }

    [Fact]
    public async Task A_day_on_which_something_may_still_be_kept_stays()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromHours(50)));
        await AppendAsync(node, "log:a", 1);
        await MakeOlderAsync("true", days: 3);

        await SweepAsync();

        Assert.Contains(Name("events_3", 3), await PartitionsAsync());
    }

    [Fact]
    public async Task A_topic_whose_class_has_changed_and_changed_back_has_no_hole_in_the_middle()
    {
        await using (var node = await Database.StartNodeAsync(With("log")))
        {
            await AppendAsync(node, "log:a", 2);
        }

        await MakeOlderAsync("true", days: 6);
        await using (var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromDays(1))))
        {
            await AppendAsync(node, "log:a", 2, from: 3);
        }

        await MakeOlderAsync("\"offset\" > 2", days: 4);
        await using var back = await Database.StartNodeAsync(With("log"));
        await AppendAsync(back, "log:a", 2, from: 5);
        Assert.Equal(Offsets(1, 6), await back.OffsetsAsync("log:a"));

        await SweepAsync();

        Assert.Equal(Offsets(5, 6), await back.OffsetsAsync("log:a"));
        Assert.Equal(5, (await back.ReadAsync("log:a")).Floor);
    }

    [Fact]
    public async Task Ids_are_dropped_a_day_after_the_longest_window()
    {
        await using var node = await Database.StartNodeAsync(With("log", window: TimeSpan.FromDays(3)));
        await AppendAsync(node, "log:a", 1);
        foreach (var days in new[] { 4, 6 })
        {
            await Database.ExecuteAsync("select realtime.create_partition('event_ids', (now() at time zone 'utc')::date - $1, 'topic_id, publisher, id')", days);
        }

        await SweepAsync();

        Assert.Contains(Name("event_ids", 4), await PartitionsAsync());
        Assert.DoesNotContain(Name("event_ids", 6), await PartitionsAsync());
        Assert.True((await node.AppendAsync("log:a", "e1")).Duplicate);
    }

    [Fact]
    public async Task A_past_day_of_which_half_is_below_its_floors_is_rewritten_without_it()
    {
        await using var node = await Database.StartNodeAsync(With("log", events: 10));
        await AppendAsync(node, "log:a", 60);
        await AppendAsync(node, "log:b", 5);
        await AppendAsync(node, "room:a", 30);
        await MakeOlderAsync("true", days: 2);

        await SweepAsync();

        Assert.Equal(45, await Database.ReadAsync<long>($"select count(*) from realtime.{Name("events_0", 2)}"));
        Assert.Equal(Offsets(51, 60), await node.OffsetsAsync("log:a"));
        Assert.Equal(Offsets(1, 5), await node.OffsetsAsync("log:b"));
        Assert.Equal(Offsets(1, 30), await node.OffsetsAsync("room:a"));
        Assert.Equal(61, (await node.AppendAsync("log:a", "next")).Position.Offset);
        Assert.DoesNotContain(await PartitionsAsync(), name => name.EndsWith("_compacted", StringComparison.Ordinal));

        // A limit that is raised later does not promise what is gone.
        await using var more = await Database.StartNodeAsync(With("log", events: 1_000));
        Assert.Equal(51, (await more.ReadAsync("log:a")).Floor);
    }

    [Fact]
    public async Task A_past_day_in_which_nothing_is_left_is_dropped_and_one_in_which_most_is_left_stays_as_it_is()
    {
        await using var node = await Database.StartNodeAsync(With("log", events: 10));
        await AppendAsync(node, "log:a", 40);
        await AppendAsync(node, "room:a", 40);
        await MakeOlderAsync("\"offset\" <= 20 and topic_id = (select topic_id from realtime.topics where topic = 'log:a')", days: 3);
        await MakeOlderAsync("\"offset\" <= 21", days: 2);
        var mixed = await Database.ReadAsync<uint>($"select 'realtime.{Name("events_0", 2)}'::regclass::oid");

        await SweepAsync();

        Assert.DoesNotContain(Name("events_0", 3), await PartitionsAsync());
        Assert.Equal(mixed, await Database.ReadAsync<uint>($"select 'realtime.{Name("events_0", 2)}'::regclass::oid"));
        Assert.Equal(Offsets(31, 40), await node.OffsetsAsync("log:a"));
        Assert.Equal(Offsets(1, 40), await node.OffsetsAsync("room:a"));
    }

    [Fact]
    public async Task Publishes_and_reads_go_on_while_days_are_rewritten_and_dropped()
    {
        await using var node = await Database.StartNodeAsync(With("log", events: 10, age: TimeSpan.FromDays(2)));
        await AppendAsync(node, "log:a", 500);
        await AppendAsync(node, "room:a", 10);
        await MakeOlderAsync("\"offset\" <= 100", days: 5);
        await MakeOlderAsync("\"offset\" > 100", days: 2);

        using var stop = new CancellationTokenSource();
        var publishing = Task.Run(async () =>
        {
            var count = 0;
            while (!stop.IsCancellationRequested)
            {
                await node.AppendAsync("log:a", $"live{count++}").WaitAsync(TimeSpan.FromSeconds(5), Topology.Cancelled);
                var page = await node.ReadAsync("log:a");
                Assert.Equal(Offsets(page.Tip.Offset - page.Events.Count + 1, page.Tip.Offset), page.Events.Select(logged => logged.Position.Offset));
                Assert.Equal(10, (await node.ReadAsync("room:a")).Events.Count);
            }

            return count;
        });
        await SweepAsync();
        await stop.CancelAsync();

        Assert.Equal(510 - 10 + await publishing, (await node.ReadAsync("log:a")).Tip.Offset);
        Assert.DoesNotContain(Name("events_2", 5), await PartitionsAsync());
    }

    [Fact]
    public async Task A_sweep_that_was_interrupted_is_finished_by_the_next_one()
    {
        await using var node = await Database.StartNodeAsync(With("log", events: 10, age: TimeSpan.FromDays(1)));
        await AppendAsync(node, "log:a", 2);
        await MakeOlderAsync("true", days: 4);
        var (parent, name) = ("events_1", Name("events_1", 4));
        await Database.ExecuteAsync("insert into realtime.partition_states (partition, dropping) values ($1, true)", name);
        await Database.ExecuteAsync($"alter table realtime.{parent} detach partition realtime.{name} concurrently");
        await Database.ExecuteAsync($"create table realtime.{Name("events_0", 2)}_compacted (x integer)");

        await SweepAsync();

        Assert.DoesNotContain(name, await PartitionsAsync());
        Assert.False(await Database.ReadAsync<bool>("select exists (select from realtime.partition_states where dropping)"));
        Assert.Equal(3, (await node.AppendAsync("log:a", "next")).Position.Offset);
        Assert.Equal(3, (await node.ReadAsync("log:a")).Floor);
    }

    [Fact]
    public async Task One_node_sweeps_at_a_time()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromDays(1)));
        await AppendAsync(node, "log:a", 1);
        await MakeOlderAsync("true", days: 4);
        await using (var other = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled))
        {
            await using var sweeping = await other.BeginTransactionAsync(Topology.Cancelled);
            await using var hold = new NpgsqlCommand($"select pg_advisory_xact_lock({RetentionSweep.AdvisoryLock})", other);
            await hold.ExecuteNonQueryAsync(Topology.Cancelled);
            await SweepAsync();
            Assert.Contains(Name("events_1", 4), await PartitionsAsync());
        }

        await SweepAsync();
        Assert.DoesNotContain(Name("events_1", 4), await PartitionsAsync());
    }

    [Fact]
    public async Task A_transaction_that_stays_open_postpones_what_it_uses_and_nothing_else()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromDays(1), window: TimeSpan.FromDays(1)));
        await AppendAsync(node, "log:a", 1);
        await MakeOlderAsync("true", days: 4);
        await Database.ExecuteAsync("select realtime.create_partition('event_ids', (now() at time zone 'utc')::date - 9, 'topic_id, publisher, id')");
        await using (var connection = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled))
        {
            await using var transaction = await connection.BeginTransactionAsync(Topology.Cancelled);
            await using var use = new NpgsqlCommand("lock table realtime.event_ids in row exclusive mode", connection, transaction);
            await use.ExecuteNonQueryAsync(Topology.Cancelled);
            await SweepAsync();
            Assert.DoesNotContain(Name("events_1", 4), await PartitionsAsync());
            Assert.Contains(Name("event_ids", 9), await PartitionsAsync());
        }

        await SweepAsync();
        Assert.DoesNotContain(Name("event_ids", 9), await PartitionsAsync());
        Assert.False((await node.AppendAsync("log:a", "next")).Duplicate);
    }

    [Fact]
    public async Task The_partitions_of_the_next_days_are_there_before_midnight_for_every_class()
    {
        await using var node = await Database.StartNodeAsync(With("log", age: TimeSpan.FromDays(30)));

        foreach (var parent in new[] { "events_0", "events_30", "event_ids" })
        {
            Assert.Equal(9, (await PartitionsAsync()).Count(name => name.StartsWith($"{parent}_", StringComparison.Ordinal)));
        }

        await AppendAsync(node, "log:a", 2);
        await Database.ExecuteAsync("""update realtime.topics set last_at = (date_trunc('day', now(), 'UTC') + interval '1 day')""");
        Assert.Equal(3, (await node.AppendAsync("log:a", "after midnight")).Position.Offset);
        Assert.Equal(Name("events_30", -1), await Database.ReadAsync<string>("""select substr(tableoid::regclass::text, 10) from realtime.events where "offset" = 3"""));
        Assert.True((await node.AppendAsync("log:a", "after midnight")).Duplicate);
        Assert.Equal(Offsets(1, 3), await node.OffsetsAsync("log:a"));
    }

    [Fact]
    public async Task Only_a_read_that_needs_them_looks_at_older_days()
    {
        await using var node = await Database.StartNodeAsync();
        await AppendAsync(node, "room:a", 10);
        await MakeOlderAsync("\"offset\" <= 5", days: 9);
        Assert.Equal(Offsets(1, 10), await node.OffsetsAsync("room:a"));
        Assert.Equal(Offsets(3, 10), await node.OffsetsAsync("room:a", new LogRange.After(2)));
        Assert.Equal(Offsets(1, 6), await node.OffsetsAsync("room:a", new LogRange.Before(7)));
        Assert.Equal(Offsets(2, 4), (await node.ReadAsync("room:a", new LogRange.Before(5), limit: 3)).Events.Select(logged => logged.Position.Offset));
        Assert.Equal(Offsets(4, 10), await node.OffsetsAsync("room:a", new LogRange.Newest(7)));
        Assert.Empty(await node.OffsetsAsync("room:a", new LogRange.Before(1)));

        await using var connection = await Database.ConnectAsync();
        await using var transaction = await connection.BeginTransactionAsync(Topology.Cancelled);
        await using var hold = new NpgsqlCommand($"lock table realtime.{Name("events_0", 9)} in access exclusive mode", connection);
        await hold.ExecuteNonQueryAsync(Topology.Cancelled);

        Assert.Equal(Offsets(6, 10), await node.OffsetsAsync("room:a", new LogRange.After(5)));
        Assert.Equal(Offsets(6, 10), await node.OffsetsAsync("room:a", new LogRange.Newest(5)));
        Assert.Equal(Offsets(6, 7), (await node.ReadAsync("room:a", new LogRange.Before(8), limit: 2)).Events.Select(logged => logged.Position.Offset));
        Assert.Empty(await node.OffsetsAsync("room:a", new LogRange.After(10)));
        Assert.Empty(await node.OffsetsAsync("room:b"));
        Assert.Equal("log_unavailable", (await Assert.ThrowsAsync<RealtimeException>(() => node.OffsetsAsync("room:a"))).Code);
    }

    [Fact]
    public async Task A_database_of_the_first_release_keeps_its_events_and_ids()
    {
        await using var database = await PostgresDatabase.CreateAsync(topology, migrations: 2);
        await database.ExecuteAsync("select realtime.create_partitions(7)");
        await database.ExecuteAsync("insert into realtime.topics (tenant, topic, last_offset, last_at) values ('default', 'room:a', 3, now())");
        await database.ExecuteAsync("insert into realtime.events select 'default', t.topic_id, i, 'e' || i, 'app:x', 1, null, '1', 'ada', null, now() from realtime.topics t, generate_series(1, 3) i");
        await database.ExecuteAsync("insert into realtime.event_ids select 'default', t.topic_id, 'ada', 'e' || i, i, '1', now() from realtime.topics t, generate_series(1, 3) i");

        await database.MigrateAsync();
        await using var node = await database.StartNodeAsync();

        Assert.Equal((true, 2), ((await node.AppendAsync("room:a", "e2")).Duplicate, (await node.AppendAsync("room:a", "e2")).Position.Offset));
        Assert.Equal(4, (await node.AppendAsync("room:a", "e4")).Position.Offset);
        Assert.Equal(Offsets(1, 4), await node.OffsetsAsync("room:a"));
    }

    private static RealtimeOptions With(string type, long? events = null, TimeSpan? age = null, TimeSpan? window = null) => new()
    {
        TopicTypes = { [type] = new TopicTypeOptions { Retention = new RetentionOptions { Events = events, Age = age }, IdempotencyWindow = window } },
        DefaultTopicType = TopicCatalog.Room,
    };

    private static IEnumerable<long> Offsets(long first, long last) => Enumerable.Range((int)first, (int)(last - first + 1)).Select(i => (long)i);

    private static Task<AppendOutcome[]> AppendAsync(PostgresNode node, string topic, int count, int from = 1) =>
        Task.WhenAll(Enumerable.Range(from, count).Select(i => node.AppendAsync(topic, $"e{i}")));

    /// <summary>As if they had been published so many days ago; ids are left alone.</summary>
    private async Task MakeOlderAsync(string which, int days)
    {
        await Database.ExecuteAsync("""
            select realtime.create_events_partition(retention_class, (now() at time zone 'utc')::date - $1) from (select distinct retention_class from realtime.events) c
            """, days);
        await Database.ExecuteAsync($"update realtime.events set created_at = date_trunc('day', now(), 'UTC') - $1 * interval '1 day' + interval '1 hour' where ({which}) and created_at > now() - interval '1 hour'", days);
    }

    private Task SweepAsync() => new RetentionSweep(
        Database.DataSource, new PartitionCompaction(TimeProvider.System, NullLogger<PartitionCompaction>.Instance), NullLogger<RetentionSweep>.Instance).RunAsync(Topology.Cancelled);

    private Task<IReadOnlyList<string>> PartitionsAsync() => Database.ReadAllAsync<string>(
        "select relname::text from pg_class where relnamespace = 'realtime'::regnamespace and relkind = 'r'");

    private static string Name(string parent, int daysAgo) =>
        $"{parent}_{TimeProvider.System.GetUtcNow().AddDays(-daysAgo):yyyyMMdd}";
}
