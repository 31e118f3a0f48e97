using System.Security.Claims;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who asks: a tenant and a subject of it. The token has been validated.</summary>
/// <param name="Tenant">The tenant; <see cref="DefaultTenant"/> until there are others.</param>
/// <param name="UserId">The token's <c>sub</c>; empty for code of the server itself.</param>
internal readonly record struct Caller(string Tenant, string UserId)
{
    public const string DefaultTenant = "default";

    private const int MaxSubjectLength = 255;
    private const int MaxTenantLength = 64;

    /// <summary>Code in the server's process.</summary>
    public bool IsServer => UserId.Length == 0;

    /// <summary>Whether this could be a tenant: it stands in keys and channels.</summary>
    public static bool IsTenant(string? tenant) =>
        tenant is { Length: > 0 and <= MaxTenantLength } && tenant.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '~' or '-');

    /// <exception cref="RealtimeException"><c>token_invalid</c>: the token names nobody.</exception>
    public static Caller From(ClaimsPrincipal? principal)
    {
        // Older token handlers rename `sub` on the way in.
        var subject = principal?.FindFirstValue("sub") ?? principal?.FindFirstValue(ClaimTypes.NameIdentifier);
        return string.IsNullOrEmpty(subject) || subject.Length > MaxSubjectLength || subject.Contains('\0', StringComparison.Ordinal)
            ? throw new RealtimeException(ErrorCode.TokenInvalid, "The token has no usable subject.")
            : new Caller(DefaultTenant, subject);
    }
}
