using System.Threading.Channels;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>Where publishes wait for a log's appender, in order of arrival, bounded in number and bytes.</summary>
internal sealed class AppendLine(TopicCatalog catalog, LimitOptions limits, TimeProvider time)
{
    // A batch ends with the publish that reaches this.
    private const int MaxBatchBytes = 8 * 1024 * 1024;

    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(limits.PublishTimeoutSeconds);
    private readonly ByteBudget _bytes = new(limits.WaitingBytes);
    private readonly Channel<PendingAppend> _waiting = Channel.CreateBounded<PendingAppend>(
        new BoundedChannelOptions(limits.WaitingPublishes) { SingleReader = true });

    /// <summary>Enters the line before it returns; see <see cref="ITopicLog.AppendAsync"/>.</summary>
    public Task<AppendOutcome> Enter(Append append, Action<LoggedEvent> committed)
    {
        var deadline = append.Started + (long)(_timeout.TotalSeconds * time.TimestampFrequency);
        var pending = new PendingAppend(append, catalog.Get(append.Topic), committed, deadline, _bytes);
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

    /// <summary>False: it is completed and empty. It does not end with a token: accepted publishes are stored.</summary>
    public ValueTask<bool> WaitAsync() => _waiting.Reader.WaitToReadAsync(CancellationToken.None);

    /// <summary>Takes what waits, as far as one batch goes.</summary>
    /// <param name="count">So many at most.</param>
    /// <param name="belongs">False: it has been taken care of, and is not of the batch.</param>
    public List<PendingAppend> Take(int count, Func<PendingAppend, bool> belongs)
    {
        return BatchOf(Leaving(), count);

        IEnumerable<PendingAppend> Leaving()
        {
            while (_waiting.Reader.TryRead(out var pending))
            {
                if (belongs(pending))
                {
                    yield return pending;
                }
            }
        }
    }

    /// <summary>As many of these as go into one batch. None is asked for beyond its last.</summary>
    public static List<PendingAppend> BatchOf(IEnumerable<PendingAppend> waiting, int count)
    {
        List<PendingAppend> batch = [];
        var bytes = 0L;
        foreach (var pending in waiting)
        {
            batch.Add(pending);
            bytes += pending.Bytes;
            if (batch.Count == count || bytes >= MaxBatchBytes)
            {
                break;
            }
        }

        return batch;
    }

    /// <summary>Takes no more.</summary>
    public void Complete() => _waiting.Writer.TryComplete();

    /// <summary>Answers those whom no appender serves: the loop of a node that is stopped while it starts may never have begun.</summary>
    public void FailRest()
    {
        while (_waiting.Reader.TryRead(out var pending))
        {
            pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
        }
    }
}
