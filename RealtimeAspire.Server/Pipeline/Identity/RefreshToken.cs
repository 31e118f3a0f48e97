using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>
/// What a client has of its sign-in: 256 bits that nobody else knows. The next one follows from it by the server's key, so that whoever asks twice is
/// answered twice the same without anything being kept; see <c>docs/decisions/0019-identity.md</c>.
/// </summary>
internal sealed record RefreshToken(string Handle, string Secret)
{
    private const string Prefix = "rt_";
    private const int HandleBytes = 15;
    private const int SecretBytes = 32;
    private const int HandleLength = 20;
    private const int SecretLength = 43;
    private const int IdLength = 22;

    /// <summary>Which sign-in it is of; this may be known, the handle and the secret not.</summary>
    public string SignInId => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(Handle)))[..IdLength];

    /// <summary>What is kept of it.</summary>
    public byte[] Hash => SHA256.HashData(Encoding.UTF8.GetBytes(Secret));

    public static RefreshToken Make() => new(NewText(HandleBytes), NewText(SecretBytes));

    /// <param name="text">Untrusted.</param>
    /// <param name="token">What it says.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out RefreshToken? token)
    {
        token = text is { Length: 3 + HandleLength + 1 + SecretLength } && text.StartsWith(Prefix, StringComparison.Ordinal) && text[Prefix.Length + HandleLength] == '_'
            ? new RefreshToken(text.Substring(Prefix.Length, HandleLength), text[^SecretLength..])
            : null;
        return token is not null;
    }

    /// <param name="signingKey">The server's secret.</param>
    public RefreshToken Next(string signingKey)
    {
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(signingKey), SecretBytes, info: "realtime refresh tokens"u8.ToArray());
        return this with { Secret = Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{Handle}.{Secret}"))) };
    }

    public override string ToString() => $"{Prefix}{Handle}_{Secret}";

    private static string NewText(int bytes) => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(bytes));
}
