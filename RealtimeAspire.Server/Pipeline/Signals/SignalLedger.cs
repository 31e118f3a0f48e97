namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>
/// What was told lately. The same about the same subject is told once in a cool-down, with its count; once more when something is done
/// about it that was not before. Pure state: no clock and no lock.
/// </summary>
/// <param name="coolDown">For how long the same is counted.</param>
/// <param name="capacity">How many subjects are told apart.</param>
internal sealed class SignalLedger(TimeSpan coolDown, int capacity = 4_096)
{
    private readonly BoundedTable<(SignalKind, SignalSubject), Told> _told = new(capacity);
    private readonly long _coolDown = (long)coolDown.TotalMilliseconds;

    public int Count => _told.Count;

    /// <param name="kind">Of the signal.</param>
    /// <param name="subject">Whom it is about.</param>
    /// <param name="isActedOn">Whether something is done about it.</param>
    /// <param name="now">When, in ms.</param>
    /// <returns>How often it was so since it was told last, if it is to be told now; else 0.</returns>
    public long Take(SignalKind kind, SignalSubject subject, bool isActedOn, long now)
    {
        var told = _told.Of((kind, subject), now);
        told.Count++;
        if (now < told.Until && (told.IsActedOn || !isActedOn))
        {
            return 0;
        }

        var count = told.Count;
        told.Begin(now + _coolDown, isActedOn);
        return count;
    }

    private sealed class Told : TableEntry
    {
        public long Until { get; private set; }

        public bool IsActedOn { get; private set; }

        public long Count { get; set; }

        public void Begin(long until, bool isActedOn) => (Until, IsActedOn, Count) = (until, isActedOn, 0);

        // Who is forgotten is told of once more: those whose time is over go first, then those about whom nothing is done.
        public override long WeightAt(long now) => now >= Until ? 0 : IsActedOn ? 2 : 1;

        public override void Clear() => Begin(0, isActedOn: false);
    }
}
