using System.Buffers.Text;
using System.Security.Cryptography;

namespace RealtimeAspire.Protocol;

/// <summary>Signs what somebody publishes, with a private key that nobody else has.</summary>
/// <remarks>May be used by several threads at once.</remarks>
/// <example>
/// <code>
/// using var signer = new EventSigner(ECDsa.Create(ECCurve.NamedCurves.nistP256));
/// </code>
/// </example>
public sealed class EventSigner : IDisposable
{
    private readonly ECDsa _key;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();

    /// <summary>Signs with a key.</summary>
    /// <param name="key">A private key on P-256; it is disposed with this.</param>
    /// <param name="tenant">Of which tenant the publisher is.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="FormatException">The key is of another curve.</exception>
    public EventSigner(ECDsa key, string tenant = "default", TimeProvider? time = null)
    {
        (_key, _time, Tenant) = (key, time ?? TimeProvider.System, tenant);
        PublicKey = SigningJwk.Of(key);
        KeyId = PublicKey.ToKeyId();
    }

    /// <summary>The key's name.</summary>
    public string KeyId { get; }

    /// <summary>Of which tenant the publisher is.</summary>
    public string Tenant { get; }

    /// <summary>What the server has to know of the key.</summary>
    public SigningJwk PublicKey { get; }

    /// <summary>Signs an event as it is about to be published.</summary>
    /// <param name="request">The event, with its id.</param>
    /// <param name="topic">The topic's name, where the request does not have it.</param>
    /// <exception cref="RealtimeException"><c>payload_invalid</c>, <c>request_invalid</c>: it cannot be signed.</exception>
    public EventSignature Sign(PublishRequest request, string? topic = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        var now = DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());
        var unsigned = new EventSignature { KeyId = KeyId, Value = "", SignedAt = now };
        var text = SignedText.Of(request with { Signature = unsigned }, topic ?? request.Topic ?? "", Tenant);
        lock (_lock)
        {
            return unsigned with { Value = Base64Url.EncodeToString(_key.SignData(text, HashAlgorithmName.SHA256)) };
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
