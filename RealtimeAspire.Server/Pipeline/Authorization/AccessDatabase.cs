using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Statements about who may do what, each answered soon or not at all.</summary>
internal sealed class AccessDatabase(NpgsqlDataSource? dataSource)
{
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(2);

    public bool Exists => dataSource is not null;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task RunAsync(string sql, CancellationToken cancellationToken, params object?[] values) => ReadAsync(sql, static _ => { }, cancellationToken, values);

    /// <param name="sql">The statement.</param>
    /// <param name="row">Called for each row.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <param name="values">Its parameters; null for a moment that is none.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task ReadAsync(string sql, Action<NpgsqlDataReader> row, CancellationToken cancellationToken, params object?[] values)
    {
        // Also of getting a connection.
        using var limit = new CancellationTokenSource(TimeLimit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await using var command = (dataSource ?? throw new RealtimeException(ErrorCode.LogUnavailable, "This node has no Postgres, which keeps who may do what.")).CreateCommand(sql);
            foreach (var value in values)
            {
                command.Parameters.Add(value is null ? new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz } : new NpgsqlParameter { Value = value });
            }

            await using var reader = await command.ExecuteReaderAsync(either.Token);
            while (await reader.ReadAsync(either.Token))
            {
                row(reader);
            }
        }
        catch (Exception exception) when (exception is DbException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, "Who may do what cannot be reached; try again.", exception);
        }
    }
}
