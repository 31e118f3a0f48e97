using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>
/// Proofs of work. A challenge is <c>end.bits.random.mac</c>: what it asks for and whose it is stands in it under a MAC, so nothing is kept
/// of it, and every node takes the answer to every other's. The answer is the challenge, a dot and 1 to 32 of <c>A-Z a-z 0-9 _ -</c> of
/// the client's choice, so that the SHA-256 of all that begins with so many zero bits. Each counts once on a node.
/// </summary>
internal sealed class Challenges(SignalSecret secret, IOptions<RealtimeOptions> options, TimeProvider time)
{
    public const string Header = "Realtime-Proof";
    public const string Query = "proof";

    private const int MacBytes = 16;
    private const int RandomBytes = 8;
    private const int Parts = 5;
    private const int MaxLength = 200;
    private const int MaxAnswerLength = 32;

    private static readonly SearchValues<char> AnswerCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    private readonly SignalOptions _options = options.Value.Signals;
    private readonly Lazy<byte[]> _key = new(() => secret.Derive("challenge"));
    private readonly UsedProofs _used = new();

    /// <summary>A challenge for what looks like one client.</summary>
    public string Make(Fingerprint client)
    {
        Span<byte> random = stackalloc byte[RandomBytes];
        RandomNumberGenerator.Fill(random);
        var end = time.GetUtcNow().ToUnixTimeSeconds() + _options.ProofSeconds;
        var asked = string.Create(CultureInfo.InvariantCulture, $"{end}.{_options.ProofBits}.{Convert.ToHexStringLower(random)}");
        return $"{asked}.{MacOf(asked, client)}";
    }

    /// <summary>Whether it proves the work that the client was asked for.</summary>
    /// <param name="proof">Untrusted.</param>
    /// <param name="client">Who sends it.</param>
    /// <param name="former">The same by the salt before, with which it may have been asked.</param>
    /// <param name="takes">Whether it does not count any more after this.</param>
    public bool IsProven(string? proof, Fingerprint client, Fingerprint former, bool takes)
    {
        if (proof is not { Length: > 0 and <= MaxLength }
            || proof.Split('.') is not { Length: Parts } parts
            || parts[4] is not { Length: > 0 and <= MaxAnswerLength } answer
            || answer.AsSpan().ContainsAnyExcept(AnswerCharacters)
            || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var bits)
            || end < time.GetUtcNow().ToUnixTimeSeconds())
        {
            return false;
        }

        var asked = $"{parts[0]}.{parts[1]}.{parts[2]}";
        return (IsMac(parts[3], asked, client) || IsMac(parts[3], asked, former))
            && ZeroBitsOf(proof) >= bits
            && _used.IsNew(parts[2], end, time.GetUtcNow().ToUnixTimeSeconds(), takes);
    }

    /// <summary>With how many zero bits the hash of a proof begins.</summary>
    public static int ZeroBitsOf(string proof)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(proof), hash);
        var zeros = 0;
        foreach (var part in hash)
        {
            if (part != 0)
            {
                return zeros + BitOperations.LeadingZeroCount(part) - 24;
            }

            zeros += 8;
        }

        return zeros;
    }

    private bool IsMac(string mac, string asked, Fingerprint client) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(mac), Encoding.UTF8.GetBytes(MacOf(asked, client)));

    private string MacOf(string asked, Fingerprint client) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(_key.Value, Encoding.UTF8.GetBytes($"{asked}\n{client}")).AsSpan(0, MacBytes));
}

/// <summary>Which proofs have been used, until they would not count any more. Past its room the oldest are forgotten, and might count twice.</summary>
internal sealed class UsedProofs
{
    private const int Capacity = 50_000;

    private readonly Lock _lock = new();

    // Under the lock. Of the older ones none lasts beyond the end.
    private HashSet<string> _new = new(StringComparer.Ordinal);
    private HashSet<string> _old = new(StringComparer.Ordinal);
    private long _lastEnd;
    private long _oldEnd;

    public bool IsNew(string name, long end, long now, bool takes)
    {
        lock (_lock)
        {
            if (_new.Contains(name) || _old.Contains(name))
            {
                return false;
            }

            if (!takes)
            {
                return true;
            }

            if (_new.Count >= Capacity || now > _oldEnd)
            {
                (_old, _new, _oldEnd) = (_new, _old, _lastEnd);
                _new.Clear();
            }

            _lastEnd = Math.Max(_lastEnd, end);
            return _new.Add(name);
        }
    }
}
