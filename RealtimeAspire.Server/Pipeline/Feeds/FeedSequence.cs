using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>What a feed makes of an event that reached it.</summary>
internal enum FeedVerdict
{
    /// <summary>It, and what waited for it, is next.</summary>
    Ready,

    /// <summary>It was fanned out before.</summary>
    Old,

    /// <summary>Something before it is missing; it is held.</summary>
    Ahead,

    /// <summary>It belongs to another incarnation of the log.</summary>
    Foreign,
}

/// <summary>The order of one topic's events on one node. Pure: no clock, no lock, no I/O; the feed's loop drives it.</summary>
internal sealed class FeedSequence
{
    /// <summary>How many events wait for a missing one; more are dropped, the log has them.</summary>
    public const int MaxAhead = 1_000;

    /// <summary>How many bytes of events wait for a missing one.</summary>
    public const int MaxAheadBytes = 4 * 1024 * 1024;

    private readonly SortedDictionary<long, EncodedEvent> _ahead = [];
    private int _aheadBytes;
    private long _expected;

    /// <summary>The position after the last event that was fanned out.</summary>
    public Position Last { get; private set; } = Position.Origin;

    /// <summary>Events are known to exist between what was fanned out and what is held or expected.</summary>
    public bool HasHole => _ahead.Count > 0 || _expected > Last.Offset;

    /// <summary>Takes an event; what can be fanned out now, in order, is added to <paramref name="ready"/>.</summary>
    public FeedVerdict Take(EncodedEvent candidate, List<EncodedEvent> ready)
    {
        var position = candidate.Position;
        if (Last == Position.Origin)
        {
            // The topic had no events: its first one says which incarnation it is.
            Last = new Position(position.Epoch, 0);
        }

        if (position.Epoch != Last.Epoch)
        {
            return FeedVerdict.Foreign;
        }

        if (position.Offset <= Last.Offset)
        {
            return FeedVerdict.Old;
        }

        if (position.Offset > Last.Offset + 1)
        {
            Expect(position.Offset);
            if (_ahead.Count < MaxAhead && _aheadBytes + candidate.Json.Length <= MaxAheadBytes && _ahead.TryAdd(position.Offset, candidate))
            {
                _aheadBytes += candidate.Json.Length;
            }

            return FeedVerdict.Ahead;
        }

        ready.Add(candidate);
        Last = position;
        ReleaseAhead(ready);
        return FeedVerdict.Ready;
    }

    /// <summary>The topic had no events; this is the incarnation that now has some.</summary>
    public void Adopt(string epoch) => Last = new Position(epoch, 0);

    /// <summary>The log is known to reach this offset.</summary>
    public void Expect(long offset) => _expected = Math.Max(_expected, offset);

    /// <summary>Starts again from a position, holding nothing.</summary>
    public void Restart(Position position)
    {
        Last = position;
        _ahead.Clear();
        _aheadBytes = 0;
        _expected = 0;
    }

    private void ReleaseAhead(List<EncodedEvent> ready)
    {
        while (_ahead.Count > 0)
        {
            var (offset, next) = _ahead.First();
            if (offset > Last.Offset + 1)
            {
                return;
            }

            _ahead.Remove(offset);
            _aheadBytes -= next.Json.Length;
            if (offset == Last.Offset + 1)
            {
                ready.Add(next);
                Last = next.Position;
            }
        }
    }
}
