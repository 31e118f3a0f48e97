using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Statements about rooms, each answered soon or not at all.</summary>
internal sealed class ChatDatabase(NpgsqlDataSource dataSource)
{
    private const int TimeoutSeconds = 5;

    /// <summary>Reads what has texts of users, as a role that sees those of one tenant alone.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<T>> ReadTextsAsync<T>(string tenant, string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values)
    {
        try
        {
            await using var batch = dataSource.CreateReading(tenant);
            batch.BatchCommands.Add(Create(sql, values));
            batch.Timeout = TimeoutSeconds;
            await using var reader = await batch.ReadAsync(cancellationToken);
            return await ReadAllAsync(reader, row, cancellationToken);
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    /// <param name="sql">A statement that names the tenant.</param>
    /// <param name="row">What becomes of each row.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <param name="values">The parameters; null for a text that is none.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<T>> ReadAsync<T>(string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params object?[] values)
    {
        try
        {
            await using var batch = dataSource.CreateBatch();
            batch.BatchCommands.Add(Create(sql, values));
            batch.Timeout = TimeoutSeconds;
            await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
            return await ReadAllAsync(reader, row, cancellationToken);
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    /// <returns>How many rows were written.</returns>
    /// <inheritdoc cref="ReadAsync{T}"/>
    public async Task<int> RunAsync(string sql, CancellationToken cancellationToken, params object?[] values)
    {
        try
        {
            await using var batch = dataSource.CreateBatch();
            batch.BatchCommands.Add(Create(sql, values));
            batch.Timeout = TimeoutSeconds;
            return await batch.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (DbException exception)
        {
            throw Unavailable(exception);
        }
    }

    public static RealtimeException Unavailable(DbException exception) => new(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);

    private static NpgsqlBatchCommand Create(string sql, object?[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(value switch
            {
                null => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                DateTimeOffset time => new NpgsqlParameter { Value = time.ToUniversalTime(), NpgsqlDbType = NpgsqlDbType.TimestampTz },
                _ => new NpgsqlParameter { Value = value },
            });
        }

        return command;
    }

    private static async Task<IReadOnlyList<T>> ReadAllAsync<T>(NpgsqlDataReader reader, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken)
    {
        List<T> rows = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(row(reader));
        }

        return rows;
    }
}
