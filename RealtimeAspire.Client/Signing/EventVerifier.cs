using System.Security.Cryptography;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Signing;

/// <summary>What a subscriber can say of an event's signature by himself.</summary>
public enum SignatureStatus
{
    /// <summary>The event is as the key's owner has signed it.</summary>
    Valid,

    /// <summary>It is not: somebody has changed it, or it is in another's name.</summary>
    Invalid,

    /// <summary>Nobody has signed it.</summary>
    Unsigned,

    /// <summary>Nobody knows the key.</summary>
    UnknownKey,
}

/// <summary>What has become of an event's signature.</summary>
/// <param name="Status">Whether it is the owner's.</param>
/// <param name="Key">The key; null where there is none. <see cref="SigningKeyInfo.RevokedAt"/> says whether it was revoked since, or before.</param>
public sealed record EventVerification(SignatureStatus Status, SigningKeyInfo? Key)
{
    /// <summary>The event is as its publisher has signed it.</summary>
    public bool IsValid => Status is SignatureStatus.Valid;
}

/// <summary>Verifies the signatures of events where they are read, so that the server need not be believed.</summary>
/// <example>
/// <code>
/// var verifier = new EventVerifier(keys.FindAsync);
/// await foreach (var message in room)
///     if ((await verifier.VerifyAsync(message)).IsValid) { … }
/// </code>
/// </example>
/// <param name="find">Finds a key by its name: <see cref="SigningKeys.FindAsync"/>, or keys that the application has by other means.</param>
public sealed class EventVerifier(Func<string, CancellationToken, Task<SigningKeyInfo?>> find)
{
    /// <summary>Says what has become of an event's signature.</summary>
    /// <param name="published">An event as it was received.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RealtimeException">The key cannot be asked for now.</exception>
    public async Task<EventVerification> VerifyAsync(TopicEvent published, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(published);
        if (published.Data.Signature is not { KeyId: { } keyId } signature)
        {
            return new EventVerification(SignatureStatus.Unsigned, null);
        }

        return await find(keyId, cancellationToken) is not { } key
            ? new EventVerification(SignatureStatus.UnknownKey, null)
            : new EventVerification(IsOf(published, signature, key) ? SignatureStatus.Valid : SignatureStatus.Invalid, key);
    }

    /// <summary>A key has the name that its bytes give it, and signs in its owner's name alone.</summary>
    private static bool IsOf(TopicEvent published, EventSignature signature, SigningKeyInfo key)
    {
        try
        {
            return key.Jwk.ToKeyId() == signature.KeyId
                && key.User == published.Data.UserId
                && key.Jwk.Verifies(SignedText.Of(published, key.Tenant), signature.Value);
        }
        catch (Exception exception) when (exception is RealtimeException or FormatException or CryptographicException)
        {
            return false;
        }
    }
}
