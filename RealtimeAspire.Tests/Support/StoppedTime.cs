namespace RealtimeAspire.Tests.Support;

/// <summary>Time that goes on when the test says so. Timers run in real time.</summary>
internal sealed class StoppedTime : TimeProvider
{
    private long _now = Frequency;

    private const long Frequency = 1_000_000_000;

    public override long TimestampFrequency => Frequency;

    public void GoOn(TimeSpan time) => Interlocked.Add(ref _now, (long)(time.TotalSeconds * Frequency));

    public override long GetTimestamp() => Interlocked.Read(ref _now);
}
