using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>The topics that have a subscriber on this node, and how many of them a tenant may have.</summary>
internal sealed class TenantTopics(TenantLimits tenants, TenantShares shares, LimitInstruments instruments)
{
    private readonly Lock _lock = new();

    // Under the lock: how many subscribers each has.
    private readonly Dictionary<TopicKey, int> _subscribers = [];

    /// <summary>Somebody is about to subscribe. Those who come at the same moment are not counted yet.</summary>
    /// <exception cref="RealtimeException"><c>quota_exceeded</c>.</exception>
    public void Require(TopicKey topic)
    {
        if (tenants.Of(topic.Tenant).Topics is { } quota && !Has(topic) && !shares.Of(topic.Tenant).HasRoomForTopic(quota))
        {
            instruments.Refused(LimitNames.TenantTopics, topic.Tenant);
            throw new RealtimeException(ErrorCode.QuotaExceeded, "The tenant is subscribed to as many topics as it may be.");
        }
    }

    public void Add(TopicKey topic)
    {
        bool isFirst;
        lock (_lock)
        {
            var before = _subscribers.GetValueOrDefault(topic);
            _subscribers[topic] = before + 1;
            isFirst = before == 0;
        }

        if (isFirst)
        {
            shares.Of(topic.Tenant).AddTopic();
        }
    }

    public void Remove(TopicKey topic)
    {
        bool wasLast;
        lock (_lock)
        {
            var rest = _subscribers[topic] - 1;
            wasLast = rest == 0;
            if (wasLast)
            {
                _subscribers.Remove(topic);
            }
            else
            {
                _subscribers[topic] = rest;
            }
        }

        if (wasLast)
        {
            shares.Of(topic.Tenant).RemoveTopic();
        }
    }

    private bool Has(TopicKey topic)
    {
        lock (_lock)
        {
            return _subscribers.ContainsKey(topic);
        }
    }
}
