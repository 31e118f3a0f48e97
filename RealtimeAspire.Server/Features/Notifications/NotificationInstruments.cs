using System.Diagnostics.Metrics;
using RealtimeAspire.Server.Observability;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What comes into inboxes, and what other channels do about it.</summary>
internal sealed class NotificationInstruments
{
    private readonly Counter<long> _stored;
    private readonly Counter<long> _deliveries;

    public NotificationInstruments(IMeterFactory meters)
    {
        var meter = meters.Create(RealtimeInstruments.MeterName);
        _stored = meter.CreateCounter<long>("realtime.notifications.stored", "{notification}", "Notifications that have come into inboxes, by kind.");
        _deliveries = meter.CreateCounter<long>("realtime.notifications.deliveries", "{delivery}", "Tries to tell of a notification on another channel, by what became of them.");
    }

    public void Stored(string tenant, string kind, int count)
    {
        if (count > 0)
        {
            _stored.Add(count, new KeyValuePair<string, object?>(TagNames.Tenant, tenant), new KeyValuePair<string, object?>(TagNames.NotificationKind, kind));
        }
    }

    /// <param name="tenant">Whose.</param>
    /// <param name="channel">push or email.</param>
    /// <param name="outcome">sent, retry, cancelled, dead or unknown.</param>
    public void Delivery(string tenant, string channel, string outcome) => _deliveries.Add(
        1, new(TagNames.Tenant, tenant), new(TagNames.NotificationChannel, channel), new(TagNames.Outcome, outcome));
}
