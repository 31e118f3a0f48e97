using System.Collections.Concurrent;

namespace RealtimeAspire.Tests.Support;

/// <summary>Real time that can be put forward; timers do not notice, and are remembered.</summary>
/// <param name="stands">It goes on only where it is put forward, however long the machine takes.</param>
internal sealed class JumpingTime(bool stands = false) : TimeProvider
{
    private readonly long _started = System.GetTimestamp();
    private long _jumped;

    /// <summary>How long each timer was to wait.</summary>
    public ConcurrentQueue<TimeSpan> Timers { get; } = new();

    public void Jump(TimeSpan time) => Interlocked.Add(ref _jumped, (long)(time.TotalSeconds * TimestampFrequency));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timers.Enqueue(dueTime);
        return base.CreateTimer(callback, state, dueTime, period);
    }

    public override long GetTimestamp() => (stands ? _started : base.GetTimestamp()) + Volatile.Read(ref _jumped);
}
