using System.Diagnostics.Metrics;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>Who is on topics, and what is told of that.</summary>
internal sealed class PresenceInstruments
{
    private readonly UpDownCounter<long> _places;
    private readonly Counter<long> _events;
    private readonly Counter<long> _bytes;

    public PresenceInstruments(IMeterFactory meters)
    {
        var meter = meters.Create(RealtimeInstruments.MeterName);
        _places = meter.CreateUpDownCounter<long>("realtime.presence.connections", "{connection}", "Connections of this node that count as members of a topic, once for each topic; those that may come back among them.");
        _events = meter.CreateCounter<long>("realtime.presence.events", "{event}", "Events about members that were sent to connections of this node.");
        _bytes = meter.CreateCounter<long>("realtime.presence.bytes", "By", "The JSON of these events.");
    }

    public void Entered(string tenant) => _places.Add(1, Tenant(tenant));

    public void Left(string tenant) => _places.Add(-1, Tenant(tenant));

    public void Told(string tenant, long events, long bytes)
    {
        _events.Add(events, Tenant(tenant));
        _bytes.Add(bytes, Tenant(tenant));
    }

    private static KeyValuePair<string, object?> Tenant(string tenant) => new(TagNames.Tenant, tenant);
}
