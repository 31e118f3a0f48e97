using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// Who listens to a feed, and how far it has come. Joining and moving on exclude each other, so that whoever joins at a
/// position has each later event once: from the tail at that moment, or from the feed afterwards.
/// </summary>
internal sealed class FeedAudience(TailMemory memory)
{
    /// <summary>The <see cref="Subscription.Slot"/> of a subscription that no feed has.</summary>
    public const int Detached = -2;

    private const int Attached = -1;

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly FeedTail _tail = new(memory);
    private readonly List<Subscription> _live = [];
    private Subscription[]? _snapshot;
    private Position _last = Position.Origin;
    private int _count;
    private bool _closed;
    private int _restarts;

    /// <summary>How often the feed has started again: what was read before does not belong to what comes after.</summary>
    public int Restarts => Volatile.Read(ref _restarts);

    /// <summary>The position after the last event that was fanned out.</summary>
    public Position Last
    {
        get
        {
            lock (_lock)
            {
                return _last;
            }
        }
    }

    /// <summary>Subscriptions, live or about to be.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Attaches a subscription, which keeps the feed alive. False: it is closing.</summary>
    public bool TryAttach(Subscription subscription)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            subscription.Slot = Attached;
            _count++;
            return true;
        }
    }

    /// <returns>It was the last one.</returns>
    public bool Detach(Subscription subscription)
    {
        lock (_lock)
        {
            if (subscription.Slot == Detached)
            {
                return false;
            }

            if (subscription.Slot >= 0)
            {
                var mover = _live[^1];
                _live[subscription.Slot] = mover;
                mover.Slot = subscription.Slot;
                _live.RemoveAt(_live.Count - 1);
                _snapshot = null;
            }

            subscription.Slot = Detached;
            return --_count == 0;
        }
    }

    /// <summary>Takes nobody any more, if nobody is there. False: somebody is.</summary>
    public bool TryClose()
    {
        lock (_lock)
        {
            _closed |= _count == 0;
            return _closed;
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    /// <summary>
    /// Goes live behind what was read from the log, if nothing between the two is missing.
    /// </summary>
    /// <param name="subscription">Attached.</param>
    /// <param name="restarts"><see cref="Restarts"/> before the log was read.</param>
    /// <param name="at">Where the reader is, as the log says; moved over what is added to <paramref name="events"/>.</param>
    /// <param name="events">What the reader has been given so far.</param>
    /// <returns>False: read on from <paramref name="at"/>; or the subscription has ended.</returns>
    public bool TryGoLive(Subscription subscription, int restarts, ref Position at, List<EncodedEvent> events)
    {
        lock (_lock)
        {
            if (_closed || restarts != _restarts)
            {
                return false;
            }

            // The log is ahead of the feed: what comes again is skipped.
            if (at.Offset > _last.Offset && (_last.Offset == 0 || _last.Epoch == at.Epoch))
            {
                subscription.SkipTo(at);
                return TryAddLive_NeedsLock(subscription);
            }

            if (!Reaches_NeedsLock(at) || !TryAddLive_NeedsLock(subscription))
            {
                return false;
            }

            Collect_NeedsLock(ref at, events);
            return true;
        }
    }

    /// <summary>Adds what the tail has after a position, if it reaches back there. Nothing joins.</summary>
    /// <param name="at">Moved to <see cref="Last"/>.</param>
    /// <param name="events">What the reader is given.</param>
    public bool TryCollect(ref Position at, List<EncodedEvent> events)
    {
        lock (_lock)
        {
            if (!Reaches_NeedsLock(at))
            {
                return false;
            }

            Collect_NeedsLock(ref at, events);
            return true;
        }
    }

    /// <summary>Adds the newest events, if the tail has so many or all there are. Nothing joins.</summary>
    /// <param name="count">How many; none is always there.</param>
    /// <param name="at">Is <see cref="Last"/>.</param>
    /// <param name="events">What the reader is given.</param>
    public bool TryRewind(int count, out Position at, List<EncodedEvent> events)
    {
        lock (_lock)
        {
            var offset = Math.Max(0, _last.Offset - count);
            at = offset == 0 ? Position.Origin : new Position(_last.Epoch, offset);
            if (!_tail.Covers(offset, _last.Offset))
            {
                return false;
            }

            Collect_NeedsLock(ref at, events);
            at = _last;
            return true;
        }
    }

    /// <summary>Moves on over events that are about to be fanned out. Returns to whom.</summary>
    public Subscription[] Advance(EventBatch batch)
    {
        lock (_lock)
        {
            foreach (var encoded in batch.Events)
            {
                if (!encoded.IsEphemeral)
                {
                    _tail.Add(encoded);
                    _last = encoded.Position;
                }
            }

            return _snapshot ??= [.. _live];
        }
    }

    /// <summary>Starts again from a position. Returns who was live.</summary>
    public Subscription[] Restart(Position position)
    {
        lock (_lock)
        {
            _restarts++;
            _last = position;
            _tail.Clear();
            return _snapshot ??= [.. _live];
        }
    }

    /// <summary>Keeps what was read from the log, for others, if the tail begins where it ends.</summary>
    public void Keep(IReadOnlyList<EncodedEvent> read)
    {
        lock (_lock)
        {
            if (read.Count > 0 && read[^1].Position.Epoch == _last.Epoch && read[^1].Position.Offset == _last.Offset - _tail.Count)
            {
                _tail.Prepend(read);
            }
        }
    }

    private void Collect_NeedsLock(ref Position at, List<EncodedEvent> events)
    {
        if (_last.Offset > at.Offset)
        {
            _tail.CopyAfter(at.Offset, events);
            at = _last;
        }
    }

    private bool Reaches_NeedsLock(Position position) =>
        (position == Position.Origin || position.Epoch == _last.Epoch) && position.Offset <= _last.Offset && _tail.Covers(position.Offset, _last.Offset);

    private bool TryAddLive_NeedsLock(Subscription subscription)
    {
        // Detached: it was ended while it was about to join.
        if (subscription.Slot != Attached)
        {
            return false;
        }

        subscription.Slot = _live.Count;
        _live.Add(subscription);
        _snapshot = null;
        return true;
    }
}
