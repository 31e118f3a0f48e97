using Microsoft.Extensions.Hosting;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Decides who may do what on a topic. Synchronous, so that a connection's publishes keep their order.</summary>
internal sealed class TopicAccess(IHostEnvironment environment, EventCatalog events)
{
    /// <summary>A topic of the type <c>user</c> is read by the user whose name it has, and by nobody else.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireSubscribe(Caller caller, TopicPolicy policy, TopicName topic)
    {
        if (policy.Type != TopicCatalog.User)
        {
            RequireOpen(policy);
        }
        else if (topic.Identifier != caller.UserId)
        {
            throw new RealtimeException(ErrorCode.Forbidden, "This topic is another user's.");
        }
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>event_not_allowed</c>.</exception>
    public void RequirePublish(Caller caller, TopicPolicy policy, string eventName)
    {
        if (caller.IsServer)
        {
            RequireServers(policy);
            return;
        }

        RequireOpen(policy);
        var isOpen = policy.ClientsMayPublish(eventName) || (policy.Publishers.HasFlag(Publishers.Clients) && events.IsOpen(policy.Type, eventName));
        if (!isOpen)
        {
            throw new RealtimeException(ErrorCode.EventNotAllowed);
        }
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireCall(TopicPolicy policy) => RequireOpen(policy);

    /// <summary>Whoever may read may handle: nobody answers in another user's name.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireHandle(Caller caller, TopicPolicy policy, TopicName topic) => RequireSubscribe(caller, policy, topic);

    private static void RequireServers(TopicPolicy policy)
    {
        if (!policy.Publishers.HasFlag(Publishers.Servers))
        {
            throw new RealtimeException(ErrorCode.EventNotAllowed, "Only clients may publish on topics of this type.");
        }
    }

    private void RequireOpen(TopicPolicy policy)
    {
        if (!(policy.Open ?? environment.IsDevelopment()))
        {
            throw new RealtimeException(ErrorCode.Forbidden);
        }
    }
}
