namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>The signals that this node has raised or heard of since it started, the newest thousand. On record they are in the audit trail.</summary>
internal sealed class SignalHistory
{
    private const int Capacity = 1_000;

    private readonly Lock _lock = new();

    // By their names, which tell the time.
    private readonly SortedDictionary<string, RaisedSignal> _signals = new(StringComparer.Ordinal);

    public void Add(RaisedSignal signal)
    {
        lock (_lock)
        {
            _signals[signal.Told.Id] = signal;
            if (_signals.Count > Capacity)
            {
                _signals.Remove(_signals.Keys.First());
            }
        }
    }

    /// <summary>Those of a tenant, the newest first.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="before">The name of one; those before it.</param>
    /// <param name="limit">The most.</param>
    public SignalPage Page(string tenant, string? before, int limit)
    {
        lock (_lock)
        {
            var found = _signals.Values
                .Where(signal => signal.Tenant == tenant && (before is null || string.CompareOrdinal(signal.Told.Id, before) < 0))
                .Reverse()
                .Take(limit + 1)
                .Select(signal => signal.Told)
                .ToList();
            var complete = found.Count <= limit;
            return new SignalPage(complete ? found : found[..limit], complete);
        }
    }
}
