using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>Admits publishes: a token bucket per user, and the size of the payload.</summary>
internal sealed class PublishLimiter : IAsyncDisposable
{
    private readonly LimitOptions _limits;
    private readonly AuditTrail? _audit;
    private readonly PartitionedRateLimiter<Caller> _rates;

    public PublishLimiter(IOptions<RealtimeOptions> options, AuditTrail? audit = null)
    {
        (_limits, _audit) = (options.Value.Limits, audit);
        // About ten portions a second, so that a bucket that ran dry does not open for a whole second at once.
        var portion = Math.Max(1, _limits.PublishesPerSecond / 10);
        _rates = PartitionedRateLimiter.Create<Caller, Caller>(caller =>
            RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = _limits.PublishBurst,
                TokensPerPeriod = portion,
                ReplenishmentPeriod = TimeSpan.FromSeconds((double)portion / _limits.PublishesPerSecond),
                QueueLimit = 0,
                AutoReplenishment = true,
            }));
    }

    /// <summary>The largest payload of any topic, in bytes.</summary>
    public int PayloadBytes => _limits.PayloadBytes;

    /// <exception cref="RealtimeException"><c>rate_limited</c>, <c>payload_too_large</c>.</exception>
    public void Admit(Caller caller, int payloadBytes, int maxPayloadBytes)
    {
        if (!caller.IsServer)
        {
            using var lease = _rates.AttemptAcquire(caller);
            if (!lease.IsAcquired)
            {
                _audit?.Record(AuditAction.LimitTripped, caller.Tenant, AuditActor.Of(caller), "user_publishes", ErrorCode.RateLimited.Code);
                throw new RealtimeException(ErrorCode.RateLimited);
            }
        }

        if (payloadBytes > maxPayloadBytes)
        {
            throw PayloadForm.TooLarge(payloadBytes, maxPayloadBytes);
        }
    }

    public ValueTask DisposeAsync() => _rates.DisposeAsync();
}
