using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>
/// Where tokens come from: the authority, the built-in identity, or both. A key validates only the tokens of its own issuer, by its own algorithms:
/// nothing that is public is ever taken for the secret of the other one.
/// </summary>
internal sealed class TokenSources(IOptions<RealtimeOptions> options, AuthorityKeys authority, TimeProvider time)
{
    private readonly AuthOptions _options = options.Value.Auth;
    private readonly SecurityKey[] _builtIn = options.Value.Auth.IsBuiltIn ? [TokenIssuer.KeyOf(options.Value.Auth)] : [];

    /// <summary>Every algorithm that some token may have.</summary>
    public IEnumerable<string> Algorithms => [.. _options.IsBuiltIn ? [SecurityAlgorithms.HmacSha256] : Array.Empty<string>(), .. _options.HasAuthority ? _options.AuthorityAlgorithms : []];

    /// <summary>The authority's keys as they were read last: another object, other keys.</summary>
    public object? AuthorityKeySet => authority.Current;

    /// <param name="token">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>: of nobody here. <c>authority_unavailable</c>.</exception>
    public async Task PrepareAsync(string token, CancellationToken cancellationToken)
    {
        var form = TokenForm.Read(token);
        if (IsBuiltIn(form.Issuer))
        {
            Require(form.Algorithm == SecurityAlgorithms.HmacSha256);
        }
        else if (authority.IsIssuer(form.Issuer))
        {
            Require(_options.AuthorityAlgorithms.Contains(form.Algorithm, StringComparer.Ordinal));
            await authority.PrepareAsync(form, cancellationToken);
        }
        else
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, "The token's issuer is not known here.", new SecurityTokenInvalidIssuerException());
        }
    }

    /// <summary>What can have signed it.</summary>
    public IEnumerable<SecurityKey> KeysOf(string token)
    {
        var form = TokenForm.Read(token);
        return !IsBuiltIn(form.Issuer) ? authority.IsIssuer(form.Issuer) ? authority.Find(form) : []
            : form.Algorithm == SecurityAlgorithms.HmacSha256 ? _builtIn : [];
    }

    /// <exception cref="SecurityTokenInvalidIssuerException">Nobody's here.</exception>
    public string RequireIssuer(string issuer) => IsBuiltIn(issuer) || authority.IsIssuer(issuer) ? issuer : throw new SecurityTokenInvalidIssuerException();

    /// <summary>A token from the future would outlive its own revocation.</summary>
    /// <exception cref="RealtimeException"><c>token_invalid</c>.</exception>
    public void RequireIssued(Caller named)
    {
        if (named.IssuedAt > time.GetUtcNow() + _options.ClockSkew)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, "The token was issued in the future.");
        }
    }

    private bool IsBuiltIn(string issuer) => _options.IsBuiltIn && issuer == _options.Issuer;

    private static void Require(bool allowed)
    {
        if (!allowed)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, "The token is signed by an algorithm that is not allowed.", new SecurityTokenInvalidAlgorithmException());
        }
    }
}
