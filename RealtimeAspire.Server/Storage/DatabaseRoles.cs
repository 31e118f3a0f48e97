using Npgsql;

namespace RealtimeAspire.Server.Storage;

/// <summary>
/// As whom statements run: what reads events sees those of one tenant, and what appends cannot read them. The role and the tenant
/// hold for the batch, which is one transaction and one round trip, and for nothing that the connection is used for later.
/// </summary>
internal static class DatabaseRoles
{
    /// <summary>Locks and moves tips, and inserts, for all tenants.</summary>
    public const string Appender = "realtime_appender";

    // Every read is short, or ends soon: to compile one, which the planner may want by what it guesses, costs more than all of it.
    private const string Interpreted = "set_config('jit', 'off', true)";

    private const string Read = $"select {Interpreted}";
    private const string ReadFor = $"select set_config('role', 'realtime_reader', true), set_config('realtime.tenant', $1, true), {Interpreted}";
    private const string Append = $"select set_config('role', '{Appender}', true)";

    /// <summary>A batch that reads what is the tenant's, and nothing else.</summary>
    public static NpgsqlBatch CreateReading(this NpgsqlDataSource dataSource, string tenant)
    {
        var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(ReadFor) { Parameters = { new() { Value = tenant } } });
        return batch;
    }

    /// <summary>A batch that reads as the node itself, so what it reads has to name the tenant.</summary>
    public static NpgsqlBatch CreateReading(this NpgsqlDataSource dataSource)
    {
        var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Read));
        return batch;
    }

    /// <summary>A batch that reads the tips of all tenants, and no event.</summary>
    public static NpgsqlBatch CreateTipReading(this NpgsqlDataSource dataSource)
    {
        var batch = dataSource.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Append));
        return batch;
    }

    /// <summary>What the second command of the batch answers.</summary>
    public static async Task<NpgsqlDataReader> ReadAsync(this NpgsqlBatch batch, CancellationToken cancellationToken)
    {
        var reader = await batch.ExecuteReaderAsync(cancellationToken);
        try
        {
            await reader.NextResultAsync(cancellationToken);
            return reader;
        }
        catch
        {
            await reader.DisposeAsync();
            throw;
        }
    }
}
