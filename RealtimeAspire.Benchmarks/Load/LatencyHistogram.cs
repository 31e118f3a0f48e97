using System.Numerics;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>Counts durations in buckets of at most 1.6 % width. Any thread may record.</summary>
internal sealed class LatencyHistogram
{
    private const int Half = 64;

    // In microseconds, up to some 70 minutes.
    private readonly long[] _counts = new long[Half * 28];

    public void Record(TimeSpan duration) =>
        Interlocked.Increment(ref _counts[IndexOf(Math.Clamp((long)duration.TotalMicroseconds, 0, uint.MaxValue))]);

    public void Clear() => Array.Clear(_counts);

    /// <summary>In milliseconds.</summary>
    public double Percentile(double percent)
    {
        var rank = Math.Ceiling(_counts.Sum() * percent / 100);
        var seen = 0L;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0)
                return ValueOf(i) / 1000.0;
        }

        return 0;
    }

    // Each power of two has Half buckets; below 2 * Half every microsecond has its own.
    private static int IndexOf(long value)
    {
        var shift = Math.Max(0, 64 - BitOperations.LeadingZeroCount((ulong)value) - 7);
        return (int)((shift * Half) + (value >> shift));
    }

    private static long ValueOf(int index)
    {
        var shift = Math.Max(0, (index / Half) - 1);
        return (long)(index - (shift * Half)) << shift;
    }
}
