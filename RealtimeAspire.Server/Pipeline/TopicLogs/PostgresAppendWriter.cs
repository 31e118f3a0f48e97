using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Stores publishes in as many parts and tries as it takes: until they are placed, their deadline has passed, or their topic
/// turns out to be blocked. One call at a time.
/// </summary>
/// <remarks>
/// After a failure that says nothing about the data the outcome is unknown: the same ids are sent again, over a new
/// connection. Dedupe makes that exact.
/// </remarks>
internal sealed partial class PostgresAppendWriter(PostgresAppendSession session, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);

    private TimeSpan _retry = FirstRetry;
    private bool _hasGivenUp;

    /// <summary>Stores what is not blocked. Returns when every other publish is answered.</summary>
    /// <returns>The publishes of blocked topics, in their order.</returns>
    public async Task<IReadOnlyList<PendingAppend>> StoreAsync(IReadOnlyList<PendingAppend> batch, CancellationToken stoppingToken)
    {
        List<PendingAppend> blocked = [];
        HashSet<TopicKey> blockedTopics = [];
        var parts = new Stack<IReadOnlyList<PendingAppend>>([batch]);
        while (parts.TryPop(out var popped))
        {
            // Once blocked, a topic stays so for the whole batch: what comes later must not overtake.
            blocked.AddRange(popped.Where(pending => blockedTopics.Contains(pending.Append.Topic)));
            var part = Alive(popped.Where(pending => !blockedTopics.Contains(pending.Append.Topic)));
            if (part.Count == 0)
            {
                continue;
            }

            try
            {
                var result = await session.CommitAsync(part);
                _retry = FirstRetry;
                blockedTopics.UnionWith(result.Blocked);
                parts.Push(result.Unplaced);
            }
            catch (Exception exception) when (PostgresFailure.IsData(exception))
            {
                await session.CloseAsync();
                Split(parts, part, exception);
            }
            // Nobody above could do better: the publishes are kept and tried again, and the failure is logged.
#pragma warning disable CA1031
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LogFailed(exception, part.Count);
                foreach (var pending in part)
                {
                    pending.Resent = true;
                }

                await PauseAsync(stoppingToken);
                parts.Push(part);
            }
        }

        return blocked;
    }

    /// <summary>Which of the topics are blocked; all, while that cannot be found out.</summary>
    public async Task<IReadOnlySet<TopicKey>> FindBlockedAsync(IReadOnlySet<TopicKey> topics, CancellationToken stoppingToken)
    {
        try
        {
            return await session.FindBlockedAsync(topics);
        }
        // As above: whoever asks has publishes to keep.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogProbeFailed(exception, topics.Count);
            await PauseAsync(stoppingToken);
            return topics;
        }
    }

    /// <summary>Fails those whose time is over, and returns the others.</summary>
    public List<PendingAppend> Alive(IEnumerable<PendingAppend> part)
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

    public Task CloseAsync() => session.CloseAsync();

    /// <summary>Halves a part until the publish that is at fault is alone; then only that one fails.</summary>
    private void Split(Stack<IReadOnlyList<PendingAppend>> parts, List<PendingAppend> part, Exception exception)
    {
        if (part.Count == 1)
        {
            LogRefused(exception, part[0].Append.Topic);
            part[0].Fail(new RealtimeException(ErrorCode.PayloadInvalid, "The log does not take this event.", exception));
            return;
        }

        var half = part.Count / 2;
        parts.Push(part[half..]);
        parts.Push(part[..half]);
    }

    /// <summary>
    /// Waits before the next try. A node that stops does not try again, nor anything behind it: what was published later would
    /// overtake.
    /// </summary>
    private async Task PauseAsync(CancellationToken stoppingToken)
    {
        await session.CloseAsync();
        await Task.Delay(_retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _retry = TimeSpan.FromTicks(Math.Min(_retry.Ticks * 2, LastRetry.Ticks));
        _hasGivenUp = stoppingToken.IsCancellationRequested;
    }

    [LoggerMessage(EventId = 1101, Level = LogLevel.Warning, Message = "Storing {Count} events failed; they are sent again with the same ids")]
    private partial void LogFailed(Exception exception, int count);

    [LoggerMessage(EventId = 1102, Level = LogLevel.Error, Message = "The log does not take an event on {Topic}")]
    private partial void LogRefused(Exception exception, TopicKey topic);

    [LoggerMessage(EventId = 1103, Level = LogLevel.Warning, Message = "Which of {Count} topics are blocked cannot be found out")]
    private partial void LogProbeFailed(Exception exception, int count);
}
