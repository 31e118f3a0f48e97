using System.Security.Cryptography;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>A public key that counts. Made into one to verify with when it is first needed.</summary>
internal sealed class SigningKey(SigningJwk jwk)
{
    private readonly Lock _lock = new();

    // Under the lock: nobody promises that a key may be used by two at once.
    private ECDsa? _key;

    /// <param name="text">What was signed.</param>
    /// <param name="signature">r and s.</param>
    public bool Verifies(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature)
    {
        lock (_lock)
        {
            _key ??= jwk.ToKey();
            return _key.VerifyData(text, signature, HashAlgorithmName.SHA256);
        }
    }
}
