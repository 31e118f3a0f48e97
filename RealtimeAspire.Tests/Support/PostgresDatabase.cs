using Aspire.Hosting.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Tests.Support;

/// <summary>A database of the tests' own on the topology's server, with the schema: what happens in it disturbs no node.</summary>
public sealed class PostgresDatabase : IAsyncDisposable
{
    private readonly NpgsqlDataSource _server;
    private readonly string _name;
    private readonly NpgsqlConnectionStringBuilder _connection;

    private PostgresDatabase(NpgsqlDataSource server, string name)
    {
        (_server, _name) = (server, name);
        _connection = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = name, ApplicationName = name, Pooling = true };
        DataSource = NpgsqlDataSource.Create(_connection);
    }

    public NpgsqlDataSource DataSource { get; }

    public string ConnectionString => _connection.ConnectionString;

    /// <param name="topology">Whose server it is.</param>
    /// <param name="migrations">How many of the migrations are applied; all by default.</param>
    public static async Task<PostgresDatabase> CreateAsync(Topology topology, int migrations = int.MaxValue)
    {
        var connection = new NpgsqlConnectionStringBuilder(await topology.App.GetConnectionStringAsync("realtime", Topology.Cancelled)) { PersistSecurityInfo = true, Pooling = false };
        var database = new PostgresDatabase(NpgsqlDataSource.Create(connection), $"test_{Guid.NewGuid():n}");
        await ExecuteAsync(database._server, $"create database {database._name}");
        await database.MigrateAsync(migrations);
        return database;
    }

    public Task MigrateAsync(int migrations = int.MaxValue) =>
        new Migrator(DataSource, [.. Migration.LoadAll().Take(migrations)], NullLogger<Migrator>.Instance).MigrateAsync(Topology.Cancelled);

    /// <summary>The log as a node with this configuration has it; also writes the configuration to the database, as a node does.</summary>
    internal async Task<PostgresNode> StartNodeAsync(RealtimeOptions? options = null)
    {
        var node = new PostgresNode(DataSource, options ?? new RealtimeOptions());
        await node.StartAsync();
        return node;
    }

    /// <summary>A connection of an application, not out of the nodes' pool.</summary>
    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_connection.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Topology.Cancelled);
        return connection;
    }

    public Task ExecuteAsync(string sql, params object[] values) => ExecuteAsync(DataSource, sql, values);

    public async Task<T> ReadAsync<T>(string sql, params object[] values)
    {
        await using var command = CreateCommand(DataSource, sql, values);
        return (T)(await command.ExecuteScalarAsync(Topology.Cancelled))!;
    }

    public async Task<IReadOnlyList<T>> ReadAllAsync<T>(string sql, params object[] values)
    {
        await using var command = CreateCommand(DataSource, sql, values);
        await using var reader = await command.ExecuteReaderAsync(Topology.Cancelled);
        var rows = new List<T>();
        while (await reader.ReadAsync(Topology.Cancelled))
            rows.Add(reader.GetFieldValue<T>(0));
        return rows;
    }

    /// <summary>Breaks every connection to it.</summary>
    public Task BreakConnectionsAsync() => ExecuteAsync(_server, "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1", _name);

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await ExecuteAsync(_server, $"drop database {_name} with (force)");
        await _server.DisposeAsync();
    }

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql, params object[] values)
    {
        await using var command = CreateCommand(dataSource, sql, values);
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    private static NpgsqlCommand CreateCommand(NpgsqlDataSource dataSource, string sql, object[] values)
    {
        var command = dataSource.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return command;
    }
}

/// <summary>The part of a node that keeps events in Postgres.</summary>
internal sealed class PostgresNode(NpgsqlDataSource dataSource, RealtimeOptions options) : IAsyncDisposable
{
    private readonly RealtimeTracing _tracing = new();
    private PostgresAppender? _appender;

    public TopicCatalog Catalog { get; } = new(Microsoft.Extensions.Options.Options.Create(options));

    public ITopicLog Log { get; private set; } = new NoTopicLog();

    public async Task StartAsync()
    {
        var configured = Microsoft.Extensions.Options.Options.Create(options);
        await new TopicTypeTable(dataSource, Catalog, configured).WriteAsync(Topology.Cancelled);
        await using (var partitions = dataSource.CreateCommand("select realtime.create_partitions(7)"))
            await partitions.ExecuteNonQueryAsync(Topology.Cancelled);
        _appender = new PostgresAppender(dataSource, Catalog, configured, _tracing, TimeProvider.System, NullLogger<PostgresAppender>.Instance);
        Log = new PostgresTopicLog(dataSource, Catalog, _appender, TimeProvider.System);
        await _appender.StartAsync(Topology.Cancelled);
    }

    public Task<AppendOutcome> AppendAsync(string topic, string id, string payload = "1", string publisher = "ada", Action<LoggedEvent>? committed = null) => Log.AppendAsync(
        new Append
        {
            Topic = KeyOf(topic),
            Started = TimeProvider.System.GetTimestamp(),
            Publisher = publisher,
            Id = id,
            Event = "app:x",
            Version = 1,
            Payload = System.Text.Encoding.UTF8.GetBytes(payload),
            ContentHash = System.Text.Encoding.UTF8.GetBytes(payload),
        },
        committed ?? (_ => { }));

    public Task<LogPage> ReadAsync(string topic, LogRange? range = null, int limit = 1_000) =>
        Log.ReadAsync(KeyOf(topic), range ?? new LogRange.After(0), limit, Topology.Cancelled);

    public async Task<IEnumerable<long>> OffsetsAsync(string topic, LogRange? range = null) =>
        (await ReadAsync(topic, range)).Events.Select(logged => logged.Position.Offset);

    public async ValueTask DisposeAsync()
    {
        await _appender!.StopAsync(CancellationToken.None);
        _appender.Dispose();
        _tracing.Dispose();
    }

    private static TopicKey KeyOf(string topic) => new("default", TopicName.Parse(topic));
}
