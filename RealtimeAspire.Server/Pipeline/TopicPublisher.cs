using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Tenants;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>The publish path for code in the process.</summary>
internal sealed class TopicPublisher(PublishPath publish, TenantRegistry tenants, ServerSigningKeys keys) : ITopicPublisher
{
    public Task<PublishReply> PublishAsync(string topic, PublishRequest request, string tenant = Caller.DefaultTenant)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (!Caller.IsTenant(tenant))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A tenant is 1 to 64 of letters, digits and . _ ~ -.");
        }

        tenants.Require(tenant);
        return publish.PublishAsync(new Caller(tenant, UserId: "") { SigningKeys = keys.Of(tenant) }, TopicName.Parse(topic), request);
    }
}
