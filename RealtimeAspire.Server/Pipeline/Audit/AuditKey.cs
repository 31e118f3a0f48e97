using System.Security.Cryptography;
using System.Text;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>What rows are chained and checkpoints are signed with (HMAC-SHA256). The database never sees it.</summary>
internal sealed class AuditKey
{
    private const int IdBytes = 6;

    private readonly byte[] _key;

    private AuditKey(byte[] key) => (_key, Id) = (key, Convert.ToHexStringLower(HMACSHA256.HashData(key, "realtime audit key id"u8).AsSpan(0, IdBytes)));

    /// <summary>Stands in each row and checkpoint. It follows from the key and tells nothing about it.</summary>
    public string Id { get; }

    /// <param name="text">32 bytes or more as UTF-8.</param>
    public static AuditKey From(string text) => new(Encoding.UTF8.GetBytes(text));

    /// <summary>The key of a node in development that has none of its own.</summary>
    /// <param name="signingKey">The key that signs tokens.</param>
    public static AuditKey Derive(string signingKey) => new(HKDF.DeriveKey(
        HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(signingKey), AuditOptions.MinKeyBytes, info: "realtime audit key"u8.ToArray()));

    public static AuditKey Of(RealtimeOptions options) =>
        string.IsNullOrEmpty(options.Audit.Key) ? Derive(options.Auth.SigningKey) : From(options.Audit.Key);

    public byte[] Sign(ReadOnlySpan<byte> form) => HMACSHA256.HashData(_key, form);

    public bool Verifies(ReadOnlySpan<byte> form, ReadOnlySpan<byte> signature) => CryptographicOperations.FixedTimeEquals(Sign(form), signature);
}
