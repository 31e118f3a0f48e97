namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>How fast something may go on, in units of the time provider's timestamps.</summary>
/// <param name="Interval">From one token to the next.</param>
/// <param name="Window">How long an empty bucket takes to fill.</param>
internal readonly record struct BucketRate(long Interval, long Window)
{
    private const double Slowest = 0.001;

    public static BucketRate Of(double perSecond, double burst, TimeProvider time)
    {
        var interval = Math.Max(1, time.TimestampFrequency / Math.Max(Slowest, perSecond));
        return new BucketRate((long)interval, (long)(interval * Math.Max(1, burst)));
    }
}

/// <summary>
/// A token bucket in one number: when it will be full again. It fills without a timer, one that is full is like one that was never
/// used, and its rate may change at any time. Thread-safe; never waits.
/// </summary>
internal sealed class TokenBucket
{
    /// <summary>What <see cref="Take"/> answers when the bucket must not be used any more.</summary>
    public const long Gone = -1;

    private const long Retired = long.MaxValue;

    private long _full;

    /// <summary>Takes tokens, or none. What costs more than there can be is let through by a full bucket.</summary>
    /// <returns>0: taken. More: after so long they may be there. <see cref="Gone"/>: ask for another bucket.</returns>
    public long Take(long now, BucketRate rate, long tokens = 1)
    {
        while (true)
        {
            var full = Volatile.Read(ref _full);
            if (full == Retired)
            {
                return Gone;
            }

            var cost = tokens * rate.Interval;
            var then = Math.Max(full, now) + cost;
            if (then - now - Math.Max(cost, rate.Window) is var wait and > 0)
            {
                return wait;
            }

            if (Interlocked.CompareExchange(ref _full, then, full) == full)
            {
                return 0;
            }
        }
    }

    /// <summary>What was taken was not used.</summary>
    public void GiveBack(BucketRate rate, long tokens = 1) => Interlocked.Add(ref _full, -tokens * rate.Interval);

    /// <summary>True: it was full, hence says nothing, and is <see cref="Gone"/> from now on.</summary>
    public bool TryRetire(long now)
    {
        var full = Volatile.Read(ref _full);
        return full <= now && Interlocked.CompareExchange(ref _full, Retired, full) == full;
    }
}
