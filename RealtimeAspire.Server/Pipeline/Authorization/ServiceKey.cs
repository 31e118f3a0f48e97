using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using RealtimeAspire.Server.Pipeline.Signing;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>A backend's key, as it is kept: without its secret.</summary>
/// <param name="Id">Its public name.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="Hash">Of the secret.</param>
/// <param name="PreviousHash">Of the secret before the last rotation.</param>
/// <param name="PreviousUntil">Until when that one counts.</param>
/// <param name="Grants">What it may.</param>
/// <param name="Expires">When it ends; null: never.</param>
/// <param name="IsRevoked">It has been taken back.</param>
/// <param name="SigningKeys">With which the backend signs.</param>
internal sealed record ServiceKey(
    string Id, string Tenant, byte[] Hash, byte[]? PreviousHash, DateTimeOffset? PreviousUntil, Grants Grants, DateTimeOffset? Expires, bool IsRevoked,
    IReadOnlyDictionary<string, SigningKey>? SigningKeys = null)
{
    private const string Prefix = "rk_";
    private const int IdBytes = 9;
    private const int SecretBytes = 32;
    private const int IdLength = 12;
    private const int SecretLength = 43;

    /// <summary>Whether a bearer's token looks like a key. No JSON Web Token does.</summary>
    public static bool Is([NotNullWhen(true)] string? token) => token is not null && token.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>A new id and secret; 256 random bits need no slow hash.</summary>
    public static (string Id, string Secret) Make() => (NewText(IdBytes), NewText(SecretBytes));

    public static string ToText(string id, string secret) => $"{Prefix}{id}_{secret}";

    /// <param name="text">Untrusted.</param>
    /// <param name="id">Which key it would be.</param>
    /// <param name="hash">Of its secret.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out string? id, [NotNullWhen(true)] out byte[]? hash)
    {
        (id, hash) = (null, null);
        if (!Is(text) || text.Length != Prefix.Length + IdLength + 1 + SecretLength || text[Prefix.Length + IdLength] != '_')
        {
            return false;
        }

        id = text.Substring(Prefix.Length, IdLength);
        hash = HashOf(text[^SecretLength..]);
        return true;
    }

    public static byte[] HashOf(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    /// <summary>Whether it counts at all.</summary>
    public bool IsGood(DateTimeOffset now) => !IsRevoked && !(Expires <= now);

    /// <summary>Whether this is its secret. Takes as long either way.</summary>
    public bool Fits(byte[] hash, DateTimeOffset now)
    {
        var isCurrent = CryptographicOperations.FixedTimeEquals(hash, Hash);
        var isPrevious = PreviousHash is not null && CryptographicOperations.FixedTimeEquals(hash, PreviousHash) && PreviousUntil > now;
        return isCurrent || isPrevious;
    }

    private static string NewText(int bytes) => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(bytes));
}
