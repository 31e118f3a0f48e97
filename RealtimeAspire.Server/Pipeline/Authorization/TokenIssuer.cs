using System.Buffers;
using System.Security.Claims;
using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Gives out tokens in development, where anybody may be anybody.</summary>
internal sealed class TokenIssuer(IOptions<RealtimeOptions> options, TimeProvider time)
{
    private const int MaxUserLength = 64;

    // The characters of a topic's identifier, so that `user:{name}` is a topic.
    private static readonly SearchValues<char> UserCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@|+=-");

    private readonly AuthOptions _options = options.Value.Auth;
    private readonly SigningCredentials _credentials = new(KeyOf(options.Value.Auth), SecurityAlgorithms.HmacSha256);

    /// <param name="user">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>user_invalid</c>.</exception>
    public TokenReply Issue(string? user)
    {
        if (user is not { Length: > 0 and <= MaxUserLength } || user.AsSpan().ContainsAnyExcept(UserCharacters))
        {
            throw new RealtimeException(ErrorCode.UserInvalid);
        }

        var now = time.GetUtcNow().UtcDateTime;
        var token = new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Subject = new ClaimsIdentity([new Claim("sub", user)]),
            Issuer = _options.Issuer,
            Audience = _options.Audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddSeconds(_options.TokenSeconds),
            SigningCredentials = _credentials,
        });
        return new TokenReply(token, _options.TokenSeconds);
    }

    /// <summary>
    /// The key, with what signs and verifies with it made already: the library makes it at the first use, and a second caller who
    /// finds it while the first still enters it into the cache (IdentityModel 6.8, <c>InMemoryCryptoProviderCache.TryAdd</c>) takes
    /// it for its own and disposes of it under the first. A good token would be refused.
    /// </summary>
    public static SymmetricSecurityKey KeyOf(AuthOptions options)
    {
        var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(options.SigningKey)) { CryptoProviderFactory = new CryptoProviderFactory() };
        key.CryptoProviderFactory.CreateForSigning(key, SecurityAlgorithms.HmacSha256);
        key.CryptoProviderFactory.CreateForVerifying(key, SecurityAlgorithms.HmacSha256);
        return key;
    }
}
