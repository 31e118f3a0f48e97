namespace RealtimeAspire.Tests.Support;

/// <summary>Time that goes on when the test says so. Timers run in real time, or not at all.</summary>
/// <param name="hasTimers">Without them nothing is given up, however long the machine takes.</param>
internal sealed class StoppedTime(bool hasTimers = true) : TimeProvider
{
    private long _now = Frequency;

    private const long Frequency = 1_000_000_000;

    public override long TimestampFrequency => Frequency;

    public void GoOn(TimeSpan time) => Interlocked.Add(ref _now, (long)(time.TotalSeconds * Frequency));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, hasTimers ? dueTime : Timeout.InfiniteTimeSpan, hasTimers ? period : Timeout.InfiniteTimeSpan);

    public override long GetTimestamp() => Interlocked.Read(ref _now);
}
