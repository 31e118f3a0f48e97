using System.Text.Json;
using Microsoft.AspNetCore.SignalR;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server;

/// <summary>The hub at <c>/realtime</c>. One connection carries everything, so its methods only delegate.</summary>
/// <remarks>Arguments are untrusted; the paths validate them.</remarks>
internal sealed class RealtimeHub(
    PublishPath publish, SubscribePath subscribe, HistoryPath history, AcknowledgePath acknowledge, CallPath calls, ReceiptPath receipts, RefreshPath refresh,
    IPresence? presence = null)
    : Hub<IRealtimeClient>
{
    private IPresence Presence => presence ?? throw new RealtimeException(ErrorCode.PresenceNotOffered);

    private Connection Connection => Context.Features.Get<Connection>()!;

    public Task<SubscribeAnswer> Subscribe(SubscribeRequest request) =>
        subscribe.SubscribeAsync(Connection, Required(request), Context.ConnectionAborted);

    public Task<SubscribeResult[]> SubscribeMany(SubscribeRequest?[] requests) =>
        subscribe.SubscribeManyAsync(Connection, Required(requests), Context.ConnectionAborted);

    public Task Unsubscribe(string topic)
    {
        Connection.Remove(new TopicKey(Connection.Caller.Tenant, TopicName.Parse(topic)));
        return Task.CompletedTask;
    }

    public Task<PublishReply> Publish(PublishRequest request) =>
        publish.PublishAsync(Connection.Caller, TopicName.Parse(Required(request).Topic), request, Connection);

    public Task<PublishOutcome[]> PublishBatch(PublishRequest?[] requests) => publish.PublishManyAsync(
        Connection.Caller, Required(requests).Length, i => Required(requests[i]).Topic, i => requests[i]!, Connection);

    public Task<HistoryAnswer> History(HistoryRequest request) => history.ReadAsync(
        Connection.Caller, TopicName.Parse(Required(request).Topic), request.After, request.Before, request.Limit, Context.ConnectionAborted);

    public Task Acknowledge(AcknowledgeRequest request) =>
        acknowledge.AcknowledgeAsync(Connection.Caller, Required(request), Context.ConnectionAborted);

    public Task<JsonElement> Call(CallRequest request) => calls.CallAsync(Connection, Required(request), Context.ConnectionAborted);

    public Task Handle(HandleRequest request) => calls.HandleAsync(Connection, Required(request));

    public Task Unhandle(HandleRequest request) => calls.UnhandleAsync(Connection, Required(request));

    public void Reply(ReplyRequest request) => calls.Reply(Connection, Required(request));

    public void Receipts(Receipt?[] received) => receipts.Take(Connection.Caller, Required(received));

    public Task SetPresence(PresenceRequest request) => Presence.SetAsync(Connection.Caller, Connection, Required(request));

    public Task<PresencePage> ListPresence(PresencePageRequest request) => Presence.ListAsync(Connection.Caller, Required(request), Context.ConnectionAborted);

    public Task<RefreshReply> Refresh(string token) => refresh.RefreshAsync(Connection, token);

    private static T Required<T>(T? argument)
        where T : class => argument ?? throw new RealtimeException(ErrorCode.RequestInvalid);
}
