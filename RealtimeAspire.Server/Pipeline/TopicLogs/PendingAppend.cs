using System.Runtime.InteropServices;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>A publish that waits for the log. What it takes of the budget is given back when it is answered.</summary>
internal sealed class PendingAppend(Append append, TopicPolicy policy, Action<LoggedEvent> committed, long deadline, ByteBudget budget)
{
    // What a waiting publish costs beside its payload.
    private const int OverheadBytes = 512;

    private readonly TaskCompletionSource<AppendOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Append Append { get; } = append;

    public TopicPolicy Policy { get; } = policy;

    public long Bytes => Append.Payload.Length + OverheadBytes;

    /// <summary>When it fails as unavailable, as a timestamp of the time provider.</summary>
    public long Deadline { get; } = deadline;

    /// <summary>It was sent before, and the answer was lost: a duplicate may be its own first try.</summary>
    public bool Resent { get; set; }

    public Task<AppendOutcome> Outcome => _completion.Task;

    /// <summary>False: the budget has no room for it, and it must not wait.</summary>
    public bool TryEnter() => budget.TryTake(Bytes);

    /// <summary>It is stored: starts its fan-out and answers the publisher.</summary>
    public void Complete(AppendOutcome outcome)
    {
        if (!outcome.Duplicate || Resent)
        {
            committed(Append.At(outcome.Position, outcome.Timestamp));
        }

        Leave();
        _completion.TrySetResult(outcome);
    }

    /// <summary>Another publish of the same batch carries the same id: this one shares its outcome.</summary>
    public void Follow(AppendOutcome outcome)
    {
        Leave();
        _completion.TrySetResult(outcome with { Duplicate = true });
    }

    public void Fail(RealtimeException error)
    {
        Leave();
        _completion.TrySetException(error);
    }

    // Before the answer: whoever gets it finds the room that it made.
    private void Leave()
    {
        if (!Outcome.IsCompleted)
        {
            budget.Release(Bytes);
        }
    }
}

/// <summary>
/// What of a batch goes to the database: per topic, publisher and id one publish, the first. Pure; the appender drives it.
/// </summary>
internal sealed class AppendBatch
{
    private readonly Dictionary<(TopicKey Topic, string Publisher, string Id), PendingAppend> _leaders = [];
    private readonly Dictionary<PendingAppend, List<PendingAppend>> _followers = [];

    public AppendBatch(IReadOnlyList<PendingAppend> waiting)
    {
        var leaders = new List<PendingAppend>(waiting.Count);
        foreach (var pending in waiting)
        {
            var append = pending.Append;
            ref var leader = ref CollectionsMarshal.GetValueRefOrAddDefault(_leaders, (append.Topic, append.Publisher, append.Id), out var known);
            if (known)
            {
                AddFollower(leader!, pending);
            }
            else
            {
                leader = pending;
                leaders.Add(pending);
            }
        }

        // By topic, so that its rows lie together; the sort is stable, so each topic keeps the order of arrival.
        Leaders = [.. leaders.OrderBy(pending => pending.Append.Topic.Name.Value, StringComparer.Ordinal)];
    }

    public IReadOnlyList<PendingAppend> Leaders { get; }

    /// <summary>A publish is stored, and with it those that carry the same id.</summary>
    public void Complete(PendingAppend leader, AppendOutcome outcome)
    {
        leader.Complete(outcome);
        foreach (var follower in FollowersOf(leader))
        {
            if (follower.Append.ContentHash.AsSpan().SequenceEqual(leader.Append.ContentHash))
            {
                follower.Follow(outcome);
            }
            else
            {
                follower.Fail(new RealtimeException(ErrorCode.IdConflict));
            }
        }
    }

    /// <summary>
    /// A publish failed. Those that carry the same id fail with it, which is right only where the failure says nothing
    /// about their content; with another content they must be tried by themselves.
    /// </summary>
    /// <returns>The publishes to try again.</returns>
    public IReadOnlyList<PendingAppend> Fail(PendingAppend leader, RealtimeException error)
    {
        leader.Fail(error);
        if (error.Error.Retryable)
        {
            foreach (var follower in FollowersOf(leader))
            {
                follower.Fail(error);
            }

            return [];
        }

        return FollowersOf(leader);
    }

    /// <summary>The publishes of the batch that carry the same id.</summary>
    public IReadOnlyList<PendingAppend> FollowersOf(PendingAppend leader) =>
        _followers.TryGetValue(leader, out var followers) ? followers : [];

    private void AddFollower(PendingAppend leader, PendingAppend follower)
    {
        if (!_followers.TryGetValue(leader, out var followers))
        {
            _followers[leader] = followers = [];
        }

        followers.Add(follower);
    }
}
