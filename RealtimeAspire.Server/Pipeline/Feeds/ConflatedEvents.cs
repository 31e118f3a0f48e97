using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// What waits for a subscription that needs only the newest event of each key. Its connection guards it and says when it
/// may leave; see <see cref="Connections.Connection"/>.
/// </summary>
/// <param name="topic">The topic.</param>
/// <param name="interval">The least time between two flushes.</param>
internal sealed class ConflatedEvents(TopicKey topic, TimeSpan interval)
{
    private readonly Dictionary<ConflationKey, (long Arrival, EncodedEvent Event)> _newest = [];
    private long _arrivals;

    public TopicKey Topic => topic;

    public TimeSpan Interval => interval;

    /// <summary>Its subscription has ended.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>It stands in the connection's queue.</summary>
    public bool IsQueued { get; set; }

    /// <summary>When it may leave next, as a timestamp of the time provider.</summary>
    public long DueAt { get; set; }

    /// <summary>Puts it into the queue when it is due; null until that is needed for the first time.</summary>
    public ITimer? Timer { get; set; }

    /// <summary>Events that were replaced before they could leave, and that the reader has not been told of.</summary>
    public long Dropped { get; set; }

    /// <summary>When the reader was last told, as a timestamp of the time provider.</summary>
    public long ToldAt { get; set; }

    public bool IsEmpty => _newest.Count == 0;

    /// <summary>Replaces what has the same key. Returns by how many bytes more wait now.</summary>
    public int Put(EventBatch batch, out int dropped)
    {
        var bytes = 0;
        dropped = 0;
        foreach (var offered in batch.Events)
        {
            if (_newest.TryGetValue(offered.Key, out var replaced))
            {
                bytes -= replaced.Event.Json.Length;
                dropped++;
            }

            _newest[offered.Key] = (_arrivals++, offered);
            bytes += offered.Json.Length;
        }

        Dropped += dropped;
        return bytes;
    }

    /// <summary>Everything that waits, in order of arrival.</summary>
    public EventBatch Take()
    {
        var events = _newest.Values.OrderBy(kept => kept.Arrival).Select(kept => kept.Event).ToArray();
        _newest.Clear();
        return new EventBatch(events);
    }

    /// <summary>Nothing is wanted any more. Returns how many bytes waited.</summary>
    public int Clear()
    {
        var bytes = _newest.Values.Sum(kept => kept.Event.Json.Length);
        _newest.Clear();
        IsForgotten = true;
        Timer?.Dispose();
        return bytes;
    }

    /// <summary>Of events in order, the last of each key, in order.</summary>
    public static IReadOnlyList<EncodedEvent> NewestOf(IReadOnlyList<EncodedEvent> events)
    {
        var seen = new HashSet<ConflationKey>();
        var newest = events.Reverse().Where(encoded => seen.Add(encoded.Key)).ToArray();
        Array.Reverse(newest);
        return newest;
    }
}
