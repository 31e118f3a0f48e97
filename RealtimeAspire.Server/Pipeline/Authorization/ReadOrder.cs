namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Keeps what is in memory from going back: of reads that cross, one counts only if it began after the last one that counted. What a slow read tells
/// is then no older than what is known. Nothing is kept of what nobody reads.
/// </summary>
internal sealed class ReadOrder<TKey>
    where TKey : notnull
{
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<TKey, Reads> _reads = [];
    private long _begun;
    private long _countedOfAll;
    private int _underWayOfAll;

    /// <summary>Whether a read of it has begun and is not yet over.</summary>
    public bool IsUnderWay(TKey key)
    {
        lock (_lock)
        {
            return _reads.TryGetValue(key, out var reads) && reads.UnderWay > 0;
        }
    }

    /// <summary>What is being read.</summary>
    public IReadOnlyCollection<TKey> UnderWay
    {
        get
        {
            lock (_lock)
            {
                return [.. _reads.Where(static reads => reads.Value.UnderWay > 0).Select(static reads => reads.Key)];
            }
        }
    }

    /// <summary>Reads one thing.</summary>
    /// <param name="key">Which.</param>
    /// <param name="read">Asks for it.</param>
    /// <param name="keep_NeedsLock">What to do with it, if it counts; quick.</param>
    public async Task ReadAsync<T>(TKey key, Func<Task<T>> read, Action<T> keep_NeedsLock)
    {
        var (reads, mine) = Begin(key);
        try
        {
            var found = await read();
            lock (_lock)
            {
                if (mine > Math.Max(reads.Counted, _countedOfAll))
                {
                    reads.Counted = mine;
                    keep_NeedsLock(found);
                }
            }
        }
        finally
        {
            lock (_lock)
            {
                reads.UnderWay--;
                if (_underWayOfAll == 0 && reads.UnderWay == 0)
                {
                    _reads.Remove(key);
                }
            }
        }
    }

    /// <summary>Reads all there is.</summary>
    /// <param name="read">Asks for it.</param>
    /// <param name="keep_NeedsLock">What to do with it, if it counts; each thing only where the second argument says so: others have been read since. Quick.</param>
    public async Task ReadAllAsync<T>(Func<Task<T>> read, Action<T, Func<TKey, bool>> keep_NeedsLock)
    {
        long mine;
        lock (_lock)
        {
            mine = ++_begun;
            _underWayOfAll++;
        }

        try
        {
            var found = await read();
            lock (_lock)
            {
                if (mine > _countedOfAll)
                {
                    _countedOfAll = mine;
                    keep_NeedsLock(found, key => !_reads.TryGetValue(key, out var reads) || reads.Counted < mine);
                }
            }
        }
        finally
        {
            lock (_lock)
            {
                if (--_underWayOfAll == 0)
                {
                    foreach (var (key, _) in _reads.Where(static reads => reads.Value.UnderWay == 0).ToList())
                    {
                        _reads.Remove(key);
                    }
                }
            }
        }
    }

    private (Reads Reads, long Mine) Begin(TKey key)
    {
        lock (_lock)
        {
            if (!_reads.TryGetValue(key, out var reads))
            {
                _reads[key] = reads = new Reads();
            }

            reads.UnderWay++;
            return (reads, ++_begun);
        }
    }

    // Under the lock.
    private sealed class Reads
    {
        public int UnderWay { get; set; }

        /// <summary>The last one that counted.</summary>
        public long Counted { get; set; }
    }
}
