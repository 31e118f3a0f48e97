using System.Buffers.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Reads whom a token names and what it grants, from the payload that was signed: what libraries make of it differs between their
/// versions, and an empty array of grants vanishes in all of them.
/// </summary>
internal static class TokenClaims
{
    public const string Tenant = "tenant";
    public const string Grants = "grants";
    public const string SignIn = "sid";

    private const int MaxSubjectLength = 255;
    private const int MaxTokenIdLength = 128;
    private const long LastSecond = 253_402_300_799;

    // Two readers would see two tokens.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <param name="encodedPayload">The token's second part; its signature has been validated.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, with the reason.</exception>
    public static Caller Read(string encodedPayload)
    {
        try
        {
            using var payload = JsonDocument.Parse(Base64Url.DecodeFromChars(encodedPayload), Strict);
            var claims = payload.RootElement;
            var subject = TextOf(claims, "sub") ?? "";
            if (subject.Length is 0 or > MaxSubjectLength || subject.Contains('\0', StringComparison.Ordinal) || subject.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal))
            {
                throw new FormatException("The token has no usable subject.");
            }

            var tenant = TextOf(claims, Tenant) ?? Caller.DefaultTenant;
            if (!Caller.IsTenant(tenant))
            {
                throw new FormatException("The token's tenant is not 1 to 64 of letters, digits and . _ ~ -.");
            }

            TimeOf(claims, "nbf");
            return new Caller(tenant, subject)
            {
                Grants = claims.TryGetProperty(Grants, out var grants) ? Authorization.Grants.Read(grants) : null,
                TokenId = TextOf(claims, "jti") is { Length: > 0 and <= MaxTokenIdLength } id ? id : null,
                SignInId = TextOf(claims, SignIn) is { Length: > 0 and <= MaxTokenIdLength } signIn ? signIn : null,
                IssuedAt = TimeOf(claims, "iat"),
                Expires = TimeOf(claims, "exp") ?? throw new FormatException("The token has no end."),
            };
        }
        catch (Exception exception) when (exception is FormatException or JsonException or InvalidOperationException)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, exception is FormatException ? exception.Message : "The token's claims are not JSON, or one is there twice.", exception);
        }
    }

    private static string? TextOf(JsonElement claims, string name) => !claims.TryGetProperty(name, out var claim)
        ? null
        : claim.ValueKind is JsonValueKind.String ? claim.GetString() : throw new FormatException($"The token's {name} is no string.");

    /// <summary>A whole second: libraries differ in what they make of anything else.</summary>
    private static DateTimeOffset? TimeOf(JsonElement claims, string name) => !claims.TryGetProperty(name, out var claim)
        ? null
        : claim.ValueKind is JsonValueKind.Number && claim.TryGetInt64(out var seconds) && seconds is >= 0 and <= LastSecond
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw new FormatException($"The token's {name} is no whole second.");
}
