namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>
/// Keeps who can cause an entry at will from filling the trail. The first of its kind is written at once; those that are like it
/// are counted, and written as one row when their minute is over. The counts of all rows add up to what happened.
/// </summary>
/// <remarks>Pure state: no clock and no lock. Its owner sees to one caller at a time.</remarks>
/// <param name="maxKinds">How many kinds are told apart at a time. Past that they are told apart by tenant, action and code alone.</param>
internal sealed class AuditRepeats(int maxKinds)
{
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Dictionary<Kind, Repeats> _kinds = [];

    /// <returns>What is to be written now; null where it was counted.</returns>
    public AuditEntry? Add(AuditEntry entry)
    {
        var kind = Kind.Of(entry);
        if (!_kinds.TryGetValue(kind, out var repeats) && _kinds.Count >= maxKinds)
        {
            entry = entry with { Actor = new AuditActor("many", ""), Target = null, Source = default, Details = [] };
            kind = Kind.Of(entry);
            _kinds.TryGetValue(kind, out repeats);
        }

        if (repeats is null)
        {
            _kinds[kind] = new Repeats(entry);
            return entry;
        }

        repeats.Add(entry.At);
        return null;
    }

    /// <summary>What was counted in the windows that are over.</summary>
    public IReadOnlyList<AuditEntry> Close(DateTimeOffset now) => CloseWhere(repeats => now - repeats.Opened >= Window, now);

    /// <summary>What was counted and is not yet written.</summary>
    public IReadOnlyList<AuditEntry> CloseAll(DateTimeOffset now) => CloseWhere(_ => true, now);

    private List<AuditEntry> CloseWhere(Func<Repeats, bool> isOver, DateTimeOffset now)
    {
        var counted = new List<AuditEntry>();
        foreach (var (kind, repeats) in _kinds)
        {
            if (!isOver(repeats))
            {
                continue;
            }

            // Who goes on has a row a minute, not a new first one.
            if (repeats.Take(now) is { } entry)
            {
                counted.Add(entry);
            }
            else
            {
                _kinds.Remove(kind);
            }
        }

        return counted;
    }

    private readonly record struct Kind(AuditAction Action, string Tenant, AuditActor Actor, string? Target, string Code, AuditSource Source)
    {
        public static Kind Of(AuditEntry entry) => new(entry.Action, entry.Tenant, entry.Actor, entry.Target, entry.Code, entry.Source);
    }

    private sealed class Repeats(AuditEntry first)
    {
        private long _count;
        private DateTimeOffset _from;
        private DateTimeOffset _until;

        public DateTimeOffset Opened { get; private set; } = first.At;

        public void Add(DateTimeOffset at)
        {
            _from = _count == 0 ? at : _from;
            _until = at;
            _count++;
        }

        public AuditEntry? Take(DateTimeOffset now)
        {
            if (_count == 0)
            {
                return null;
            }

            var entry = first with { At = _from, Count = _count, Details = [.. first.Details, ("until", $"{_until.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}")] };
            (_count, Opened) = (0, now);
            return entry;
        }
    }
}
