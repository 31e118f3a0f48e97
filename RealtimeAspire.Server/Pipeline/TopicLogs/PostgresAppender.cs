using System.Diagnostics;
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
/// flight at a time, so publishes of a topic commit in order of arrival.
/// </summary>
/// <remarks>
/// After a failure that says nothing about the data the outcome is unknown: the same ids are sent again, over a new
/// connection, until they are placed or their deadline has passed. Dedupe makes that exact.
/// </remarks>
internal sealed partial class PostgresAppender(
    NpgsqlDataSource dataSource,
    IOptions<RealtimeOptions> options,
    RealtimeTracing tracing,
    TimeProvider time,
    ILogger<PostgresAppender> logger) : BackgroundService
{
    private const int MaxBatch = 1_000;
    private const int MaxBatchBytes = 8 * 1024 * 1024;
    private const int CommandTimeoutSeconds = 4;

    // What a waiting publish costs beside its payload.
    private const int OverheadBytes = 512;

    // The plan made while the day's partition is empty would be a scan, and would stay: with the
    // planner's defaults a batch costs five times as much after midnight. No statement holds a lock longer than 2 s.
    private const string Settings = """
        set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_mergejoin = off;
        set lock_timeout = '2s'; set statement_timeout = '2s'; set idle_in_transaction_session_timeout = '2s'
        """;

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(options.Value.Limits.PublishTimeoutSeconds);
    private readonly Channel<PendingAppend> _waiting = Channel.CreateBounded<PendingAppend>(
        new BoundedChannelOptions(options.Value.Limits.WaitingPublishes) { SingleReader = true });

    private readonly ByteBudget _waitingBytes = new(options.Value.Limits.WaitingBytes);

    // Only the loop touches these.
    private readonly PostgresTopicIds _topicIds = new();
    private NpgsqlConnection? _connection;
    private PostgresAppendCommand? _command;
    private TimeSpan _retry = FirstRetry;
    private bool _hasGivenUp;

    /// <summary>Enters the line before it returns; see <see cref="ITopicLog.AppendAsync"/>.</summary>
    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed)
    {
        var deadline = append.Started + (long)(_timeout.TotalSeconds * time.TimestampFrequency);
        var pending = new PendingAppend(append, committed, deadline);
        var bytes = BytesOf(pending);
        if (!_waitingBytes.TryTake(bytes))
        {
            pending.Fail(new RealtimeException(ErrorCode.Overloaded));
        }
        else if (!_waiting.Writer.TryWrite(pending))
        {
            _waitingBytes.Release(bytes);
            pending.Fail(new RealtimeException(ErrorCode.Overloaded));
        }

        return pending.Outcome;
    }

    /// <summary>Takes no more, and finishes what it has taken.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _waiting.Writer.TryComplete();
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var batch = new List<PendingAppend>(MaxBatch);
        // The line ends when it is completed and empty, not with the token: accepted publishes are stored.
        while (await _waiting.Reader.WaitToReadAsync(CancellationToken.None))
        {
            batch.Clear();
            var bytes = 0L;
            while (batch.Count < MaxBatch && bytes < MaxBatchBytes && _waiting.Reader.TryRead(out var pending))
            {
                batch.Add(pending);
                bytes += BytesOf(pending);
            }

            await StoreAsync([.. batch], stoppingToken);
            _waitingBytes.Release(bytes);
        }

        await CloseAsync();
    }

    private static long BytesOf(PendingAppend pending) => pending.Append.Payload.Length + OverheadBytes;

    /// <summary>Stores a batch, in as many parts and tries as it takes. Returns when every publish of it is answered.</summary>
    private async Task StoreAsync(IReadOnlyList<PendingAppend> batch, CancellationToken stoppingToken)
    {
        var parts = new Stack<IReadOnlyList<PendingAppend>>([batch]);
        while (parts.TryPop(out var part))
        {
            part = WithoutExpired(part);
            if (part.Count == 0)
            {
                continue;
            }

            try
            {
                var unplaced = await CommitAsync(part);
                _retry = FirstRetry;
                if (unplaced.Count > 0)
                {
                    parts.Push(unplaced);
                }
            }
            catch (Exception exception) when (PostgresFailure.IsData(exception))
            {
                await CloseAsync();
                Split(parts, part, exception);
            }
            // Nobody above could do better: the publishes are kept and tried again, and the failure is logged.
#pragma warning disable CA1031
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LogFailed(exception, part.Count);
                await CloseAsync();
                await PauseAsync(part, stoppingToken);
                parts.Push(part);
            }
        }
    }

    /// <summary>One round trip. Returns the publishes whose topic's row was gone, to be tried again.</summary>
    private async Task<IReadOnlyList<PendingAppend>> CommitAsync(IReadOnlyList<PendingAppend> part)
    {
        var batch = new AppendBatch(part);
        using var activity = tracing.StartAppend(batch.Leaders);
        var command = _command ?? await OpenAsync();
        var topicIds = await _topicIds.ResolveAsync(_connection!, batch.Leaders, CancellationToken.None);
        var placements = await command.ExecuteAsync(batch.Leaders, topicIds, CancellationToken.None);

        List<PendingAppend> unplaced = [];
        for (var i = 0; i < placements.Length; i++)
        {
            var leader = batch.Leaders[i];
            switch (placements[i])
            {
                case { Conflict: true }:
                    unplaced.AddRange(batch.Fail(leader, new RealtimeException(ErrorCode.IdConflict)));
                    break;
                case { } placement:
                    batch.Complete(leader, placement.Outcome);
                    break;
                case null:
                    _topicIds.Forget(leader.Append.Topic);
                    unplaced.Add(leader);
                    unplaced.AddRange(batch.FollowersOf(leader));
                    break;
            }
        }

        return unplaced;
    }

    /// <summary>Halves a part until the publish that is at fault is alone; then only that one fails.</summary>
    private void Split(Stack<IReadOnlyList<PendingAppend>> parts, IReadOnlyList<PendingAppend> part, Exception exception)
    {
        if (part.Count == 1)
        {
            LogRefused(exception, part[0].Append.Topic);
            part[0].Fail(new RealtimeException(ErrorCode.PayloadInvalid, "The log does not take this event.", exception));
            return;
        }

        var half = part.Count / 2;
        parts.Push([.. part.Skip(half)]);
        parts.Push([.. part.Take(half)]);
    }

    private List<PendingAppend> WithoutExpired(IReadOnlyList<PendingAppend> part)
    {
        var now = time.GetTimestamp();
        List<PendingAppend> alive = [];
        foreach (var pending in part)
        {
            if (pending.Deadline > now && !_hasGivenUp)
            {
                alive.Add(pending);
            }
            else
            {
                pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
            }
        }

        return alive;
    }

    /// <summary>
    /// Waits before the next try. A node that stops does not try again, nor anything behind it: what was published later would
    /// overtake.
    /// </summary>
    private async Task PauseAsync(IReadOnlyList<PendingAppend> part, CancellationToken stoppingToken)
    {
        foreach (var pending in part)
        {
            pending.Resent = true;
        }

        await Task.Delay(_retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _retry = TimeSpan.FromTicks(Math.Min(_retry.Ticks * 2, LastRetry.Ticks));
        _hasGivenUp = stoppingToken.IsCancellationRequested;
    }

    private async Task<PostgresAppendCommand> OpenAsync()
    {
        // Npgsql's own limit is longer than a publish waits.
        using var limit = new CancellationTokenSource(ConnectTime, time);
        _connection = await dataSource.OpenConnectionAsync(limit.Token);
        _topicIds.ForgetAll();
        await using (var settings = new NpgsqlCommand(Settings, _connection))
        {
            await settings.ExecuteNonQueryAsync(limit.Token);
        }

        var command = new PostgresAppendCommand(_connection, CommandTimeoutSeconds);
        await command.PrepareAsync(limit.Token);
        return _command = command;
    }

    private async Task CloseAsync()
    {
        var (command, connection) = (_command, _connection);
        (_command, _connection) = (null, null);
        if (command is not null)
        {
            await command.DisposeAsync();
        }

        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
    }

    [LoggerMessage(EventId = 1101, Level = LogLevel.Warning, Message = "Storing {Count} events failed; they are sent again with the same ids")]
    private partial void LogFailed(Exception exception, int count);

    [LoggerMessage(EventId = 1102, Level = LogLevel.Error, Message = "The log does not take an event on {Topic}")]
    private partial void LogRefused(Exception exception, TopicKey topic);
}
