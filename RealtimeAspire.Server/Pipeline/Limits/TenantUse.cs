namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>What a tenant uses on this node, and what it may use here at the moment. Thread-safe.</summary>
internal sealed class TenantUse
{
    // For a tenant that may not publish at all: somebody may change that.
    private static readonly TimeSpan NeverTime = TimeSpan.FromMinutes(1);

    private readonly TokenBucket _publishes = new();
    private volatile Share? _share;
    private long _asked;
    private long _connections;
    private long _topics;

    public long Connections => Interlocked.Read(ref _connections);

    public long Topics => Interlocked.Read(ref _topics);

    /// <summary>Takes one of the tenant's publishes.</summary>
    /// <param name="quota">How many all nodes have together.</param>
    /// <param name="time">Measures.</param>
    /// <returns>Null: taken. Otherwise after which time there may be another.</returns>
    public TimeSpan? TakePublish(int quota, TimeProvider time)
    {
        Interlocked.Increment(ref _asked);
        if (quota <= 0)
        {
            return NeverTime;
        }

        var share = _share is { } known && known.Quota == quota ? known : _share = Change(_share, quota, time);
        var wait = _publishes.Take(time.GetTimestamp(), share.Publishes);
        return wait == 0 ? null : time.GetElapsedTime(0, wait);
    }

    /// <summary>False: there are as many as there may be, and this one does not count.</summary>
    public bool TryAddConnection(int? quota) => TryAdd(ref _connections, quota, _share?.OtherConnections ?? 0, _share?.Nodes ?? 1);

    public void RemoveConnection() => Interlocked.Decrement(ref _connections);

    /// <summary>Whether there may be another topic.</summary>
    public bool HasRoomForTopic(int quota) => Topics < MostOf(quota, _share?.OtherTopics ?? 0, _share?.Nodes ?? 1);

    public void AddTopic() => Interlocked.Increment(ref _topics);

    public void RemoveTopic() => Interlocked.Decrement(ref _topics);

    /// <summary>What it has used since this was last called.</summary>
    public NodeUse Report() => new(Interlocked.Exchange(ref _asked, 0), Connections, Topics);

    /// <summary>What the other nodes have told of it in the last second.</summary>
    public void Learn(int? quota, NodeUse own, IReadOnlyList<NodeUse> others, TimeProvider time) =>
        _share = Divide(quota, 1, own.Asked, others, time);

    /// <summary>The other nodes cannot be asked: each has an even part.</summary>
    public void Alone(int? quota, int nodes, TimeProvider time) => _share = Divide(quota, nodes, 0, [], time);

    /// <summary>The quota is another one: the part of it stays until the nodes have told each other.</summary>
    private static Share Change(Share? share, int quota, TimeProvider time)
    {
        if (share is not { Quota: > 0 })
        {
            return Divide(quota, 1, 0, [], time);
        }

        var perSecond = share.PerSecond * quota / share.Quota.Value;
        return share with { Quota = quota, PerSecond = perSecond, Publishes = BucketRate.Of(perSecond, perSecond, time) };
    }

    private static Share Divide(int? quota, int nodes, double asked, IReadOnlyList<NodeUse> others, TimeProvider time)
    {
        var share = quota is { } rate ? Shares.Of((double)rate / nodes, [.. others.Select(other => (double)other.Asked)], asked) : 0;
        return new Share(
            quota, share, quota is null ? default : BucketRate.Of(share, share, time), nodes, others.Sum(other => other.Connections), others.Sum(other => other.Topics));
    }

    /// <summary>A part of what there may be is one at least.</summary>
    private static long MostOf(int quota, long others, int nodes) => quota <= 0 ? 0 : Math.Max(1, quota / nodes) - others;

    private static bool TryAdd(ref long count, int? quota, long others, int nodes)
    {
        if (Interlocked.Increment(ref count) <= (quota is { } limit ? MostOf(limit, others, nodes) : long.MaxValue))
        {
            return true;
        }

        Interlocked.Decrement(ref count);
        return false;
    }

    /// <param name="Quota">Of what it is a share.</param>
    /// <param name="PerSecond">How fast the tenant may publish here.</param>
    /// <param name="Publishes">The same, for its bucket.</param>
    /// <param name="Nodes">Among how many the rest is divided evenly; 1 where it is known what the others have.</param>
    /// <param name="OtherConnections">What the other nodes had a second ago.</param>
    /// <param name="OtherTopics">The same.</param>
    private sealed record Share(int? Quota, double PerSecond, BucketRate Publishes, int Nodes, long OtherConnections, long OtherTopics);
}

/// <summary>What a tenant uses on one node.</summary>
/// <param name="Asked">The publishes of a second, those that were refused too.</param>
/// <param name="Connections">That are open.</param>
/// <param name="Topics">That have a subscriber there.</param>
internal readonly record struct NodeUse(long Asked, long Connections, long Topics);
