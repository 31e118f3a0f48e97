using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>
/// What a token says of itself, before its signature has been looked at: whose it would be, and which key would have signed it. One that two
/// readers could read differently, or that brings its key along, goes no further.
/// </summary>
/// <param name="Algorithm">The header's <c>alg</c>.</param>
/// <param name="KeyId">The header's <c>kid</c>.</param>
/// <param name="Issuer">The payload's <c>iss</c>.</param>
internal readonly record struct TokenForm(string Algorithm, string? KeyId, string Issuer)
{
    private const int Parts = 3;
    private const int MaxTextLength = 512;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    // A key, or where to get one; what must be understood; what is not signed JSON.
    private static readonly string[] Refused = ["crit", "jwk", "jku", "x5u", "x5c", "zip", "enc", "cty", "b64"];

    private static readonly SearchValues<char> Characters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <param name="token">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, with the reason.</exception>
    public static TokenForm Read(string token)
    {
        try
        {
            var parts = token.Split('.');
            if (parts.Length != Parts || Decode(parts[2]).Length == 0)
            {
                throw new FormatException("The token is not a signed one.");
            }

            using var header = ParseObject(parts[0]);
            using var payload = ParseObject(parts[1]);
            var said = Refused.FirstOrDefault(name => header.RootElement.TryGetProperty(name, out _));
            if (said is not null)
            {
                throw new FormatException($"Tokens whose header has {said} are not accepted.");
            }

            RequireType(TextOf(header.RootElement, "typ"));
            return new TokenForm(
                TextOf(header.RootElement, "alg") ?? throw new FormatException("The token does not say how it is signed."),
                TextOf(header.RootElement, "kid"),
                TextOf(payload.RootElement, "iss") ?? throw new FormatException("The token does not say who issued it."));
        }
        catch (Exception exception) when (exception is FormatException or JsonException or InvalidOperationException)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, exception is FormatException ? exception.Message : "The token is not JSON, or something is in it twice.", exception);
        }
    }

    private static void RequireType(string? type)
    {
        var name = type?.StartsWith("application/", StringComparison.OrdinalIgnoreCase) is true ? type["application/".Length..] : type;
        if (name is not null && !name.Equals("JWT", StringComparison.OrdinalIgnoreCase) && !name.Equals("at+jwt", StringComparison.OrdinalIgnoreCase))
        {
            throw new FormatException("The token is of another type than access tokens are.");
        }
    }

    private static JsonDocument ParseObject(string part)
    {
        var json = JsonDocument.Parse(Decode(part), Strict);
        return json.RootElement.ValueKind is JsonValueKind.Object ? json : throw new FormatException("The token's parts are not objects.");
    }

    /// <summary>One text, one token: nothing that a decoder would pass over.</summary>
    private static byte[] Decode(string part)
    {
        if (part.AsSpan().ContainsAnyExcept(Characters))
        {
            throw new FormatException("The token is not base64url.");
        }

        var bytes = Base64Url.DecodeFromChars(part);
        return Base64Url.EncodeToString(bytes) == part ? bytes : throw new FormatException("The token is not base64url.");
    }

    private static string? TextOf(JsonElement json, string name) => !json.TryGetProperty(name, out var value)
        ? null
        : value.ValueKind is JsonValueKind.String && value.GetString() is { Length: > 0 and <= MaxTextLength } text
            ? text
            : throw new FormatException($"The token's {name} is no string of up to {MaxTextLength} characters.");
}
