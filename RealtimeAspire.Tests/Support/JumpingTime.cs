namespace RealtimeAspire.Tests.Support;

/// <summary>Real time that can be put forward; timers do not notice.</summary>
internal sealed class JumpingTime : TimeProvider
{
    private long _jumped;

    public void Jump(TimeSpan time) => Interlocked.Add(ref _jumped, (long)(time.TotalSeconds * TimestampFrequency));

    public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _jumped);
}
