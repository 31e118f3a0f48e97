using System.Numerics;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>What a detector has seen that is over its threshold.</summary>
/// <param name="Value">How much of it.</param>
/// <param name="Score">50 at the threshold, 75 at twice, 100 at four times as much.</param>
/// <param name="First">When it began, in ms.</param>
internal readonly record struct Finding(double Value, int Score, long First)
{
    /// <summary>A quarter for each doubling: what is ten times as much is not ten times as bad.</summary>
    public static int ScoreOf(double value, double threshold) => (int)Math.Clamp(50 + (25 * Math.Log2(value / threshold)), 0, 100);
}

/// <summary>About how many different things there were, in a fixed number of bits (linear counting).</summary>
/// <remarks>Which bit a thing has follows from a hash that nobody outside this process knows: none can be chosen to share one.</remarks>
internal sealed class DistinctCount : TableEntry
{
    public const int MaxThreshold = 10_000;

    private const int LeastBits = 256;

    // 8 KiB for each of the keys, however high the threshold; the estimate is still good at five things a bit.
    private const int MostBits = 65_536;

    // Eight bits for each of the threshold: at four times as many half of them are set, and the estimate is within some per cent.
    private const int BitsPerThing = 8;

    private ulong[] _bits = [];
    private int _set;

    public long Start { get; private set; }

    public long End { get; private set; }

    /// <summary>Whether it counts for somebody yet.</summary>
    public bool HasBegun => _bits.Length > 0 && End > 0;

    public double Estimate
    {
        get
        {
            var bits = _bits.Length * 64;
            return _set == bits ? bits * Math.Log(bits) : -bits * Math.Log(1 - ((double)_set / bits));
        }
    }

    public void Begin(long now, long window, int threshold)
    {
        var words = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp((long)threshold * BitsPerThing, LeastBits, MostBits)) / 64;
        if (_bits.Length == words)
        {
            Array.Clear(_bits);
        }
        else
        {
            _bits = new ulong[words];
        }

        (_set, Start, End) = (0, now, now + window);
    }

    /// <returns>Whether it is new, as far as can be told.</returns>
    public bool Add(int hash)
    {
        var bit = (uint)hash & ((uint)(_bits.Length * 64) - 1);
        ref var word = ref _bits[bit / 64];
        var mask = 1UL << (int)(bit % 64);
        if ((word & mask) != 0)
        {
            return false;
        }

        word |= mask;
        _set++;
        return true;
    }

    public override long WeightAt(long now) => now < End ? _set : 0;

    public override void Clear() => End = 0;
}

/// <summary>
/// Whether one key comes with many different things: many names from one place, many topics of one user. A window begins with the key's
/// first thing. Pure state: no clock and no lock.
/// </summary>
/// <param name="window">For how long things are counted.</param>
/// <param name="capacity">How many keys are told apart.</param>
internal sealed class DistinctDetector<TKey>(TimeSpan window, int capacity = 4_096)
    where TKey : notnull
{
    private readonly BoundedTable<TKey, DistinctCount> _keys = new(capacity);
    private readonly long _window = (long)window.TotalMilliseconds;

    public int Count => _keys.Count;

    /// <param name="key">Who comes.</param>
    /// <param name="hash">With what: a hash that nobody can foresee.</param>
    /// <param name="threshold">How many different ones are unusual; the same for a key each time.</param>
    /// <param name="now">When, in ms.</param>
    /// <returns>Null: not unusual.</returns>
    public Finding? Add(TKey key, int hash, int threshold, long now)
    {
        var count = _keys.Of(key, now);
        if (!count.HasBegun || now >= count.End)
        {
            count.Begin(now, _window, threshold);
        }

        count.Add(hash);
        var estimate = count.Estimate;
        return estimate < threshold ? null : new Finding(estimate, Finding.ScoreOf(estimate, threshold), count.Start);
    }
}

/// <summary>How often something happened, and how regularly.</summary>
internal sealed class RateCount : TableEntry
{
    private double _sum;
    private double _squares;
    private long _last;

    public long Start { get; private set; }

    public long End { get; private set; }

    public long Number { get; private set; }

    /// <summary>How far the times between them differ from each other, as a part of their mean; people and networks are at 0.5 and more.</summary>
    public double Spread
    {
        get
        {
            var intervals = Number - 1;
            var mean = intervals > 0 ? _sum / intervals : 0;
            return mean <= 0 ? double.PositiveInfinity : Math.Sqrt(Math.Max(0, (_squares / intervals) - (mean * mean))) / mean;
        }
    }

    public void Begin(long now, long window) => (Number, _sum, _squares, _last, Start, End) = (0, 0, 0, now, now, now + window);

    public void Add(long now)
    {
        if (Number > 0)
        {
            var interval = (double)(now - _last);
            (_sum, _squares) = (_sum + interval, _squares + (interval * interval));
        }

        (_last, Number) = (now, Number + 1);
    }

    public override long WeightAt(long now) => now < End ? Number : 0;

    public override void Clear() => End = 0;
}

/// <summary>Whether one key comes too often. Pure state: no clock and no lock.</summary>
/// <param name="window">For how long it is counted; it begins with the key's first time.</param>
/// <param name="capacity">How many keys are told apart.</param>
internal sealed class RateDetector<TKey>(TimeSpan window, int capacity = 4_096)
    where TKey : notnull
{
    // Nobody who is asked by people, and no network, is as even as this.
    private const double ClockLike = 0.1;

    private readonly BoundedTable<TKey, RateCount> _keys = new(capacity);
    private readonly long _window = (long)window.TotalMilliseconds;

    public int Count => _keys.Count;

    /// <param name="key">Who comes.</param>
    /// <param name="threshold">How often is unusual.</param>
    /// <param name="now">When, in ms.</param>
    /// <param name="isClockLike">Whether it is as even as a clock.</param>
    /// <returns>Null: not unusual.</returns>
    public Finding? Add(TKey key, int threshold, long now, out bool isClockLike)
    {
        var count = _keys.Of(key, now);
        if (now >= count.End)
        {
            count.Begin(now, _window);
        }

        count.Add(now);
        isClockLike = count.Spread < ClockLike;
        return count.Number < threshold ? null : new Finding(count.Number, Finding.ScoreOf(count.Number, threshold), count.Start);
    }
}

/// <summary>How much there is in this window, and how much there was in those before.</summary>
internal sealed class VolumeCount : TableEntry
{
    // Five windows back counts a third.
    private const double Newest = 0.2;

    // Whoever was silent for longer begins anew.
    private const int LongestSilence = 60;

    public long Start { get; private set; }

    public double Volume { get; private set; }

    public double Average { get; private set; }

    public void Add(double volume, long now, long window)
    {
        var windows = Start == 0 ? 0 : Math.Max(0, (now - Start) / window);
        if (Start == 0 || windows > LongestSilence)
        {
            (Start, Volume, Average) = (now, 0, 0);
        }
        else if (windows > 0)
        {
            Average += Newest * (Volume - Average);
            Average *= Math.Pow(1 - Newest, windows - 1);
            (Start, Volume) = (Start + (windows * window), 0);
        }

        Volume += volume;
    }

    public override long WeightAt(long now) => (long)(Volume + Average);

    public override void Clear() => Start = 0;
}

/// <summary>Whether what one key causes is suddenly a multiple of what it was. Pure state: no clock and no lock.</summary>
/// <param name="floor">Less than this in a window is never unusual.</param>
/// <param name="window">A window.</param>
/// <param name="capacity">How many keys are told apart.</param>
internal sealed class VolumeDetector<TKey>(double floor, TimeSpan window, int capacity = 4_096)
    where TKey : notnull
{
    /// <summary>So many times the average is unusual.</summary>
    public const int Jump = 10;

    private readonly BoundedTable<TKey, VolumeCount> _keys = new(capacity);
    private readonly long _window = (long)window.TotalMilliseconds;

    public int Count => _keys.Count;

    /// <param name="key">Who causes it.</param>
    /// <param name="volume">How much.</param>
    /// <param name="now">When, in ms.</param>
    /// <param name="average">What it was before.</param>
    /// <returns>Null: not unusual.</returns>
    public Finding? Add(TKey key, double volume, long now, out double average)
    {
        var count = _keys.Of(key, now);
        count.Add(volume, now, _window);
        average = count.Average;
        // Whoever is new, or had next to nothing, is compared with a tenth of the floor.
        var jump = count.Volume / Math.Max(count.Average, floor / Jump);
        return count.Volume < floor || jump < Jump ? null : new Finding(count.Volume, Finding.ScoreOf(jump, Jump), count.Start);
    }
}
