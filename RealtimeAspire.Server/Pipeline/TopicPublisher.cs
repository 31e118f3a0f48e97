using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>The publish path for code in the process.</summary>
internal sealed class TopicPublisher(PublishPath publish) : ITopicPublisher
{
    public Task<PublishReply> PublishAsync(string topic, PublishRequest request, string tenant = Caller.DefaultTenant)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (!Caller.IsTenant(tenant))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A tenant is 1 to 64 of letters, digits and . _ ~ -.");
        }

        return publish.PublishAsync(new Caller(tenant, UserId: ""), TopicName.Parse(topic), request);
    }
}
