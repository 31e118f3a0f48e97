using System.Collections.Concurrent;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// A bucket for each of many. Those that are full say nothing and are thrown away when their number has doubled; past the capacity all
/// newcomers share one. Thread-safe; never waits.
/// </summary>
/// <param name="time">Measures.</param>
/// <param name="capacity">The most that are remembered.</param>
internal sealed class BucketSet<TKey>(TimeProvider time, int capacity = 100_000)
    where TKey : notnull
{
    private const int FirstSweep = 1_024;

    private readonly ConcurrentDictionary<TKey, TokenBucket> _buckets = new();
    private readonly TokenBucket _others = new();
    private readonly Lock _sweep = new();
    private int _count;
    private int _sweepAt = Math.Min(FirstSweep, capacity);
    private long _sweepNotBefore;

    public int Count => Volatile.Read(ref _count);

    /// <summary>Takes tokens, or none.</summary>
    /// <returns>Null: taken. Otherwise after which time they may be there.</returns>
    public TimeSpan? Take(TKey key, BucketRate rate, long tokens = 1)
    {
        var now = time.GetTimestamp();
        while (true)
        {
            var bucket = _buckets.TryGetValue(key, out var known) ? known : Add(key, now);
            switch (bucket.Take(now, rate, tokens))
            {
                case 0:
                    return null;
                case TokenBucket.Gone:
                    Remove(key, bucket);
                    break;
                case var wait:
                    return time.GetElapsedTime(0, wait);
            }
        }
    }

    /// <summary>What was taken was not used.</summary>
    public void GiveBack(TKey key, BucketRate rate, long tokens = 1)
    {
        if (_buckets.TryGetValue(key, out var bucket))
        {
            bucket.GiveBack(rate, tokens);
        }
    }

    private TokenBucket Add(TKey key, long now)
    {
        if (Count >= Volatile.Read(ref _sweepAt))
        {
            Sweep(now);
            if (Count >= capacity)
            {
                return _others;
            }
        }

        var made = new TokenBucket();
        var bucket = _buckets.GetOrAdd(key, made);
        if (ReferenceEquals(bucket, made))
        {
            Interlocked.Increment(ref _count);
        }

        return bucket;
    }

    /// <summary>Its cost is shared by as many newcomers as it looks at, or once a second where too many stay.</summary>
    private void Sweep(long now)
    {
        if (now < Volatile.Read(ref _sweepNotBefore) || !_sweep.TryEnter())
        {
            return;
        }

        try
        {
            foreach (var (key, bucket) in _buckets)
            {
                if (bucket.TryRetire(now))
                {
                    Remove(key, bucket);
                }
            }

            Volatile.Write(ref _sweepAt, Math.Min(capacity, Math.Max(FirstSweep, Count * 2)));
            Volatile.Write(ref _sweepNotBefore, Count >= capacity ? now + time.TimestampFrequency : 0);
        }
        finally
        {
            _sweep.Exit();
        }
    }

    private void Remove(TKey key, TokenBucket bucket)
    {
        if (_buckets.TryRemove(KeyValuePair.Create(key, bucket)))
        {
            Interlocked.Decrement(ref _count);
        }
    }
}
