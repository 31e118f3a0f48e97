using System.Diagnostics.Metrics;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>What the audit trail counts and measures.</summary>
internal sealed class AuditInstruments
{
    private readonly Meter _meter;
    private readonly Counter<long> _written;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _checkpoints;
    private readonly Histogram<double> _append;

    public AuditInstruments(IMeterFactory meters)
    {
        _meter = meters.Create(RealtimeInstruments.MeterName);
        _written = _meter.CreateCounter<long>("realtime.audit.entries", "{entry}", "Entries that were put on record.");
        _dropped = _meter.CreateCounter<long>("realtime.audit.dropped", "{entry}", "Entries that found no room while the database was away, or that it would not take.");
        _checkpoints = _meter.CreateCounter<long>("realtime.audit.checkpoints", "{checkpoint}", "Checkpoints that were signed.");
        _append = _meter.CreateHistogram<double>("realtime.audit.append.duration", "s", "How long it takes to append a batch to its chains.");
    }

    public void ObserveWaiting(Func<int> waiting) =>
        _meter.CreateObservableUpDownCounter("realtime.audit.waiting", waiting, "{entry}", "Entries that wait to be put on record.");

    public void Written(string tenant, AuditAction action) => _written.Add(
        1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant), new KeyValuePair<string, object?>(TagNames.AuditAction, action.Name));

    public void Dropped(string tenant, long entries) => _dropped.Add(entries, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void Sealed(string tenant) => _checkpoints.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void Appended(TimeSpan duration) => _append.Record(duration.TotalSeconds);
}
