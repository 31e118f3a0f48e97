using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Calls;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Ends what connections have and may have no longer, after something has changed.</summary>
internal sealed class RightsCheck(ConnectionFactory connections, Revocations revocations, ServiceKeys keys, TopicAccess access, TopicCatalog topics, CallHandlers handlers)
{
    /// <summary>Of all connections whose callers these are.</summary>
    public void Of(Func<Caller, bool> isConcerned)
    {
        foreach (var connection in connections.Connections)
        {
            if (isConcerned(connection.Caller))
            {
                Of(connection);
            }
        }
    }

    /// <summary>Of what is on one topic, after that has become another one.</summary>
    public void Of(TopicKey topic)
    {
        foreach (var connection in connections.Connections)
        {
            if (connection.Find(topic) is { } subscription)
            {
                Of(connection.Caller, subscription);
            }
        }

        foreach (var (target, connection) in handlers.Of(topic))
        {
            Of(connection, target);
        }
    }

    private bool MayHave(Caller caller, Subscription subscription)
    {
        var (name, policy) = (subscription.Topic.Name, topics.Get(subscription.Topic.Name));
        return access.MaySubscribe(caller, policy, name) && (subscription.Presence is PresenceMode.None || access.MaySeePresence(caller, policy, name));
    }

    /// <summary>Of one.</summary>
    public void Of(Connection connection)
    {
        var caller = connection.Caller;
        if (revocations.Hit(caller) || (caller.IsService && keys.Renew(caller) is null))
        {
            connection.Close(ErrorCode.TokenRevoked);
            return;
        }

        if (caller.IsService)
        {
            connection.Caller = caller = keys.Renew(caller) ?? caller;
        }

        foreach (var subscription in connection.Subscriptions)
        {
            Of(caller, subscription);
        }

        foreach (var target in handlers.TargetsOf(connection))
        {
            Of(connection, target);
        }
    }

    private void Of(Caller caller, Subscription subscription)
    {
        if (!MayHave(caller, subscription))
        {
            subscription.Connection.Drop(subscription, new Control
            {
                Type = Control.Unsubscribed,
                Topic = subscription.Topic.Name.Value,
                Code = ErrorCode.Forbidden.Code,
                Reason = "You have no right to this topic any more.",
            });
        }
    }

    private void Of(Connection connection, CallTarget target)
    {
        if (!access.MaySubscribe(connection.Caller, topics.Get(target.Topic.Name), target.Topic.Name))
        {
            handlers.Remove(target, connection);
        }
    }
}
