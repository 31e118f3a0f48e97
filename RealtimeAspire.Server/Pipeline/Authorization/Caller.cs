using System.Security.Claims;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signing;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Who asks: a tenant and a subject of it, and what is known of his rights. The token has been validated. Two are equal when they are
/// the same subject, whatever their tokens grant.
/// </summary>
/// <param name="Tenant">The tenant, from the token and never from the request.</param>
/// <param name="UserId">The token's <c>sub</c>; <c>key:</c> and its id for a service key; empty for code of the server itself.</param>
internal sealed record Caller(string Tenant, string UserId)
{
    public const string DefaultTenant = "default";

    /// <summary>What the subjects of service keys begin with, and of no token.</summary>
    public const string KeyPrefix = "key:";

    private const int MaxTenantLength = 64;

    /// <summary>What the token or the service key grants; null where a token says nothing of it, and the server's policy decides.</summary>
    public Grants? Grants { get; init; }

    /// <summary>The user's places in topics, kept up to date; null where there are none to know.</summary>
    public UserPlaces? Places { get; init; }

    /// <summary>The keys with which a backend or the server itself signs; those of users are with their places.</summary>
    public IReadOnlyDictionary<string, SigningKey>? SigningKeys { get; init; }

    /// <summary>The token's id (<c>jti</c>), by which it can be revoked.</summary>
    public string? TokenId { get; init; }

    /// <summary>The sign-in that the token came of (<c>sid</c>), with which it can be revoked.</summary>
    public string? SignInId { get; init; }

    /// <summary>When the token was issued (<c>iat</c>).</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>When the right to be here ends; null: never by itself.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Code in the server's process.</summary>
    public bool IsServer => UserId.Length == 0;

    /// <summary>A backend, by its service key.</summary>
    public bool IsService => UserId.StartsWith(KeyPrefix, StringComparison.Ordinal);

    /// <summary>A key with which the caller may sign what he publishes.</summary>
    public SigningKey? FindSigningKey(string keyId) => Places?.FindKey(keyId) ?? SigningKeys?.GetValueOrDefault(keyId);

    /// <summary>Whether this could be a tenant: it stands in keys and channels.</summary>
    public static bool IsTenant(string? tenant) =>
        tenant is { Length: > 0 and <= MaxTenantLength } && tenant.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '~' or '-');

    /// <summary>Whom the door has let in.</summary>
    /// <exception cref="RealtimeException"><c>token_invalid</c>: nobody that this server knows.</exception>
    public static Caller From(ClaimsPrincipal? principal) =>
        principal?.Identities.OfType<CallerIdentity>().FirstOrDefault()?.Caller ?? throw new RealtimeException(ErrorCode.TokenInvalid);

    public bool Equals(Caller? other) => other is not null && Tenant == other.Tenant && UserId == other.UserId;

    public override int GetHashCode() => HashCode.Combine(Tenant, UserId);
}

/// <summary>What the door adds to the token's own claims.</summary>
internal sealed class CallerIdentity(Caller caller) : ClaimsIdentity(nameof(CallerIdentity))
{
    public Caller Caller => caller;
}
