using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>A public key of the authority.</summary>
/// <param name="Id">Its <c>kid</c>.</param>
/// <param name="Key">What verifies with it.</param>
/// <param name="Algorithms">What it may verify: of what is allowed, what a key of its kind can.</param>
internal sealed record AuthorityKey(string? Id, SecurityKey Key, IReadOnlyList<string> Algorithms)
{
    private const int MinRsaBits = 2_048;
    private const int MaxRsaBits = 8_192;
    private const int MaxKeys = 50;

    /// <summary>Whether it can have signed a token.</summary>
    public bool Fits(TokenForm form) => (form.KeyId is null || form.KeyId == Id) && Algorithms.Contains(form.Algorithm, StringComparer.Ordinal);

    /// <summary>Those of a JSON Web Key Set that can be used. Of what it does not know it says nothing: sets have keys for other purposes too.</summary>
    /// <param name="keySet">The document.</param>
    /// <param name="allowed">The algorithms that are allowed.</param>
    /// <exception cref="FormatException">It is no key set.</exception>
    public static IReadOnlyList<AuthorityKey> ReadAll(JsonElement keySet, IReadOnlyList<string> allowed)
    {
        if (keySet.ValueKind is not JsonValueKind.Object || !keySet.TryGetProperty("keys", out var keys) || keys.ValueKind is not JsonValueKind.Array)
        {
            throw new FormatException("There are no keys in the key set.");
        }

        var read = new List<AuthorityKey>();
        foreach (var json in keys.EnumerateArray().Take(MaxKeys))
        {
            if (TryRead(json, allowed, out var key))
            {
                read.Add(key);
            }
        }

        return read;
    }

    private static bool TryRead(JsonElement json, IReadOnlyList<string> allowed, [NotNullWhen(true)] out AuthorityKey? read)
    {
        read = null;
        try
        {
            if (json.ValueKind is not JsonValueKind.Object || (TextOf(json, "use") ?? "sig") != "sig" || Make(json) is not { } made)
            {
                return false;
            }

            var algorithms = allowed.Where(algorithm => made.Can(algorithm) && (TextOf(json, "alg") ?? algorithm) == algorithm).ToArray();
            Prepare(made.Key, algorithms);
            read = new AuthorityKey(TextOf(json, "kid"), made.Key, algorithms);
            return algorithms.Length > 0;
        }
        catch (Exception exception) when (exception is FormatException or CryptographicException or ArgumentException or InvalidOperationException or NotSupportedException)
        {
            return false;
        }
    }

    private static (SecurityKey Key, Func<string, bool> Can)? Make(JsonElement json) => TextOf(json, "kty") switch
    {
        "RSA" => (MakeRsa(json), static algorithm => algorithm[0] is 'R' or 'P'),
        "EC" => MakeCurve(json),
        // Of symmetric ones above all: what is published is no secret.
        _ => null,
    };

    private static RsaSecurityKey MakeRsa(JsonElement json)
    {
        var rsa = RSA.Create(new RSAParameters { Modulus = BytesOf(json, "n"), Exponent = BytesOf(json, "e") });
        return rsa.KeySize is >= MinRsaBits and <= MaxRsaBits ? new RsaSecurityKey(rsa) : throw new FormatException("The key is too short, or too long.");
    }

    private static (SecurityKey, Func<string, bool>)? MakeCurve(JsonElement json)
    {
        (ECCurve Curve, string Algorithm)? kind = TextOf(json, "crv") switch
        {
            "P-256" => (ECCurve.NamedCurves.nistP256, "ES256"),
            "P-384" => (ECCurve.NamedCurves.nistP384, "ES384"),
            "P-521" => (ECCurve.NamedCurves.nistP521, "ES512"),
            _ => null,
        };
        if (kind is not { } known)
        {
            return null;
        }

        var key = ECDsa.Create(new ECParameters { Curve = known.Curve, Q = new ECPoint { X = BytesOf(json, "x"), Y = BytesOf(json, "y") } });
        return (new ECDsaSecurityKey(key), algorithm => algorithm == known.Algorithm);
    }

    /// <summary>As for the built-in identity's key: what verifies is there before tokens come side by side.</summary>
    private static void Prepare(SecurityKey key, IReadOnlyList<string> algorithms)
    {
        key.CryptoProviderFactory = new CryptoProviderFactory();
        foreach (var algorithm in algorithms)
        {
            key.CryptoProviderFactory.CreateForVerifying(key, algorithm);
        }
    }

    private static byte[] BytesOf(JsonElement json, string name) =>
        Base64Url.DecodeFromChars(TextOf(json, name) ?? throw new FormatException($"The key has no {name}."));

    private static string? TextOf(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
}
