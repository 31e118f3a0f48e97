using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Limits;
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
    private const int MaxBatchBytes = 8 * 1024 * 1024;

    // Longer than another node's append holds a row, shorter than anybody notices.
    private static readonly TimeSpan LockTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SideLockTimeout = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(options.Value.Limits.PublishTimeoutSeconds);
    private readonly Channel<PendingAppend> _waiting = Channel.CreateBounded<PendingAppend>(
        new BoundedChannelOptions(options.Value.Limits.WaitingPublishes) { SingleReader = true });

    private readonly ByteBudget _waitingBytes = new(options.Value.Limits.WaitingBytes);
    private readonly PostgresAppendWriter _writer =
        new(new PostgresAppendSession(dataSource, catalog, tracing, time, LockTimeout), time, logger);

    private readonly PostgresSideLane _sideLane =
        new(new PostgresAppendWriter(new PostgresAppendSession(dataSource, catalog, tracing, time, SideLockTimeout), time, logger), time);

    /// <summary>Enters the line before it returns; see <see cref="ITopicLog.AppendAsync"/>.</summary>
    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed)
    {
        var deadline = append.Started + (long)(_timeout.TotalSeconds * time.TimestampFrequency);
        var pending = new PendingAppend(append, catalog.Get(append.Topic.Name), committed, deadline, _waitingBytes);
        if (!pending.TryEnter())
        {
            return Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.Overloaded));
        }

        if (!_waiting.Writer.TryWrite(pending))
        {
            pending.Fail(new RealtimeException(ErrorCode.Overloaded));
        }

        return pending.Outcome;
    }

    /// <summary>Takes no more, and finishes what it has taken.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _waiting.Writer.TryComplete();
        await base.StopAsync(cancellationToken);
        // The loop of a node that is stopped while it starts may never have begun.
        while (ExecuteTask is null or { IsCompleted: true } && _waiting.Reader.TryRead(out var pending))
        {
            pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var sideLane = Background.Run(() => _sideLane.RunAsync(stoppingToken));
        await Task.Yield();
        var batch = new List<PendingAppend>(MaxBatch);
        // The line ends when it is completed and empty, not with the token: accepted publishes are stored.
        while (await _waiting.Reader.WaitToReadAsync(CancellationToken.None))
        {
            batch.Clear();
            var bytes = 0L;
            while (batch.Count < MaxBatch && bytes < MaxBatchBytes && _waiting.Reader.TryRead(out var pending))
            {
                if (!_sideLane.TryFollow(pending))
                {
                    batch.Add(pending);
                    bytes += pending.Bytes;
                }
            }

            _sideLane.Enter(await _writer.StoreAsync([.. batch], stoppingToken));
        }

        _sideLane.Complete();
        await sideLane;
        await _writer.CloseAsync();
    }
}
