using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Makes the built-in identity's tokens. Whether somebody may have one is decided before.</summary>
internal sealed class TokenIssuer(IOptions<RealtimeOptions> options, TimeProvider time)
{
    private const int MaxUserLength = 64;

    // The characters of a topic's identifier, so that `user:{name}` is a topic.
    private static readonly SearchValues<char> UserCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@|+=-");

    private readonly AuthOptions _options = options.Value.Auth;
    // Without the built-in identity there is no key.
    private readonly Lazy<SigningCredentials> _credentials = new(() => new SigningCredentials(KeyOf(options.Value.Auth), SecurityAlgorithms.HmacSha256));

    /// <param name="user">Untrusted.</param>
    /// <param name="tenant">Untrusted.</param>
    /// <param name="grants">Untrusted.</param>
    /// <param name="signIn">The sign-in that it comes of.</param>
    /// <param name="issuedAt">Now by default.</param>
    /// <exception cref="RealtimeException"><c>user_invalid</c>, <c>request_invalid</c>.</exception>
    public TokenReply Issue(string? user, string? tenant = null, JsonElement? grants = null, string? signIn = null, DateTimeOffset? issuedAt = null)
    {
        var name = RequireUser(user, tenant);
        RequireGrants(grants);
        var token = new JsonWebTokenHandler().CreateToken(PayloadOf(name, tenant, grants, signIn, issuedAt), _credentials.Value);
        return new TokenReply(token, _options.TokenSeconds);
    }

    /// <summary>Whether this could be a user's name here.</summary>
    public static bool IsUser([NotNullWhen(true)] string? user) => user is { Length: > 0 and <= MaxUserLength } && !user.AsSpan().ContainsAnyExcept(UserCharacters);

    /// <exception cref="RealtimeException"><c>user_invalid</c>, <c>request_invalid</c>.</exception>
    public static string RequireUser(string? user, string? tenant)
    {
        if (!IsUser(user))
        {
            throw new RealtimeException(ErrorCode.UserInvalid);
        }

        return tenant is null || Caller.IsTenant(tenant) ? user : throw new RealtimeException(ErrorCode.RequestInvalid, "A tenant is 1 to 64 of letters, digits and . _ ~ -.");
    }

    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public static void RequireGrants(JsonElement? grants)
    {
        try
        {
            if (grants is { } given)
            {
                Grants.Read(given);
            }
        }
        catch (FormatException exception)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, exception.Message, exception);
        }
    }

    private string PayloadOf(string user, string? tenant, JsonElement? grants, string? signIn, DateTimeOffset? issuedAt)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var payload = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteString("sub", user);
            json.WriteString("iss", _options.Issuer);
            json.WriteString("aud", _options.Audience);
            json.WriteString("jti", Guid.NewGuid().ToString("N"));
            json.WriteNumber("iat", issuedAt?.ToUnixTimeSeconds() ?? now);
            json.WriteNumber("nbf", now);
            json.WriteNumber("exp", now + _options.TokenSeconds);
            if (tenant is not null)
            {
                json.WriteString(TokenClaims.Tenant, tenant);
            }

            if (signIn is not null)
            {
                json.WriteString(TokenClaims.SignIn, signIn);
            }

            if (grants is { } given)
            {
                json.WritePropertyName(TokenClaims.Grants);
                given.WriteTo(json);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(payload.WrittenSpan);
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
