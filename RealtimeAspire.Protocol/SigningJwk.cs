using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Protocol;

/// <summary>A public key of ECDSA over P-256, as a JSON Web Key (RFC 7517).</summary>
/// <param name="Kty">The kind, <c>EC</c>.</param>
/// <param name="Crv">The curve, <c>P-256</c>.</param>
/// <param name="X">The point's x, 32 bytes in base64url.</param>
/// <param name="Y">The point's y.</param>
public sealed record SigningJwk(string Kty, string Crv, string X, string Y)
{
    private const string Kind = "EC";
    private const string CurveName = "P-256";
    private const string CurveId = "1.2.840.10045.3.1.7";
    private const int CoordinateBytes = 32;

    /// <summary>How many characters the name of a key has.</summary>
    public const int KeyIdLength = 43;

    /// <summary>The bytes of a signature: r and s.</summary>
    public const int SignatureBytes = 64;

    /// <summary>The public half of a key.</summary>
    /// <param name="key">A key on P-256.</param>
    /// <exception cref="FormatException">It is of another curve.</exception>
    public static SigningJwk Of(ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var parameters = key.ExportParameters(includePrivateParameters: false);
        return parameters.Curve.Oid?.Value == CurveId || parameters.Curve.Oid?.FriendlyName == ECCurve.NamedCurves.nistP256.Oid.FriendlyName
            ? new SigningJwk(Kind, CurveName, Base64Url.EncodeToString(parameters.Q.X), Base64Url.EncodeToString(parameters.Q.Y))
            : throw new FormatException("The key is not on P-256.");
    }

    /// <summary>A key out of its point, as <see cref="ToBytes"/> gives it.</summary>
    /// <param name="point">x and y, 32 bytes each.</param>
    public static SigningJwk FromBytes(ReadOnlySpan<byte> point) =>
        new(Kind, CurveName, Base64Url.EncodeToString(point[..CoordinateBytes]), Base64Url.EncodeToString(point[CoordinateBytes..]));

    /// <summary>Reads a public JSON Web Key.</summary>
    /// <param name="jwk">Untrusted.</param>
    /// <exception cref="FormatException">It is no public key on P-256.</exception>
    public static SigningJwk Read(JsonElement jwk)
    {
        if (jwk.ValueKind is not JsonValueKind.Object)
        {
            throw new FormatException("A JSON Web Key is an object.");
        }

        if (jwk.TryGetProperty("d", out _))
        {
            throw new FormatException("This is a private key: keep it, and send its public half.");
        }

        var key = new SigningJwk(Text("kty"), Text("crv"), Text("x"), Text("y"));
        using (key.ToKey())
        {
            return key;
        }

        string Text(string name)
        {
            try
            {
                return jwk.TryGetProperty(name, out var member) && member.ValueKind is JsonValueKind.String
                    ? member.GetString()!
                    : throw new FormatException($"The JSON Web Key has no {name}.");
            }
            // Bytes that are no UTF-8, or half of a surrogate pair.
            catch (InvalidOperationException exception)
            {
                throw new FormatException($"The JSON Web Key's {name} is no text.", exception);
            }
        }
    }

    /// <summary>Reads a public key as SubjectPublicKeyInfo.</summary>
    /// <param name="spki">Untrusted: DER in base64.</param>
    /// <exception cref="FormatException">It is no public key on P-256.</exception>
    public static SigningJwk ReadSpki(string spki)
    {
        ArgumentNullException.ThrowIfNull(spki);
        var der = Convert.FromBase64String(spki);
        using var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(der, out var read);
            return read == der.Length ? Of(key) : throw new FormatException("Something follows the key.");
        }
        catch (CryptographicException exception)
        {
            throw new FormatException("This is no public key on P-256.", exception);
        }
    }

    /// <summary>The key's name: the base64url of the SHA-256 of its members in order (RFC 7638).</summary>
    public string ToKeyId() =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($$"""{"crv":"{{Crv}}","kty":"{{Kty}}","x":"{{X}}","y":"{{Y}}"}""")));

    /// <summary>x and y, 32 bytes each.</summary>
    public byte[] ToBytes() => [.. Base64Url.DecodeFromChars(X), .. Base64Url.DecodeFromChars(Y)];

    /// <summary>The key to verify with; its owner disposes it.</summary>
    /// <exception cref="FormatException">It is no key on P-256.</exception>
    public ECDsa ToKey()
    {
        if (Kty != Kind || Crv != CurveName)
        {
            throw new FormatException("Keys are of the kind EC on the curve P-256.");
        }

        try
        {
            return ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = Coordinate(X), Y = Coordinate(Y) } });
        }
        catch (CryptographicException exception)
        {
            throw new FormatException("This is no point of P-256.", exception);
        }
    }

    /// <summary>Whether it has made this signature of the text.</summary>
    /// <param name="text">What was signed, as <see cref="SignedText"/> gives it.</param>
    /// <param name="signature">64 bytes in base64url.</param>
    /// <exception cref="FormatException">The key is none on P-256.</exception>
    public bool Verifies(ReadOnlySpan<byte> text, string signature)
    {
        Span<byte> bytes = stackalloc byte[SignatureBytes];
        using var key = ToKey();
        return TryReadSignature(signature, bytes) && key.VerifyData(text, bytes, HashAlgorithmName.SHA256);
    }

    /// <summary>Reads a signature: 64 bytes in strict base64url without padding.</summary>
    /// <param name="signature">Untrusted.</param>
    /// <param name="bytes">64 bytes.</param>
    public static bool TryReadSignature(string? signature, Span<byte> bytes) =>
        // Of several texts for the same bytes only the one counts.
        signature is not null
        && Base64Url.DecodeFromChars(signature, bytes, out _, out var written) is OperationStatus.Done
        && written == SignatureBytes
        && Base64Url.EncodeToString(bytes[..written]) == signature;

    private static byte[] Coordinate(string text)
    {
        var bytes = Base64Url.DecodeFromChars(text);
        return bytes.Length == CoordinateBytes && Base64Url.EncodeToString(bytes) == text ? bytes : throw new FormatException("A coordinate is 32 bytes in base64url without padding.");
    }
}
