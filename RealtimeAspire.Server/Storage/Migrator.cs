using Microsoft.Extensions.Logging;
using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>Applies the migrations that the database lacks. Whichever node is first does it; the others wait.</summary>
internal sealed partial class Migrator(NpgsqlDataSource dataSource, IReadOnlyList<Migration> migrations, ILogger<Migrator> logger)
{
    // Any number that nothing else in the database uses.
    private const long AdvisoryLock = 0x5265_616C_7469_6D65;

    private const string Foundation = """
        create schema if not exists realtime;
        create table if not exists realtime.migrations (
          number integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now());
        """;

    /// <exception cref="MigrationException">One fails, or one that was applied has changed.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        // The lock belongs to the session: it ends with the connection, whatever happens.
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(connection, $"select pg_advisory_lock({AdvisoryLock})", cancellationToken);
        try
        {
            await ExecuteAsync(connection, Foundation, cancellationToken);
            var applied = await ReadAppliedAsync(connection, cancellationToken);
            foreach (var migration in migrations)
            {
                if (!applied.TryGetValue(migration.Number, out var checksum))
                {
                    await ApplyAsync(connection, migration, cancellationToken);
                }
                else if (checksum != migration.Checksum)
                {
                    throw new MigrationException($"Migration {migration.Name} was changed after it had been applied to this database.");
                }
            }
        }
        finally
        {
            if (connection.State is System.Data.ConnectionState.Open)
            {
                await ExecuteAsync(connection, $"select pg_advisory_unlock({AdvisoryLock})", CancellationToken.None);
            }
        }
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            await ExecuteAsync(connection, migration.Sql, cancellationToken);
            await using var record = new NpgsqlCommand("insert into realtime.migrations (number, name, checksum) values ($1, $2, $3)", connection)
            {
                Parameters = { new() { Value = migration.Number }, new() { Value = migration.Name }, new() { Value = migration.Checksum } },
            };
            await record.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (PostgresException exception) when (!exception.IsTransient)
        {
            throw new MigrationException($"Migration {migration.Name} failed: {exception.MessageText} ({exception.SqlState})", exception);
        }

        LogApplied(migration.Name);
    }

    private static async Task<Dictionary<int, string>> ReadAppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var applied = new Dictionary<int, string>();
        await using var command = new NpgsqlCommand("select number, checksum from realtime.migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            applied[reader.GetInt32(0)] = reader.GetString(1);
        }

        return applied;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        // Waiting for another node's migration takes as long as that takes.
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(EventId = 1401, Level = LogLevel.Information, Message = "Applied migration {Name}")]
    private partial void LogApplied(string name);
}
