namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// The newest events that a feed has fanned out, without a hole: who comes back soon is served from here, and who joins is
/// brought up to date. Pure but for the memory it counts; the feed guards it.
/// </summary>
internal sealed class FeedTail(TailMemory memory)
{
    /// <summary>The most events it holds.</summary>
    public const int MaxEvents = 1_000;

    /// <summary>The most bytes it holds, beside the newest event.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>What it holds when the node's tails together have reached their limit: enough for joiners to catch up with.</summary>
    public const int ScarceBytes = 64 * 1024;

    private readonly Queue<EncodedEvent> _events = new();
    private int _bytes;

    public int Count => _events.Count;

    /// <summary>Takes the next event.</summary>
    public void Add(EncodedEvent next)
    {
        _events.Enqueue(next);
        Account(next.Json.Length);
        var limit = memory.IsScarce ? ScarceBytes : MaxBytes;
        while (_events.Count > 1 && (_events.Count > MaxEvents || _bytes > limit))
        {
            Account(-_events.Dequeue().Json.Length);
        }
    }

    /// <summary>Whether it holds every event after this offset, given that the last one fanned out was <paramref name="last"/>.</summary>
    public bool Covers(long offset, long last) => offset >= last - _events.Count;

    /// <summary>Adds the events after an offset to a list.</summary>
    public void CopyAfter(long offset, List<EncodedEvent> target)
    {
        foreach (var kept in _events)
        {
            if (kept.Position.Offset > offset)
            {
                target.Add(kept);
            }
        }
    }

    /// <summary>Takes what was read from the log and ends where this begins, if it fits.</summary>
    public void Prepend(IReadOnlyList<EncodedEvent> older)
    {
        var bytes = older.Sum(encoded => encoded.Json.Length);
        if (memory.IsScarce || older.Count + _events.Count > MaxEvents || _bytes + bytes > MaxBytes)
        {
            return;
        }

        var newer = _events.ToArray();
        _events.Clear();
        foreach (var encoded in older.Concat(newer))
        {
            _events.Enqueue(encoded);
        }

        Account(bytes);
    }

    public void Clear()
    {
        _events.Clear();
        Account(-_bytes);
    }

    private void Account(int bytes)
    {
        _bytes += bytes;
        memory.Add(bytes);
    }
}

/// <summary>What all tails of a node hold together. Thread-safe.</summary>
/// <param name="capacity">In bytes; past it each tail keeps little.</param>
internal sealed class TailMemory(long capacity)
{
    private long _bytes;

    public bool IsScarce => Interlocked.Read(ref _bytes) > capacity;

    public void Add(int bytes) => Interlocked.Add(ref _bytes, bytes);
}
