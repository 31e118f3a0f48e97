using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The second wall: what the database itself keeps apart, whatever a node asks for.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresWallScenarios(PostgresWallScenarios.Stored stored) : IClassFixture<PostgresWallScenarios.Stored>
{
    // Whatever else there is holds data of tenants and is policed.
    private static readonly Dictionary<string, string> Unpoliced = new()
    {
        ["migrations"] = "which files were applied",
        ["topic_types"] = "the nodes' configuration",
        ["partition_states"] = "what is known of partitions",
    };

    private PostgresDatabase Database => stored.Database;

    [Fact]
    public async Task Every_table_is_policed_for_whoever_reads_or_appends_or_holds_nothing_of_tenants()
    {
        var tables = await Database.ReadAllAsync<string>("""
            select c.relname || ' ' || case when c.relispartition then 'partition' when c.relrowsecurity and c.relforcerowsecurity then 'policed' else 'open' end
                || case when exists (select from unnest(array['realtime_reader', 'realtime_appender', 'public']) r
                                      where has_any_column_privilege(r, c.oid, 'select, insert, update, references') or has_table_privilege(r, c.oid, 'delete, truncate, trigger')) then ' reached' else '' end
              from pg_class c where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p', 'm', 'v', 'f')
            """);

        Assert.NotEmpty(tables);
        foreach (var table in tables.Select(line => line.Split(' ')))
        {
            switch (table[1])
            {
                case "partition":
                    Assert.Equal(2, table.Length);
                    break;
                case "open":
                    Assert.True(Unpoliced.ContainsKey(table[0]) && table.Length == 2, $"{table[0]} is not policed.");
                    break;
            }
        }

        Assert.All(Unpoliced.Keys, table => Assert.Contains($"{table} open", tables));
    }

    [Fact]
    public async Task A_reader_sees_nothing_of_another_tenant_in_any_table_and_nothing_at_all_without_one()
    {
        var tables = await Database.ReadAllAsync<string>("""
            select c.relname::text from pg_class c where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege('realtime_reader', c.oid, 'select')
            """);
        Assert.Equal(
            ["chat_counts", "chat_edits", "chat_messages", "chat_reactions", "cursors", "events", "inbox_devices", "inbox_entries", "inboxes", "notification_deliveries", "notifications", "topics"],
            tables.Order(StringComparer.Ordinal));
        foreach (var table in tables)
        {
            Assert.Equal((1L, 0L), (await CountAsync(table, "a", "tenant = 'a'"), await CountAsync(table, "a", "tenant <> 'a'")));
            Assert.Equal(0L, await CountAsync(table, "", "true"));
            Assert.Equal(0L, await CountAsync(table, null, "true"));
        }

        async Task<long> CountAsync(string table, string? tenant, string which)
        {
            await using var connection = await Database.ConnectAsync();
            await using var transaction = await connection.BeginTransactionAsync(Topology.Cancelled);
            await RunAsync(connection, "set local role realtime_reader");
            if (tenant is not null)
            {
                await RunAsync(connection, $"set local realtime.tenant = '{tenant}'");
            }

            return await ReadAsync<long>(connection, $"select count(*) from realtime.{table} where {which}");
        }
    }

    [Theory]
    [InlineData("realtime_reader", "select 1 from realtime.event_ids")]
    [InlineData("realtime_reader", "select 1 from realtime.tenants")]
    [InlineData("realtime_reader", "delete from realtime.events")]
    [InlineData("realtime_reader", "select realtime.publish('room:a', 'app:x', '1')")]
    [InlineData("realtime_appender", "select payload from realtime.events")]
    [InlineData("realtime_appender", "select 1 from realtime.events")]
    [InlineData("realtime_appender", "insert into realtime.events select * from realtime.events returning payload")]
    [InlineData("realtime_appender", "select 1 from realtime.cursors")]
    [InlineData("realtime_appender", "update realtime.topics set epoch = 'x'")]
    [InlineData("realtime_appender", "delete from realtime.topics")]
    [InlineData("realtime_appender", "select reason from realtime.tenants")]
    public async Task Neither_role_can_do_more_than_it_is_there_for(string role, string sql)
    {
        await using var connection = await Database.ConnectAsync();
        await RunAsync(connection, $"set role {role}; set realtime.tenant = 'a'");

        Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => RunAsync(connection, sql))).SqlState);
    }

    [Fact]
    public async Task A_pooled_connection_is_its_own_again_after_a_read_and_after_one_that_failed()
    {
        await using var one = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Database.DataSource.ConnectionString) { MaxPoolSize = 1 });
        var own = await StateAsync();

        await ReadAsync("select current_user || '/' || current_setting('realtime.tenant')", "realtime_reader/a");
        Assert.Equal(own, await StateAsync());
        await Assert.ThrowsAsync<PostgresException>(() => ReadAsync("select (1 / (select 0))::text", ""));
        Assert.Equal(own, await StateAsync());
        using (var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(50)))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReadAsync("select pg_sleep(20)::text", "", cancel.Token));
        }

        Assert.Equal(own, await StateAsync());

        // Also without the reset that the pool sends.
        await using var kept = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(one.ConnectionString) { Password = Password(), NoResetOnClose = true });
        await using (var batch = kept.CreateReading("a"))
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand("select 1"));
            await using var reader = await batch.ReadAsync(Topology.Cancelled);
        }

        await using var after = kept.CreateCommand("select current_user || '/' || coalesce(current_setting('realtime.tenant', true), '')");
        Assert.Equal(own, await after.ExecuteScalarAsync(Topology.Cancelled));

        async Task ReadAsync(string sql, string expected, CancellationToken cancellationToken = default)
        {
            await using var batch = one.CreateReading("a");
            batch.BatchCommands.Add(new NpgsqlBatchCommand(sql));
            await using var reader = await batch.ReadAsync(cancellationToken);
            Assert.True(await reader.ReadAsync(cancellationToken));
            Assert.Equal(expected, reader.GetString(0));
        }

        async Task<object?> StateAsync()
        {
            await using var command = one.CreateCommand("select current_user || '/' || coalesce(current_setting('realtime.tenant', true), '')");
            return await command.ExecuteScalarAsync(Topology.Cancelled);
        }

        string? Password() => new NpgsqlConnectionStringBuilder(Database.DataSource.ConnectionString).Password;
    }

    [Fact]
    public async Task A_page_is_still_read_by_the_one_index_of_each_partition()
    {
        await using var connection = await Database.ConnectAsync();
        await RunAsync(connection, "set role realtime_reader; set realtime.tenant = 'a'; set enable_seqscan = off");
        await using var explain = new NpgsqlCommand("""
            explain select e.payload from realtime.topics t left join lateral (
              select * from realtime.events e where e.topic_id = t.topic_id and e."offset" >= t.floor and e."offset" > t.last_offset - 10 order by e."offset" limit 100) e on true
             where t.tenant = 'a' and t.topic = 'room:a'
            """, connection);
        await using var reader = await explain.ExecuteReaderAsync(Topology.Cancelled);
        var plan = "";
        while (await reader.ReadAsync(Topology.Cancelled))
        {
            plan += reader.GetString(0) + "\n";
        }

        Assert.Contains("Index Cond: ((tenant = 'a'::text", plan, StringComparison.Ordinal);
        Assert.Matches("""Index Cond: \(\(topic_id = t.topic_id\) AND \("offset" >= t.floor\) AND \("offset" > """, plan);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_login_that_is_no_superuser_keeps_everything_going_once_it_may_act_as_the_roles()
    {
        await using var database = await PostgresDatabase.CreateAsync(stored.Topology, migrations: 0);
        var login = $"login_{Guid.NewGuid():n}";
        var name = new NpgsqlConnectionStringBuilder(database.DataSource.ConnectionString).Database;
        await database.ExecuteAsync($"create role {login} login password 'secret'; grant create on database {name} to {login}; alter schema realtime owner to {login}; drop table realtime.migrations");
        await using (var plain = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database.DataSource.ConnectionString) { Username = login, Password = "secret" }))
        {
            var refused = await Assert.ThrowsAsync<MigrationException>(() => MigrateAsync(plain));
            Assert.Contains($"grant realtime_reader, realtime_appender to {login}", refused.Message, StringComparison.Ordinal);

            await database.ExecuteAsync($"grant realtime_reader, realtime_appender to {login}");
            await MigrateAsync(plain);
            await using (var node = new PostgresNode(plain, TopicLogLaws.TypesOf(Durability.Durable)))
            {
                await node.StartAsync();
                await node.AppendAsync("room:a", "one");
                Assert.True((await node.AppendAsync("room:a", "one")).Duplicate);
                await using (var partition = plain.CreateCommand("select realtime.create_events_partition(0, (now() at time zone 'utc')::date - 3)"))
                {
                    await partition.ExecuteNonQueryAsync(Topology.Cancelled);
                }

                await database.ExecuteAsync("update realtime.events set created_at = created_at - interval '3 days'; update realtime.topics set floor = 2");
                await using (var publish = plain.CreateCommand("select \"offset\" from realtime.publish('room:a', 'app:x', '1')"))
                {
                    Assert.Equal(2L, await publish.ExecuteScalarAsync(Topology.Cancelled));
                }

                await new RetentionSweep(plain, new PartitionCompaction(TimeProvider.System, NullLogger<PartitionCompaction>.Instance), NullLogger<RetentionSweep>.Instance).RunAsync(Topology.Cancelled);
                Assert.Equal([2L], await node.OffsetsAsync("room:a"));
                Assert.Equal(1L, await database.ReadAsync<long>("select count(*) from realtime.events"));
            }
        }

        await database.ExecuteAsync($"drop owned by {login} cascade; drop role {login}");

        static Task MigrateAsync(NpgsqlDataSource source) => new Migrator(source, Migration.LoadAll(), NullLogger<Migrator>.Instance).MigrateAsync(Topology.Cancelled);
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Topology.Cancelled);
    }

    private static async Task<T> ReadAsync<T>(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Topology.Cancelled))!;
    }

    /// <summary>Two tenants, each with a topic of the same name, an event, a cursor and what chat makes of an event.</summary>
    public sealed class Stored(Topology topology) : IAsyncLifetime
    {
        public Topology Topology => topology;

        public PostgresDatabase Database { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Database = await PostgresDatabase.CreateAsync(topology);
            await using var node = await Database.StartNodeAsync(TopicLogLaws.TypesOf(Durability.Durable));
            foreach (var tenant in new[] { "a", "b" })
            {
                await node.Log.AppendAsync(TopicLogLaws.NewAppend(new TopicKey(tenant, TopicName.Parse("room:a")), "x", $"{tenant}'s"), _ => { });
                await Database.ExecuteAsync("""
                    with topic as (select tenant, topic_id from realtime.topics where tenant = $1),
                    message as (
                      insert into realtime.chat_messages (tenant, topic_id, "offset", at, text, mentions, attachments, replies) select tenant, topic_id, 1, now(), 'x', '{}', '{}', 0 from topic),
                    counts as (insert into realtime.chat_counts select tenant, topic_id, '', 0, 1, 0 from topic),
                    edit as (insert into realtime.chat_edits select tenant, topic_id, 1, 2, 'x', now() from topic)
                    insert into realtime.chat_reactions select tenant, topic_id, 1, 'x', 'ada' from topic
                    """, tenant);
                await Database.ExecuteAsync("""
                    with notification as (
                      insert into realtime.notifications (tenant, notification_id, sender, request_id, content, kind, title, priority, created_at, expires_at, audience)
                      values ($1, 'n', '', 'n', '', 'system', 'x', 'normal', now(), now() + interval '1 day', 'users')),
                    inbox as (insert into realtime.inboxes (tenant, user_id) values ($1, 'ada')),
                    entry as (
                      insert into realtime.inbox_entries (tenant, user_id, notification_id, "offset", created_at, expires_at) values ($1, 'ada', 'n', 1, now(), now() + interval '1 day')),
                    device as (
                      insert into realtime.inbox_devices (tenant, user_id, device, endpoint, p256dh, auth) values ($1, 'ada', 'phone', 'https://push.test/' || $1, 'x', 'x'))
                    insert into realtime.notification_deliveries (tenant, user_id, notification_id, channel, state) values ($1, 'ada', 'n', 'live', 'sent')
                    """, tenant);
                await Database.ExecuteAsync("""insert into realtime.cursors values ($1, 'ada', 'phone', 'room:a', 'e', 1, now())""", tenant);
            }
        }

        public ValueTask DisposeAsync() => Database.DisposeAsync();
    }
}
