using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>A publisher's signature of an event: ECDSA over P-256 with SHA-256 (ES256) of its <see cref="SignedText"/>.</summary>
/// <remarks>In a request untrusted input; the server's publish path validates every member.</remarks>
public sealed record EventSignature
{
    /// <summary>Which of the publisher's keys: the RFC 7638 thumbprint of its public half.</summary>
    public required string KeyId { get; init; }

    /// <summary>The signature's 64 bytes, r and s, in base64url without padding.</summary>
    public required string Value { get; init; }

    /// <summary>When the publisher has signed: UTC, in milliseconds. It is a part of what is signed.</summary>
    public required DateTimeOffset SignedAt { get; init; }
}

/// <summary>Registers a public key. One of <see cref="Jwk"/> and <see cref="Spki"/>.</summary>
/// <remarks>Untrusted input; the server validates every member.</remarks>
public sealed record SigningKeyRequest
{
    /// <summary>The public key as a JSON Web Key, <c>EC</c> on <c>P-256</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Jwk { get; init; }

    /// <summary>The public key as a SubjectPublicKeyInfo, DER in base64.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Spki { get; init; }

    /// <summary>Whose it is, for who looks after keys; empty for the server itself. Default: the caller's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? User { get; init; }
}

/// <summary>A public key with which somebody signs what he publishes.</summary>
public sealed record SigningKeyInfo
{
    /// <summary>The key's name: the RFC 7638 thumbprint of <see cref="Jwk"/>.</summary>
    public required string KeyId { get; init; }

    /// <summary>In which tenant it counts.</summary>
    public required string Tenant { get; init; }

    /// <summary>Whose it is, as events have it in <c>user_id</c>; null for the server itself.</summary>
    public required string? User { get; init; }

    /// <summary>The public key.</summary>
    public required SigningJwk Jwk { get; init; }

    /// <summary>When it was registered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Since when nothing is accepted with it; null: it counts.</summary>
    public DateTimeOffset? RevokedAt { get; init; }
}

/// <summary>Somebody's keys.</summary>
public sealed record SigningKeyList
{
    /// <summary>The oldest first, those that were revoked among them.</summary>
    public required IReadOnlyList<SigningKeyInfo> Keys { get; init; }
}
