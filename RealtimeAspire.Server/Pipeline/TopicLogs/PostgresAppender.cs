using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Group commit: one loop takes whatever publishes are waiting and stores them in one transaction. One transaction is in
/// flight at a time, so publishes of a topic commit in order of arrival. Those of a topic whose row is not free go to a side
/// lane, so that nothing else waits for it.
/// </summary>
internal sealed class PostgresAppender(
    NpgsqlDataSource dataSource,
    TopicCatalog catalog,
    IOptions<RealtimeOptions> options,
    RealtimeTracing tracing,
    TimeProvider time,
    ILogger<PostgresAppender> logger) : BackgroundService
{
    private const int MaxBatch = 1_000;

    // Longer than another node's append holds a row, shorter than anybody notices.
    private static readonly TimeSpan LockTimeout = TimeSpan.FromMilliseconds(100);

    // Shorter than PostgreSQL waits before it looks for a deadlock (1 s), which is dear.
    private static readonly TimeSpan SideLockTimeout = TimeSpan.FromSeconds(0.5);

    private readonly AppendLine _line = new(catalog, options.Value.Limits, time);
    private readonly PostgresAppendWriter _writer =
        new(new PostgresAppendSession(dataSource, catalog, tracing, time, LockTimeout), time, logger);

    private readonly PostgresSideLane _sideLane =
        new(new PostgresAppendWriter(new PostgresAppendSession(dataSource, catalog, tracing, time, SideLockTimeout), time, logger), time);

    /// <inheritdoc cref="AppendLine.Enter"/>
    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) => _line.Enter(append, committed);

    /// <summary>Takes no more, and finishes what it has taken.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _line.Complete();
        await base.StopAsync(cancellationToken);
        if (ExecuteTask is null or { IsCompleted: true })
        {
            _line.FailRest();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var sideLane = Background.Run(() => _sideLane.RunAsync(stoppingToken));
        await Task.Yield();
        while (await _line.WaitAsync())
        {
            var batch = _line.Take(MaxBatch, pending => !_sideLane.TryFollow(pending));
            _sideLane.Enter(await _writer.StoreAsync(batch, stoppingToken));
        }

        _sideLane.Complete();
        await sideLane;
        await _writer.CloseAsync();
    }
}
