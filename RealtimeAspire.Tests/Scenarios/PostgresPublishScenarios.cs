using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary><c>select realtime.publish(...)</c> in an application's own transaction.</summary>
[Collection(SharedTopology.Name)]
public sealed partial class PostgresPublishScenarios(PostgresPublishScenarios.OneNode one) : IClassFixture<PostgresPublishScenarios.OneNode>
{
    private readonly string _room = $"room:{Guid.NewGuid():n}";
    private readonly string _log = $"log:{Guid.NewGuid():n}";

    private PostgresDatabase Database => one.Database;

    private PostgresNode Node => one.Node;

    [Fact]
    public async Task What_is_published_is_an_event_like_any_other()
    {
        await Node.AppendAsync(_log, "first");
        await Database.ExecuteAsync($"select realtime.publish('{_log}', 'order:paid', '{{\"a\": 1}}', 'p1', entity_id => 'o1', version => 2, publisher => 'shop')");
        await Database.ExecuteAsync($"select realtime.publish('{_log}', 'app:x', 'null')");
        await Node.AppendAsync(_log, "last");

        var events = (await Node.ReadAsync(_log)).Events;
        Assert.Equal([1, 2, 3, 4], events.Select(logged => logged.Position.Offset));
        Assert.Single(events.Select(logged => logged.Position.Epoch).Distinct());
        Assert.Equal(("p1", "order:paid", 2, "o1", "shop"), (events[1].Id, events[1].Event, events[1].Version, events[1].EntityId, events[1].UserId));
        Assert.Equal("{\"a\": 1}", Encoding.UTF8.GetString(events[1].Payload));
        Assert.Null(events[2].UserId);
        Assert.Equal(events.OrderBy(logged => logged.Timestamp), events);
        Assert.All(events, logged => Assert.Equal(0, logged.Timestamp.Ticks % TimeSpan.TicksPerMillisecond));
        Assert.Equal(4, await Database.ReadAsync<long>("select count(*) from realtime.events e join realtime.topics t using (topic_id) where t.topic = $1 and e.retention_class = 2", _log));
    }

    [Fact]
    public async Task It_returns_the_position_and_a_retry_returns_the_first_outcome()
    {
        var publish = $"select epoch || ' ' || \"offset\" || ' ' || \"timestamp\" || ' ' || duplicate from realtime.publish('{_room}', 'app:x', '1', 'k1')";
        var first = await Database.ReadAsync<string>(publish);
        await Database.ExecuteAsync($"select realtime.publish('{_room}', 'app:x', '1', 'k2')");

        Assert.Equal(first.Replace("false", "true", StringComparison.Ordinal), await Database.ReadAsync<string>(publish));
        var read = (await Node.ReadAsync(_room)).Events[0];
        Assert.StartsWith($"{read.Position.Epoch} 1 ", first, StringComparison.Ordinal);
        Assert.Equal(2, (await Node.ReadAsync(_room)).Tip.Offset);
    }

    [Fact]
    public async Task An_id_is_known_for_its_window_and_no_longer()
    {
        var publish = $"select \"offset\" from realtime.publish('{_log}', 'app:x', '1', 'k1')";
        await Database.ExecuteAsync(publish);
        await AgeIdsAsync("50 minutes");
        Assert.Equal(1, await Database.ReadAsync<long>(publish));
        await AgeIdsAsync("20 minutes");

        Assert.Equal(2, await Database.ReadAsync<long>(publish));
        Assert.Equal(2, await Database.ReadAsync<long>(publish));
    }

    [Fact]
    public async Task The_same_id_here_and_in_a_node_is_one_event()
    {
        // As a node computes it.
        var content = SHA256.HashData("\u0001\0\0\0app:x\0ü\01"u8)[..16];
        Task<AppendOutcome> AppendAsync(string id) => Node.Log.AppendAsync(
            new Append
            {
                Topic = new TopicKey("default", TopicName.Parse(_room)), Started = TimeProvider.System.GetTimestamp(), Publisher = "", Id = id,
                Event = "app:x", Version = 1, EntityId = "ü", Payload = "1"u8.ToArray(), ContentHash = content,
            },
            _ => { });
        await Database.ExecuteAsync($"select realtime.publish('{_room}', 'app:x', '1', 'k1', 'ü')");
        await AppendAsync("k2");

        Assert.Equal((1, true), ((await AppendAsync("k1")).Position.Offset, (await AppendAsync("k1")).Duplicate));
        Assert.Equal(2, await Database.ReadAsync<long>($"select \"offset\" from realtime.publish('{_room}', 'app:x', '1', 'k2', 'ü') where duplicate"));
    }

    [Fact]
    public async Task It_is_rolled_back_with_the_transaction_and_seen_when_it_commits()
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled);
        await using (var rolledBack = await connection.BeginTransactionAsync(Topology.Cancelled))
        {
            await ExecuteAsync(connection, $"select realtime.publish('{_room}', 'app:x', '1', 'k1')");
            await rolledBack.RollbackAsync(Topology.Cancelled);
        }

        Assert.Equal(Position.Origin, (await Node.ReadAsync(_room)).Tip);
        await using (var committed = await connection.BeginTransactionAsync(Topology.Cancelled))
        {
            await ExecuteAsync(connection, $"select realtime.publish('{_room}', 'app:x', '1', 'k1'), realtime.publish('{_room}', 'app:x', '2', 'k2')");
            Assert.Equal(Position.Origin, (await Node.ReadAsync(_room)).Tip);
            await committed.CommitAsync(Topology.Cancelled);
        }

        Assert.Equal(["k1", "k2"], (await Node.ReadAsync(_room)).Events.Select(logged => logged.Id));
    }

    [Theory]
    [InlineData("topic_invalid", "'room', 'app:x', '1'")]
    [InlineData("topic_invalid", "'room:', 'app:x', '1'")]
    [InlineData("topic_invalid", "'Room:a', 'app:x', '1'")]
    [InlineData("topic_invalid", "'room:a:b', 'app:x', '1'")]
    [InlineData("topic_invalid", "E'room:a\\n', 'app:x', '1'")]
    [InlineData("topic_invalid", "'room:ä', 'app:x', '1'")]
    [InlineData("topic_invalid", "'room:' || repeat('x', 129), 'app:x', '1'")]
    [InlineData("topic_invalid", "null, 'app:x', '1'")]
    [InlineData("topic_type_unknown", "'nope:a', 'app:x', '1'")]
    [InlineData("request_invalid", "'board:a', 'app:x', '1'")]
    [InlineData("request_invalid", "'game:a', 'app:x', '1'")]
    [InlineData("request_invalid", "'room:a', 'typing', '1'")]
    [InlineData("event_not_allowed", "'news:a', 'app:x', '1'")]
    [InlineData("signature_required", "'ledger:a', 'app:x', '1'")]
    [InlineData("event_invalid", "'room:a', '1x', '1'")]
    [InlineData("event_invalid", "'room:a', '', '1'")]
    [InlineData("event_invalid", "'room:a', null, '1'")]
    [InlineData("event_invalid", "'room:a', repeat('x', 65), '1'")]
    [InlineData("payload_invalid", "'room:a', 'app:x', null")]
    [InlineData("payload_invalid", "'room:a', 'app:x', (repeat('[', 33) || repeat(']', 33))::json")]
    [InlineData("payload_invalid", "'room:a', 'app:x', (repeat('{\"\\\"]\":', 33) || '1' || repeat('}', 33))::json")]
    [InlineData("payload_too_large", "'log:a', 'app:x', '\"123456789\"'")]
    [InlineData("id_invalid", "'room:a', 'app:x', '1', ''")]
    [InlineData("id_invalid", "'room:a', 'app:x', '1', 'a b'")]
    [InlineData("id_invalid", "'room:a', 'app:x', '1', repeat('x', 129)")]
    [InlineData("id_conflict", "'room:a', 'app:x', '2', 'taken'")]
    [InlineData("id_conflict", "'room:a', 'app:y', '1', 'taken'")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', entity_id => ''")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', entity_id => E'a\\tb'")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', entity_id => repeat('🙂', 65)")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', version => 0")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', tenant => 'a/b'")]
    [InlineData("request_invalid", "'room:a', 'app:x', '1', publisher => ''")]
    public async Task What_is_wrong_gets_its_code_and_changes_nothing(string code, string arguments)
    {
        await Database.ExecuteAsync("select realtime.publish('room:a', 'app:x', '1', 'taken')");
        var rows = await RowsAsync();

        var error = await Assert.ThrowsAsync<PostgresException>(() => Database.ExecuteAsync($"select realtime.publish({arguments})"));

        Assert.StartsWith($"{code}: ", error.MessageText, StringComparison.Ordinal);
        Assert.True(ErrorCode.TryFind(code, out var known) && !known.Retryable);
        Assert.Equal(StateOf(code), error.SqlState);
        Assert.Equal(rows, await RowsAsync());
    }

    [Theory]
    [InlineData("'room:a', 'app:x', (repeat('[', 32) || repeat(']', 32))::json")]
    [InlineData("'room:a', 'app:x', ('[' || repeat('[],', 100) || '1]')::json")]
    [InlineData("'room:a', 'app:x', to_json(repeat('[', 100) || '\"')")]
    [InlineData("'log:a', 'app:x', '\"12345678\"'")]
    [InlineData("'room:a', 'app:x', '1', repeat('~', 128), entity_id => repeat('🙂', 64)")]
    [InlineData("'room:~|@+=-._', 'app:x', '1', tenant => 'acme'")]
    public async Task What_is_at_the_limit_is_taken(string arguments) => await Database.ExecuteAsync($"select realtime.publish({arguments})");

    [Fact]
    public async Task An_application_needs_the_role_and_gets_nothing_else_by_it()
    {
        var role = $"app_{Guid.NewGuid():n}";
        await Database.ExecuteAsync($"create role {role}; grant usage on schema realtime to {role}");
        try
        {
            await using var connection = await Database.DataSource.OpenConnectionAsync(Topology.Cancelled);
            await ExecuteAsync(connection, $"set role {role}");
            await RefusedAsync(connection, "select realtime.publish('room:a', 'app:x', '1')");
            await Database.ExecuteAsync($"grant realtime_publisher to {role}");

            // Names of its own in front of the function's do not deceive it.
            await ExecuteAsync(connection, "create temporary table topic_types (type text); set search_path = pg_temp, public");
            await ExecuteAsync(connection, "select realtime.publish('room:a', 'app:x', '1')");
            await RefusedAsync(connection, "select * from realtime.events");
            await RefusedAsync(connection, "select realtime.create_partitions(1)");
            await RefusedAsync(connection, "select realtime.type_of('room:a')");
        }
        finally
        {
            await Database.ExecuteAsync($"drop owned by {role}; drop role {role}");
        }
    }

    [Fact]
    public async Task A_listening_node_hears_of_it_when_it_commits_and_says_when_it_may_have_missed_something()
    {
        var (heard, told, restored) = (new ConcurrentQueue<TopicKey>(), new ConcurrentQueue<string>(), 0);
        using var listener = new PostgresListener(Database.DataSource, [new ListenedChannel("app_channel", told.Enqueue)], TimeProvider.System, NullLogger<PostgresListener>.Instance);
        listener.Published += heard.Enqueue;
        listener.Restored += () => Interlocked.Increment(ref restored);
        Assert.False(listener.IsListening);
        await listener.StartAsync(Topology.Cancelled);
        await Eventually.BecomesTrueAsync(() => listener.IsListening && restored == 1, "the listener does not listen");

        await Database.ExecuteAsync("begin; select realtime.publish('room:b', 'app:x', '1'); rollback");
        await Database.ExecuteAsync("notify realtime_events, 'nonsense'");
        await Database.ExecuteAsync("select realtime.publish('room:a', 'app:x', '1', 'k', tenant => 'acme')");
        await Eventually.BecomesTrueAsync(() => !heard.IsEmpty, "nothing was heard");
        Assert.Equal([new TopicKey("acme", TopicName.Parse("room:a"))], heard);
        await Database.ExecuteAsync("notify app_channel, 'a feature''s own'");
        await Eventually.BecomesTrueAsync(() => !told.IsEmpty, "nothing was heard on a feature's channel");
        Assert.Equal(["a feature's own"], told);
        Assert.Single(heard);

        await Database.BreakConnectionsAsync();
        await Eventually.BecomesTrueAsync(() => listener.IsListening && restored == 2, "the listener does not listen again");
        await Database.ExecuteAsync("select realtime.publish('room:c', 'app:x', '1')");
        await Eventually.BecomesTrueAsync(() => heard.Count == 2, "nothing was heard after the connection was lost");
        await listener.StopAsync(Topology.Cancelled);
        Assert.False(listener.IsListening);
    }

    [Fact]
    public void Every_code_has_one_state_in_the_documentation_and_in_the_function()
    {
        var documented = StateRow().Matches(File.ReadAllText(Repository.PathOf("docs/sql.md"))).Select(row => (row.Groups[2].Value, row.Groups[1].Value));
        var raised = StateCase().Matches(File.ReadAllText(Repository.PathOf("RealtimeAspire.Server/Storage/Migrations/0012_signing.sql"))).Select(row => (row.Groups[1].Value, row.Groups[2].Value));

        Assert.NotEmpty(raised);
        Assert.Equal(raised.Order(), documented.Order());
        Assert.All(raised, row => Assert.True(ErrorCode.TryFind(row.Item1, out _)));
    }

    private Task AgeIdsAsync(string time) => Database.ExecuteAsync(
        $"update realtime.event_ids i set created_at = i.created_at - interval '{time}' from realtime.topics t where t.topic_id = i.topic_id and t.topic = $1", _log);

    private Task<long> RowsAsync() => Database.ReadAsync<long>(
        "select (select count(*) from realtime.events) + (select count(*) from realtime.event_ids) + (select count(*) from realtime.topics) + (select sum(last_offset) from realtime.topics)::bigint");

    private static string StateOf(string code) => StateRow().Matches(File.ReadAllText(Repository.PathOf("docs/sql.md"))).Single(row => row.Groups[2].Value == code).Groups[1].Value;

    private static async Task RefusedAsync(NpgsqlConnection connection, string sql) =>
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(connection, sql))).SqlState);

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Topology.Cancelled);
    }

    [GeneratedRegex(@"^\| `(RT\d{3})` \| `(\w+)` \|", RegexOptions.Multiline, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex StateRow();

    [GeneratedRegex(@"when '(\w+)' then '(RT\d{3})'", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex StateCase();

    /// <summary>One database for all the tests here.</summary>
    public sealed class OneNode(Topology topology) : IAsyncLifetime
    {
        private PostgresDatabase? _database;
        private PostgresNode? _node;

        public PostgresDatabase Database => _database!;

        internal PostgresNode Node => _node!;

        public async ValueTask InitializeAsync()
        {
            _database = await PostgresDatabase.CreateAsync(topology);
            _node = await _database.StartNodeAsync(new RealtimeOptions
            {
                TopicTypes =
                {
                    ["board"] = new TopicTypeOptions { Durability = Durability.Recoverable },
                    ["game"] = new TopicTypeOptions { Durability = Durability.Ephemeral },
                    ["ledger"] = new TopicTypeOptions { Signed = SignedEvents.Required },
                    ["news"] = new TopicTypeOptions { Publishers = Publishers.Clients },
                    ["log"] = new TopicTypeOptions
                    {
                        PayloadBytes = 10, Retention = new RetentionOptions { Age = TimeSpan.FromDays(2) }, IdempotencyWindow = TimeSpan.FromHours(1),
                    },
                },
            });
        }

        public async ValueTask DisposeAsync()
        {
            await _node!.DisposeAsync();
            await _database!.DisposeAsync();
        }
    }
}
