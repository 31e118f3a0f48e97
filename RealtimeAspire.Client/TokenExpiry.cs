using System.Buffers.Text;
using System.Text.Json;

namespace RealtimeAspire.Client;

/// <summary>When to replace a token.</summary>
internal static class TokenExpiry
{
    private static readonly TimeSpan LongestLead = TimeSpan.FromMinutes(1);

    /// <summary>
    /// A fifth of its time before its end, at most a minute. Null where it does not say when it ends, as one that is no JWT, or where
    /// that has been.
    /// </summary>
    public static DateTimeOffset? RefreshTime(string? token, DateTimeOffset now)
    {
        if (EndOf(token) is not { } end || end <= now)
        {
            return null;
        }

        var lead = (end - now) / 5;
        return end - (lead < LongestLead ? lead : LongestLead);
    }

    private static DateTimeOffset? EndOf(string? token)
    {
        try
        {
            var parts = token?.Split('.') ?? [];
            using var claims = parts.Length == 3 ? JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1])) : null;
            return claims is not null && claims.RootElement.TryGetProperty("exp", out var exp) && exp.TryGetDouble(out var seconds)
                ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
                : null;
        }
        catch (Exception exception) when (exception is FormatException or JsonException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }
}
