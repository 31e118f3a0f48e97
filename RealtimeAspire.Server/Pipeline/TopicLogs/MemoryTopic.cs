using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>One topic's log in memory. Its user holds its lock and tells it the time.</summary>
internal sealed class MemoryTopic
{
    private readonly string _epoch = Guid.NewGuid().ToString("N")[..8];
    private readonly Dictionary<(string Publisher, string Id), KnownId> _ids = [];
    private readonly Queue<(string Publisher, string Id)> _idsByAge = new();

    // What is gone lies dead at the beginning until it is as long as the rest.
    private readonly List<LoggedEvent> _events = [];
    private int _dead;

    private long _last;
    private DateTimeOffset _lastTimestamp = DateTimeOffset.MinValue;

    /// <summary>Taken out of the log; whoever still has it looks for the one in its place.</summary>
    public bool IsGone { get; set; }

    public bool IsEmpty => _events.Count == _dead && _ids.Count == 0;

    /// <summary>When it was last written or asked for its tip.</summary>
    public DateTimeOffset Used { get; private set; }

    public Position Tip => _last == 0 || IsGone ? Position.Origin : new Position(_epoch, _last);

    private long Floor => _last - (_events.Count - _dead) + 1;

    public void Touch(DateTimeOffset now) => Used = now;

    /// <summary>False: the id stands for another event.</summary>
    public bool TryAppend(Append append, TopicPolicy policy, DateTimeOffset now, Action<LoggedEvent> committed, out AppendOutcome outcome)
    {
        if (_ids.TryGetValue((append.Publisher, append.Id), out var known))
        {
            outcome = known.Outcome with { Duplicate = true };
            return known.Content.AsSpan().SequenceEqual(append.ContentHash);
        }

        var timestamp = now > _lastTimestamp ? now : _lastTimestamp;
        (_last, _lastTimestamp) = (_last + 1, timestamp);
        outcome = new AppendOutcome(new Position(_epoch, _last), timestamp, Duplicate: false);
        _ids[(append.Publisher, append.Id)] = new KnownId(append.ContentHash, outcome);
        _idsByAge.Enqueue((append.Publisher, append.Id));
        var logged = append.At(outcome.Position, timestamp);
        _events.Add(logged);
        Touch(now);
        DropBeyond(policy.Retention.Events);
        committed(logged);
        return true;
    }

    /// <summary>Drops what is past its retention, and the ids whose window is over.</summary>
    public void Expire(TopicPolicy policy, DateTimeOffset now)
    {
        DropBeyond(policy.Retention.Events);
        if (policy.Retention.Age is { } age)
        {
            Drop(IndexOf((now - age).AddTicks(1)) - _dead);
        }

        while (_idsByAge.TryPeek(out var oldest) && _ids[oldest].Outcome.Timestamp <= now - policy.IdempotencyWindow)
        {
            _ids.Remove(_idsByAge.Dequeue());
        }
    }

    public LogPage Read(LogRange range, int limit)
    {
        var (from, to) = range switch
        {
            LogRange.After after => (IndexOf(after.Offset) + 1, _events.Count),
            LogRange.Before before => (_dead, IndexOf(before.Offset)),
            LogRange.Newest newest => (_events.Count - Math.Min(newest.Count, limit), _events.Count),
            LogRange.Since since => (IndexOf(since.Time), _events.Count),
            _ => throw new ArgumentOutOfRangeException(nameof(range)),
        };
        from = Math.Clamp(from, _dead, _events.Count);
        to = Math.Clamp(to, from, _events.Count);
        var fromEnd = range is LogRange.Before or LogRange.Newest;
        var (count, bytes) = (0, 0);
        while (count < limit && count < to - from && bytes < LogPage.MaxBytes)
        {
            bytes += _events[fromEnd ? to - count - 1 : from + count].Payload.Length;
            count++;
        }

        return new LogPage(Tip, Floor, _events.GetRange(fromEnd ? to - count : from, count));
    }

    /// <summary>Where an offset is, or would be.</summary>
    private int IndexOf(long offset) => (int)Math.Clamp(offset - Floor + _dead, -1, _events.Count);

    /// <summary>The first event of a time or later.</summary>
    private int IndexOf(DateTimeOffset since)
    {
        var (low, high) = (_dead, _events.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _events[middle].Timestamp < since ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private void DropBeyond(long? limit)
    {
        if (_events.Count - _dead > limit)
        {
            Drop((int)(_events.Count - _dead - limit.Value));
        }
    }

    private void Drop(int count)
    {
        _dead += count;
        if (_dead > _events.Count / 2)
        {
            _events.RemoveRange(0, _dead);
            _dead = 0;
        }
    }

    private readonly record struct KnownId(byte[] Content, AppendOutcome Outcome);
}
