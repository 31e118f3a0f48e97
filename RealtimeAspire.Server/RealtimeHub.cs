using Microsoft.AspNetCore.SignalR;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server;

/// <summary>The hub at <c>/realtime</c>. One connection carries everything, so its methods only delegate.</summary>
/// <remarks>Arguments are untrusted; the paths validate them.</remarks>
internal sealed class RealtimeHub(PublishPath publish, SubscribePath subscribe) : Hub<IRealtimeClient>
{
    private Connection Connection => Context.Features.Get<Connection>()!;

    public Task<SubscribeAnswer> Subscribe(SubscribeRequest request) =>
        subscribe.SubscribeAsync(Connection, request ?? throw new RealtimeException(ErrorCode.RequestInvalid), Context.ConnectionAborted);

    public Task Unsubscribe(string topic)
    {
        Connection.Remove(new TopicKey(Connection.Caller.Tenant, TopicName.Parse(topic)));
        return Task.CompletedTask;
    }

    public Task<PublishReply> Publish(PublishRequest request) =>
        publish.PublishAsync(Connection.Caller, TopicName.Parse((request ?? throw new RealtimeException(ErrorCode.RequestInvalid)).Topic), request);
}
