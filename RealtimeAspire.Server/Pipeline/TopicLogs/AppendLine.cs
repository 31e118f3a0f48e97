using System.Diagnostics.CodeAnalysis;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Where publishes wait for a log's appender, bounded in number and bytes. Users take turns, so that who publishes much waits for himself;
/// those of one user stay in order of arrival.
/// </summary>
internal sealed class AppendLine(TopicCatalog catalog, LimitOptions limits, TimeProvider time)
{
    // A batch ends with the publish that reaches this: so many that large payloads share a commit, so few that others' small ones do not wait long for them.
    private const int MaxBatchBytes = 256 * 1024;

    /// <summary>The part that one user's publishes may take of all that may wait, and one tenant's.</summary>
    private const double UserPart = 0.25;
    private const double TenantPart = 0.9;

    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(limits.PublishTimeoutSeconds);
    private readonly PartedBudget _bytes = new(limits.WaitingBytes, UserPart, TenantPart);
    private readonly Doorbell _bell = new();
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly FairLine<PendingAppend> _waiting = new();
    private bool _isCompleted;

    /// <summary>Enters the line before it returns; see <see cref="ITopicLog.AppendAsync"/>.</summary>
    public Task<AppendOutcome> Enter(Append append, Action<LoggedEvent> committed)
    {
        var deadline = append.Started + (long)(_timeout.TotalSeconds * time.TimestampFrequency);
        var user = new UserKey(append.Topic.Tenant, append.Publisher);
        var pending = new PendingAppend(append, catalog.Get(append.Topic), committed, deadline, _bytes.Of(user));
        if (!pending.TryEnter())
        {
            return Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.Overloaded));
        }

        bool isIn;
        lock (_lock)
        {
            isIn = !_isCompleted && HasRoom_NeedsLock(user);
            if (isIn)
            {
                _waiting.Enter(user, pending);
            }
        }

        if (isIn)
        {
            _bell.Ring(lendThread: false);
        }
        else
        {
            pending.Fail(new RealtimeException(ErrorCode.Overloaded));
        }

        return pending.Outcome;
    }

    /// <summary>False: it is completed and empty. It does not end with a token: accepted publishes are stored.</summary>
    public async ValueTask<bool> WaitAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_waiting.Count > 0 || _isCompleted)
                {
                    return _waiting.Count > 0;
                }
            }

            await _bell.WaitAsync();
        }
    }

    /// <summary>Takes what waits, as far as one batch goes.</summary>
    /// <param name="count">So many at most.</param>
    /// <param name="belongs">False: it has been taken care of, and is not of the batch.</param>
    public List<PendingAppend> Take(int count, Func<PendingAppend, bool> belongs)
    {
        return BatchOf(Leaving(), count);

        IEnumerable<PendingAppend> Leaving()
        {
            while (TryTake(out var pending))
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
    public void Complete()
    {
        lock (_lock)
        {
            _isCompleted = true;
        }

        _bell.Ring(lendThread: false);
    }

    /// <summary>Answers those whom no appender serves: the loop of a node that is stopped while it starts may never have begun.</summary>
    public void FailRest()
    {
        while (TryTake(out var pending))
        {
            pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
        }
    }

    private bool TryTake([NotNullWhen(true)] out PendingAppend? pending)
    {
        lock (_lock)
        {
            return _waiting.TryTake(out pending);
        }
    }

    private bool HasRoom_NeedsLock(UserKey user) => _waiting.Count < limits.WaitingPublishes
        && _waiting.CountOf(user.Tenant) < limits.WaitingPublishes * TenantPart
        && (user.UserId.Length == 0 || _waiting.CountOf(user) < limits.WaitingPublishes * UserPart);
}
