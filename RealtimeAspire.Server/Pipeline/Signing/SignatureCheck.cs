using System.Globalization;
using System.Text;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>
/// Whether the publisher has signed what he publishes. Synchronous, as everything before the log: the caller's keys were looked up at the
/// door. An event that is not signed costs a look at two fields.
/// </summary>
internal sealed class SignatureCheck(IOptions<RealtimeOptions> options, TimeProvider time, AuditTrail? audit = null)
{
    /// <summary>Nobody remembers the ids of ephemeral events; for so long they may be sent again.</summary>
    private static readonly TimeSpan EphemeralWindow = TimeSpan.FromMinutes(1);

    private readonly TimeSpan _skew = options.Value.Auth.ClockSkew;

    /// <param name="caller">Who publishes.</param>
    /// <param name="policy">The topic type's policy.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="request">Untrusted; its name, id and payload have been validated.</param>
    /// <returns>The signature as it is kept, JSON as UTF-8; null: there is none.</returns>
    /// <exception cref="RealtimeException">
    /// <c>signature_required</c>, <c>signature_invalid</c>, <c>signature_expired</c>, <c>signing_key_unknown</c>, <c>payload_invalid</c>, <c>log_unavailable</c>.
    /// </exception>
    public byte[]? Require(Caller caller, TopicPolicy policy, TopicName topic, PublishRequest request)
    {
        if (request.Signature is { } signature)
        {
            return Verify(caller, policy, topic, request, signature);
        }

        return policy.Signed is SignedEvents.None ? null : throw Refuse(caller, topic, ErrorCode.SignatureRequired);
    }

    private byte[] Verify(Caller caller, TopicPolicy policy, TopicName topic, PublishRequest request, EventSignature signature)
    {
        if (request.Id is null)
        {
            throw Refuse(caller, topic, ErrorCode.SignatureInvalid, "A signed event has an id: it is a part of what is signed.");
        }

        if (signature.KeyId is not { Length: SigningJwk.KeyIdLength } keyId || FindKey(caller, keyId) is not { } key)
        {
            throw Refuse(caller, topic, ErrorCode.SigningKeyUnknown);
        }

        // A millisecond is as exact as it is written.
        var signedAt = signature.SignedAt;
        Span<byte> bytes = stackalloc byte[SigningJwk.SignatureBytes];
        if (!SigningJwk.TryReadSignature(signature.Value, bytes)
            || signedAt.Ticks % TimeSpan.TicksPerMillisecond != 0
            || !key.Verifies(SignedText.Of(request, topic.Value, caller.Tenant), bytes))
        {
            throw Refuse(caller, topic, ErrorCode.SignatureInvalid);
        }

        RequireFresh(caller, policy, topic, request, signedAt);
        return Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"keyId":"{{keyId}}","value":"{{signature.Value}}","signedAt":"{{signedAt.UtcDateTime.ToString(TimestampConverter.Format, CultureInfo.InvariantCulture)}}"}"""));
    }

    /// <summary>
    /// An event that somebody has kept is not published once more: for as long as its id is remembered that is a duplicate, and before it is
    /// forgotten the signature is too old. As much as clocks may be ahead is taken off the end.
    /// </summary>
    private void RequireFresh(Caller caller, TopicPolicy policy, TopicName topic, PublishRequest request, DateTimeOffset signedAt)
    {
        var window = policy.IsEphemeral(request.Event!) ? EphemeralWindow : policy.IdempotencyWindow;
        var skew = TimeSpan.FromTicks(Math.Min(_skew.Ticks, window.Ticks / 2));
        var age = time.GetUtcNow() - signedAt;
        if (age < -skew || age > window - skew)
        {
            throw Refuse(caller, topic, ErrorCode.SignatureExpired);
        }
    }

    /// <summary>While it is not known which keys a user has, that may pass.</summary>
    private static SigningKey? FindKey(Caller caller, string keyId) => caller.Places is { IsKnown: false }
        ? throw new RealtimeException(ErrorCode.LogUnavailable, "Your keys cannot be reached; try again with the same id.")
        : caller.FindSigningKey(keyId);

    private RealtimeException Refuse(Caller caller, TopicName topic, ErrorCode error, string? sentence = null)
    {
        audit?.Record(AuditAction.SignatureRefused, caller.Tenant, AuditActor.Of(caller), topic.Value, error.Code);
        return new RealtimeException(error, sentence ?? error.Sentence);
    }
}
