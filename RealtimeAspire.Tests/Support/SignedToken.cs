using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Support;

/// <summary>Tokens that no issuer would make, with a right signature.</summary>
internal static class SignedToken
{
    /// <param name="token">A good one, whose key is <paramref name="key"/>.</param>
    /// <param name="change">What is different.</param>
    /// <param name="key">Signs it.</param>
    public static string Make(string token, Action<JsonObject> change, string key)
    {
        var parts = token.Split('.');
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[1]))!.AsObject();
        change(claims);
        return Sign(parts[0], Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString())), key);
    }

    /// <summary>Whatever these are.</summary>
    public static string Sign(string header, string payload, string key) =>
        $"{header}.{payload}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes($"{header}.{payload}")))}";
}
