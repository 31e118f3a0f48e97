using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>Admits publishes: how fast a connection, its user and their tenant may publish, and the size of the payload.</summary>
internal sealed class PublishLimiter(
    IOptions<RealtimeOptions> options, TenantLimits tenants, TenantShares shares, LimitInstruments instruments, TimeProvider time, AuditTrail? audit = null,
    SignalActions? signals = null)
{
    /// <summary>A larger payload counts as several publishes.</summary>
    private const int BytesPerToken = 16 * 1024;

    private readonly LimitOptions _limits = options.Value.Limits;
    private readonly BucketRate _rate = BucketRate.Of(options.Value.Limits.PublishesPerSecond, options.Value.Limits.PublishBurst, time);
    private readonly BucketRate? _connectionRate = RateOf(options.Value.Limits, time);
    private readonly BucketSet<UserKey> _users = new(time);

    /// <summary>The largest payload of any topic, in bytes.</summary>
    public int PayloadBytes => _limits.PayloadBytes;

    /// <summary>How many members a payload may have in all.</summary>
    public int PayloadMembers => _limits.PayloadMembers;

    /// <param name="caller">Who publishes.</param>
    /// <param name="payloadBytes">How much.</param>
    /// <param name="maxPayloadBytes">And how much it may be.</param>
    /// <param name="connection">Over which connection; null over HTTP, where each request is one by itself.</param>
    /// <exception cref="RealtimeException"><c>rate_limited</c>, <c>payload_too_large</c>.</exception>
    public void Admit(Caller caller, int payloadBytes, int maxPayloadBytes, Connection? connection = null)
    {
        if (!caller.IsServer)
        {
            TakeAll(caller, (1 + (Math.Min(payloadBytes, maxPayloadBytes) / BytesPerToken)) * (signals?.CostOf(caller) ?? 1), connection);
        }

        if (payloadBytes > maxPayloadBytes)
        {
            throw PayloadForm.TooLarge(payloadBytes, maxPayloadBytes);
        }
    }

    /// <summary>From the narrowest to the widest; one that refuses leaves the others as they were.</summary>
    private void TakeAll(Caller caller, int tokens, Connection? connection)
    {
        if (_connectionRate is { } own && connection?.Publishes.Take(time.GetTimestamp(), own, tokens) is { } wait and > 0)
        {
            throw Refuse(LimitNames.ConnectionPublishes, caller, time.GetElapsedTime(0, wait), "This connection publishes too fast; slow down.");
        }

        var user = new UserKey(caller.Tenant, caller.UserId);
        if (_users.Take(user, _rate, tokens) is { } userWait)
        {
            GiveBack(connection, tokens);
            throw Refuse(LimitNames.UserPublishes, caller, userWait);
        }

        if (tenants.Of(caller.Tenant).PublishesPerSecond is { } quota && shares.Of(caller.Tenant).TakePublish(quota, time) is { } tenantWait)
        {
            GiveBack(connection, tokens);
            _users.GiveBack(user, _rate, tokens);
            throw Refuse(LimitNames.TenantPublishes, caller, tenantWait, "The tenant publishes too fast; slow down.");
        }
    }

    private void GiveBack(Connection? connection, int tokens)
    {
        if (_connectionRate is { } own)
        {
            connection?.Publishes.GiveBack(own, tokens);
        }
    }

    private RealtimeException Refuse(string limit, Caller caller, TimeSpan wait, string? sentence = null)
    {
        instruments.Refused(limit, caller.Tenant);
        audit?.Record(AuditAction.LimitTripped, caller.Tenant, AuditActor.Of(caller), limit, ErrorCode.RateLimited.Code);
        return new RealtimeException(ErrorCode.RateLimited, sentence ?? ErrorCode.RateLimited.Sentence) { RetryAfter = wait };
    }

    private static BucketRate? RateOf(LimitOptions limits, TimeProvider time) => LimitOptions.Limited(limits.ConnectionPublishesPerSecond) is { } rate
        ? BucketRate.Of(rate, (double)rate * limits.PublishBurst / limits.PublishesPerSecond, time)
        : null;
}

/// <summary>Whose bucket it is.</summary>
internal readonly record struct UserKey(string Tenant, string UserId);
