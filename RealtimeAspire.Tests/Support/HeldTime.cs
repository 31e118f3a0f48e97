namespace RealtimeAspire.Tests.Support;

/// <summary>Time that stands until the test lets it go on; what is due by then fires in the test's own thread, in order.</summary>
internal sealed class HeldTime : TimeProvider
{
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly List<HeldTimer> _timers = [];
    private DateTimeOffset _now = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
        {
            return _now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HeldTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    public void GoOn(TimeSpan time)
    {
        var end = GetUtcNow() + time;
        while (TakeDue(end) is { } due)
        {
            due.Fire();
        }
    }

    private HeldTimer? TakeDue(DateTimeOffset end)
    {
        lock (_lock)
        {
            var due = _timers.Where(timer => timer.DueAt <= end).MinBy(timer => timer.DueAt);
            _now = due?.DueAt ?? end;
            due?.Rest_NeedsLock();
            return due;
        }
    }

    private sealed class HeldTimer(HeldTime time, Action fire) : ITimer
    {
        // Under the lock of the time.
        private TimeSpan _period;
        private bool _isGone;

        public DateTimeOffset DueAt { get; private set; }

        public void Fire() => fire();

        /// <summary>Until its next time, if it has one.</summary>
        public void Rest_NeedsLock()
        {
            DueAt += _period;
            if (_period <= TimeSpan.Zero)
            {
                time._timers.Remove(this);
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                time._timers.Remove(this);
                (DueAt, _period) = (time._now + dueTime, period);
                if (!_isGone && dueTime >= TimeSpan.Zero)
                {
                    time._timers.Add(this);
                }

                return !_isGone;
            }
        }

        public void Dispose()
        {
            lock (time._lock)
            {
                _isGone = true;
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
