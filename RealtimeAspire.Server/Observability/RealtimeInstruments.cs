using System.Diagnostics;
using System.Diagnostics.Metrics;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Observability;

/// <summary>What the pipeline counts and measures.</summary>
internal sealed class RealtimeInstruments
{
    // By the number of the recovery.
    private static readonly string[] Outcomes = ["none", "recovered", "gap", "new_epoch"];

    public const string MeterName = "RealtimeAspire";

    private readonly Counter<long> _published;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _delivered;
    private readonly Counter<long> _recovered;
    private readonly Counter<long> _recoveries;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _queueDrops;
    private readonly Counter<long> _backplaneDrops;
    private readonly Counter<long> _holesFilled;
    private readonly Counter<long> _resets;
    private readonly Histogram<double> _publishDuration;
    private readonly Histogram<double> _callDuration;
    private readonly Histogram<double> _hookDuration;
    private readonly Histogram<double> _receiptLatency;
    private readonly UpDownCounter<long> _connections;
    private readonly UpDownCounter<long> _subscriptions;

    public RealtimeInstruments(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _published = meter.CreateCounter<long>("realtime.events.published", "{event}", "Events that a log took.");
        _duplicates = meter.CreateCounter<long>("realtime.events.duplicates", "{event}", "Publishes whose id was known.");
        _delivered = meter.CreateCounter<long>("realtime.events.delivered", "{event}", "Events written to connections.");
        _recovered = meter.CreateCounter<long>("realtime.events.recovered", "{event}", "Events of the past in replies to subscribes.");
        _recoveries = meter.CreateCounter<long>("realtime.recoveries", "{subscribe}", "Subscribes that were answered, by what became of their position.");
        _dropped = meter.CreateCounter<long>("realtime.events.dropped", "{event}", "Events left out because the subscription wants only the newest, and ephemeral ones that found no room.");
        _queueDrops = meter.CreateCounter<long>("realtime.queue.drops", "{connection}", "Connections closed because they read too slowly.");
        _backplaneDrops = meter.CreateCounter<long>("realtime.backplane.drops", "{event}", "Events that were not sent to other nodes; those find them in the log.");
        _holesFilled = meter.CreateCounter<long>("realtime.feed.filled", "{event}", "Events that a feed took from the log because the backplane had not brought them.");
        _resets = meter.CreateCounter<long>("realtime.feed.resets", "{feed}", "Feeds that started again because the log was another one or had lost events.");
        _publishDuration = meter.CreateHistogram<double>("realtime.publish.duration", "s", "From a publish's admission to its acknowledgement.");
        _callDuration = meter.CreateHistogram<double>("realtime.call.duration", "s", "From a call's admission to its answer, by what became of it.");
        _hookDuration = meter.CreateHistogram<double>("realtime.hook.duration", "s", "From a question to a backend to its answer, by what became of it.");
        _receiptLatency = meter.CreateHistogram<double>(
            "realtime.receipt.latency", "s", "From an event's timestamp to its arrival at a client, with the way of the receipt back; of the share of events that clients report.");
        _connections = meter.CreateUpDownCounter<long>("realtime.connections", "{connection}", "Open connections.");
        _subscriptions = meter.CreateUpDownCounter<long>("realtime.subscriptions", "{subscription}", "Live subscriptions.");
    }

    public void Published(string tenant, string topicType, bool duplicate, TimeSpan duration)
    {
        var tags = new TagList { { TagNames.Tenant, tenant }, { TagNames.TopicType, topicType } };
        (duplicate ? _duplicates : _published).Add(1, tags);
        _publishDuration.Record(duration.TotalSeconds, tags);
    }

    public void PublishFailed(string tenant, string topicType, string code, TimeSpan duration) => _publishDuration.Record(
        duration.TotalSeconds,
        new TagList { { TagNames.Tenant, tenant }, { TagNames.TopicType, topicType }, { TagNames.ErrorCode, code } });

    /// <param name="tenant">Whose.</param>
    /// <param name="topicType">Of the topic.</param>
    /// <param name="code">What became of it: <c>ok</c>, or the code of its error.</param>
    /// <param name="duration">How long it took.</param>
    public void Called(string tenant, string topicType, string code, TimeSpan duration) => _callDuration.Record(
        duration.TotalSeconds,
        new TagList { { TagNames.Tenant, tenant }, { TagNames.TopicType, topicType }, { TagNames.Outcome, code } });

    /// <param name="tenant">Whose user it was about.</param>
    /// <param name="hook">Which hook.</param>
    /// <param name="outcome">allow, deny, rewrite, failed, or not_asked because it has failed too often.</param>
    /// <param name="duration">How long it took.</param>
    public void HookAsked(string tenant, string hook, string outcome, TimeSpan duration) => _hookDuration.Record(
        duration.TotalSeconds, new TagList { { TagNames.Tenant, tenant }, { TagNames.Hook, hook }, { TagNames.Outcome, outcome } });

    public void Received(string tenant, string topicType, TimeSpan latency) => _receiptLatency.Record(
        latency.TotalSeconds, new TagList { { TagNames.Tenant, tenant }, { TagNames.TopicType, topicType } });

    public void Delivered(string tenant, int events) => _delivered.Add(events, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void Recovered(string tenant, Recovery outcome, int events)
    {
        var tag = new KeyValuePair<string, object?>(TagNames.Tenant, tenant);
        _recoveries.Add(1, tag, new KeyValuePair<string, object?>(TagNames.Recovery, Outcomes[(int)outcome]));
        if (events > 0)
        {
            _recovered.Add(events, tag);
        }
    }

    public void Dropped(string tenant, int events)
    {
        if (events > 0)
        {
            _dropped.Add(events, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));
        }
    }

    public void SlowConsumerClosed(string tenant) => _queueDrops.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void BackplaneDropped(string tenant) => _backplaneDrops.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void HoleFilled(string tenant, int events) => _holesFilled.Add(events, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void FeedReset(string tenant) => _resets.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void ConnectionOpened(string tenant, string transport) => CountConnection(1, tenant, transport);

    public void ConnectionClosed(string tenant, string transport) => CountConnection(-1, tenant, transport);

    public void Subscribed(string tenant) => _subscriptions.Add(1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    public void Unsubscribed(string tenant) => _subscriptions.Add(-1, new KeyValuePair<string, object?>(TagNames.Tenant, tenant));

    private void CountConnection(int change, string tenant, string transport) => _connections.Add(
        change, new KeyValuePair<string, object?>(TagNames.Tenant, tenant), new KeyValuePair<string, object?>(TagNames.Transport, transport));
}
