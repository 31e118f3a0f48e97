using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>Statements on notifications and inboxes. What the database refuses by a code of the product is that error; what it does not answer can be tried again.</summary>
internal sealed class NotificationDatabase(NpgsqlDataSource? dataSource)
{
    private const int TimeoutSeconds = 10;

    // A class of SQLSTATEs that only realtime.refuse raises: code, colon, sentence.
    private const string OwnStates = "RT";

    /// <summary>Reads what is one tenant's, as a role that sees nothing else.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<T>> ReadAsync<T>(string tenant, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values) =>
        GuardAsync<IReadOnlyList<T>>(async () =>
        {
            await using var batch = DataSource.CreateReading(tenant);
            batch.Timeout = TimeoutSeconds;
            var command = new NpgsqlBatchCommand(sql);
            Add(command.Parameters, values);
            batch.BatchCommands.Add(command);
            await using var reader = await batch.ReadAsync(cancellationToken);
            return await ReadAllAsync(reader, row, cancellationToken);
        });

    /// <summary>One statement by the node itself, and its rows.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public Task<IReadOnlyList<T>> RunAsync<T>(string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values) =>
        GuardAsync(async () =>
        {
            await using var connection = await DataSource.OpenConnectionAsync(cancellationToken);
            return await RunAsync(connection, sql, row, cancellationToken, values);
        });

    /// <summary>Several statements, all of them or none: what is done is committed when it has returned without an exception.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public Task<T> TransactAsync<T>(Func<NpgsqlConnection, Task<T>> act, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        await using var connection = await DataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var result = await act(connection);
        await transaction.CommitAsync(cancellationToken);
        return result;
    });

    /// <inheritdoc cref="RunAsync{T}(string, Func{NpgsqlDataReader, T}, CancellationToken, object?[])"/>
    public static async Task<IReadOnlyList<T>> RunAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = TimeoutSeconds };
        Add(command.Parameters, values);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAllAsync(reader, row, cancellationToken);
    }

    public static string? TextAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static DateTimeOffset? TimeAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);

    private NpgsqlDataSource DataSource =>
        dataSource ?? throw new RealtimeException(ErrorCode.LogUnavailable, "This node has no Postgres, which has the inboxes.");

    private static async Task<IReadOnlyList<T>> ReadAllAsync<T>(NpgsqlDataReader reader, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    /// <summary>A null has no type of its own: it is text, unless the statement casts it.</summary>
    private static void Add(NpgsqlParameterCollection parameters, object?[] values)
    {
        foreach (var value in values)
        {
            parameters.Add(value is null ? new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.Unknown } : new NpgsqlParameter { Value = value });
        }
    }

    private static async Task<T> GuardAsync<T>(Func<Task<T>> act)
    {
        try
        {
            return await act();
        }
        catch (PostgresException exception) when (exception.SqlState.StartsWith(OwnStates, StringComparison.Ordinal))
        {
            var (code, sentence) = Split(exception.MessageText);
            throw new RealtimeException(ErrorCode.Find(code), sentence, exception);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, "The inboxes cannot be reached; try again with the same id.", exception);
        }
    }

    private static (string Code, string Sentence) Split(string message) =>
        message.IndexOf(": ", StringComparison.Ordinal) is var colon and > 0 ? (message[..colon], message[(colon + 2)..]) : (ErrorCode.Internal.Code, message);
}
