using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RealtimeAspire.Server.Observability;

/// <summary>What was unusual, and what was done about it.</summary>
internal sealed class SignalInstruments
{
    private readonly Counter<long> _raised;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _lost;

    public SignalInstruments(IMeterFactory meters)
    {
        var meter = meters.Create(RealtimeInstruments.MeterName);
        _raised = meter.CreateCounter<long>("realtime.signals", "{signal}", "What was unusual, by its kind and what was done about it.");
        _refused = meter.CreateCounter<long>("realtime.signals.refusals", "{refusal}", "What was refused because something unusual had been seen, or for its region.");
        _lost = meter.CreateCounter<long>("realtime.signals.lost", "{signal}", "Signals that are on record and that no event tells, because the log did not take it.");
    }

    /// <param name="kind">What was unusual.</param>
    /// <param name="tenant">Whose.</param>
    /// <param name="action">What is done.</param>
    /// <param name="region">From where, where that is known.</param>
    public void Raised(string kind, string tenant, string action, string? region) => _raised.Add(1, Tags(
        region, new(TagNames.SignalKind, kind), new(TagNames.Tenant, tenant), new(TagNames.SignalAction, action)));

    /// <param name="code">The error's.</param>
    /// <param name="region">From where, where that is known.</param>
    public void Refused(string code, string? region) => _refused.Add(1, Tags(region, new KeyValuePair<string, object?>(TagNames.ErrorCode, code)));

    public void Lost(string tenant) => _lost.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    private static TagList Tags(string? region, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var list = new TagList(tags);
        if (region is not null)
        {
            list.Add(TagNames.Region, region);
        }

        return list;
    }
}
