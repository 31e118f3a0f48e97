using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Cursors;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Moves a consumer's cursor: admit, authorize, compare with the log, store.</summary>
internal sealed class AcknowledgePath(RequestLimiter limits, TopicAccess access, TopicCatalog topics, LogCatalog logs, CursorStore cursors)
{
    /// <param name="caller">Who acknowledges.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <param name="cancellationToken">Ends with the connection.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task AcknowledgeAsync(Caller caller, AcknowledgeRequest request, CancellationToken cancellationToken)
    {
        limits.Admit(caller);
        var name = TopicName.Parse(request.Topic);
        var policy = topics.Get(name);
        var consumer = SubscribeForm.RequireConsumer(request.Consumer);
        if (request.Position is not { IsWellFormed: true } position)
        {
            throw new RealtimeException(ErrorCode.PositionInvalid);
        }

        access.RequireSubscribe(caller, policy, name);
        if (position == Position.Origin)
        {
            // Nothing has been dealt with yet, which is what no cursor says too.
            return;
        }

        var topic = new TopicKey(caller.Tenant, name);
        var tip = await logs.TipsOf(policy).ReadAsync(topic, cancellationToken);
        await cursors.AcknowledgeAsync(caller, name, consumer, position, tip, cancellationToken);
    }
}
