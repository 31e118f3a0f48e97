namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>So many things at once for each, however many it asks for; the others wait their turn. Thread-safe.</summary>
/// <param name="each">How many.</param>
internal sealed class FairPlaces<TKey>(int each)
    where TKey : notnull
{
    private readonly Lock _lock = new();

    // Under the lock: those who are in or wait.
    private readonly Dictionary<TKey, Holder> _holders = [];

    /// <summary>How many are in or wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _holders.Values.Sum(holder => holder.Count);
            }
        }
    }

    /// <summary>Takes a place until <see cref="Leave"/>. False: there was none in time.</summary>
    public async ValueTask<bool> TryEnterAsync(TKey key, TimeSpan patience, CancellationToken cancellationToken)
    {
        Holder? holder;
        lock (_lock)
        {
            if (!_holders.TryGetValue(key, out holder))
            {
                _holders[key] = holder = new Holder(each);
            }

            holder.Count++;
        }

        var isIn = false;
        try
        {
            return isIn = await holder.Places.WaitAsync(patience, cancellationToken);
        }
        finally
        {
            if (!isIn)
            {
                Go(key, holder);
            }
        }
    }

    public void Leave(TKey key)
    {
        Holder holder;
        lock (_lock)
        {
            holder = _holders[key];
        }

        holder.Places.Release();
        Go(key, holder);
    }

    private void Go(TKey key, Holder holder)
    {
        lock (_lock)
        {
            if (--holder.Count > 0)
            {
                return;
            }

            _holders.Remove(key);
        }

        holder.Dispose();
    }

    private sealed class Holder(int each) : IDisposable
    {
        public SemaphoreSlim Places { get; } = new(each);

        public int Count { get; set; }

        public void Dispose() => Places.Dispose();
    }
}
