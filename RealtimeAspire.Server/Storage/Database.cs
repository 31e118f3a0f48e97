using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// Statements on what is kept beside the logs, each answered soon or not at all. What the database refuses by a code of the product is that error,
/// and what it does not answer can be tried again.
/// </summary>
/// <param name="dataSource">Null: this node has no Postgres.</param>
/// <param name="limit">From asking for a connection to the last row; default: 5 s.</param>
/// <param name="unavailable">What is said when there is no answer; default: the code's own sentence.</param>
internal class Database(NpgsqlDataSource? dataSource, TimeSpan? limit = null, string? unavailable = null)
{
    // A class of SQLSTATEs that only realtime.refuse raises: code, colon, sentence.
    private const string OwnStates = "RT";

    private static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _limit = limit ?? DefaultLimit;

    public bool Exists => dataSource is not null;

    private NpgsqlDataSource DataSource => dataSource ?? throw new RealtimeException(ErrorCode.LogUnavailable, "This node has no Postgres, which keeps this.");

    /// <summary>Reads what is one tenant's, as a role that sees nothing else.</summary>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="row">What becomes of each row.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <param name="values">Its parameters.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<T>> ReadAsync<T>(string tenant, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values) =>
        AnswerAsync(limited => ReadAsync(DataSource.CreateReading(tenant), sql, row, values, limited), cancellationToken);

    /// <summary>One statement by the node itself, which has to name the tenant, and its rows.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public Task<IReadOnlyList<T>> ReadAsync<T>(string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values) =>
        AnswerAsync(limited => ReadAsync(DataSource.CreateReading(), sql, row, values, limited), cancellationToken);

    /// <param name="sql">The statement.</param>
    /// <param name="row">Called for each row.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <param name="values">Its parameters.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public Task ReadAsync(string sql, Action<NpgsqlDataReader> row, CancellationToken cancellationToken, params object?[] values) => ReadAsync(
        sql,
        reader =>
        {
            row(reader);
            return true;
        },
        cancellationToken,
        values);

    /// <returns>How many rows were written.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public Task<int> RunAsync(string sql, CancellationToken cancellationToken, params object?[] values) =>
        AnswerAsync(
            async limited =>
            {
                await using var command = DataSource.CreateCommand(sql);
                Add(command.Parameters, values);
                return await command.ExecuteNonQueryAsync(limited);
            },
            cancellationToken);

    /// <summary>Several statements, all of them or none: what is done is committed when it has returned without an exception.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>, or a code of the product.</exception>
    public async Task<T> TransactAsync<T>(Func<NpgsqlConnection, Task<T>> act, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await DataSource.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var result = await act(connection);
            await transaction.CommitAsync(cancellationToken);
            return result;
        }
        catch (DbException exception)
        {
            throw ToError(exception);
        }
    }

    /// <summary>One statement of several.</summary>
    public static async Task<IReadOnlyList<T>> ReadAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        Add(command.Parameters, values);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAllAsync(reader, row, cancellationToken);
    }

    public static string? TextAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static DateTimeOffset? TimeAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);

    private static async Task<IReadOnlyList<T>> ReadAsync<T>(NpgsqlBatch reading, string sql, Func<NpgsqlDataReader, T> row, object?[] values, CancellationToken cancellationToken)
    {
        await using var batch = reading;
        var command = new NpgsqlBatchCommand(sql);
        Add(command.Parameters, values);
        batch.BatchCommands.Add(command);
        await using var reader = await batch.ReadAsync(cancellationToken);
        return await ReadAllAsync(reader, row, cancellationToken);
    }

    private async Task<T> AnswerAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        using var limited = new CancellationTokenSource(_limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limited.Token, cancellationToken);
        try
        {
            return await ask(either.Token);
        }
        catch (Exception exception) when (exception is DbException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw ToError(exception);
        }
    }

    private RealtimeException ToError(Exception exception)
    {
        if (exception is PostgresException { MessageText: var text } refused && refused.SqlState.StartsWith(OwnStates, StringComparison.Ordinal))
        {
            return text.IndexOf(": ", StringComparison.Ordinal) is var colon and > 0
                ? new RealtimeException(ErrorCode.Find(text[..colon]), text[(colon + 2)..], exception)
                : new RealtimeException(ErrorCode.Internal, text, exception);
        }

        return new RealtimeException(ErrorCode.LogUnavailable, unavailable ?? ErrorCode.LogUnavailable.Sentence, exception);
    }

    private static async Task<IReadOnlyList<T>> ReadAllAsync<T>(NpgsqlDataReader reader, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    /// <summary>A null has no type of its own: it has that of its place in the statement.</summary>
    private static void Add(NpgsqlParameterCollection parameters, object?[] values)
    {
        foreach (var value in values)
        {
            parameters.Add(value switch
            {
                null => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.Unknown },
                DateTimeOffset time => new NpgsqlParameter { Value = time.ToUniversalTime() },
                _ => new NpgsqlParameter { Value = value },
            });
        }
    }
}
