using Microsoft.Extensions.Hosting;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Decides who may do what on a topic. Synchronous, so that a connection's publishes keep their order.</summary>
internal sealed class TopicAccess(IHostEnvironment environment, EventCatalog events)
{
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireSubscribe(TopicPolicy policy) => RequireOpen(policy);

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>event_not_allowed</c>.</exception>
    public void RequirePublish(TopicPolicy policy, string eventName)
    {
        RequireOpen(policy);
        if (!policy.ClientsMayPublish(eventName) && !events.IsOpen(policy.Type, eventName))
        {
            throw new RealtimeException(ErrorCode.EventNotAllowed);
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
