using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Signals;

/// <summary>
/// What looks like one client: a hash over its range of addresses and the traits it shows, with a salt that changes. Nothing can be read
/// back from it, and nothing links one salt's to the next's.
/// </summary>
internal readonly record struct Fingerprint(ulong Value)
{
    public bool IsKnown => Value != 0;

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}

/// <summary>
/// What all nodes have in common and nobody else has: the audit key, else the key that signs tokens. Where there is neither, it is this
/// process's own, and what one node calls a client means nothing to another.
/// </summary>
internal sealed class SignalSecret
{
    private const int Bytes = 32;

    private readonly byte[] _key;

    public SignalSecret(IOptions<RealtimeOptions> options)
    {
        var text = TextOf(options.Value);
        (_key, IsShared) = text is null ? (RandomNumberGenerator.GetBytes(Bytes), false) : (Encoding.UTF8.GetBytes(text), true);
    }

    public bool IsShared { get; }

    public static string? TextOf(RealtimeOptions options) => options switch
    {
        { Audit.Key: { Length: > 0 } audit } => audit,
        { Auth.SigningKey: { Length: > 0 } signing } => signing,
        _ => null,
    };

    /// <summary>A key for one purpose; from it neither the secret nor another one can be told.</summary>
    public byte[] Derive(string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, Bytes, info: Encoding.UTF8.GetBytes($"realtime signals {purpose}"));
}

/// <summary>Makes fingerprints.</summary>
internal sealed class Fingerprints(SignalSecret secret, IOptions<RealtimeOptions> options, TimeProvider time)
{
    // What a client may choose at will need not be long to be told apart.
    private const int MaxTraitLength = 256;

    private readonly long _salted = TimeSpan.FromHours(options.Value.Signals.SaltHours).Ticks;
    // Two that come at once make the same one twice.
    private Salt? _salt;
    private Salt? _former;

    /// <summary>By the salt of now.</summary>
    public Fingerprint Of(HttpContext context, string range) => Of(context, range, SaltOf(ref _salt, Period));

    /// <summary>By the salt before it: what was decided then holds until its time is over.</summary>
    public Fingerprint FormerOf(HttpContext context, string range) => Of(context, range, SaltOf(ref _former, Period - 1));

    private long Period => time.GetUtcNow().UtcTicks / _salted;

    /// <summary>
    /// Not the HTTP version: a browser comes with two of them to one server, for requests and for WebSockets. No time either: what can be
    /// measured here is the network's, and differs from one connection to the next.
    /// </summary>
    private static Fingerprint Of(HttpContext context, string range, Salt salt)
    {
        var headers = context.Request.Headers;
        var tls = context.Features.Get<ITlsHandshakeFeature>();
        var traits = $"{range}\n{Cut(headers.UserAgent.ToString())}\n{Cut(headers.AcceptLanguage.ToString())}\n{tls?.Protocol}\n{tls?.NegotiatedCipherSuite}";
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(salt.Key, Encoding.UTF8.GetBytes(traits), hash);
        return new Fingerprint(BinaryPrimitives.ReadUInt64BigEndian(hash));
    }

    private static string Cut(string trait) => trait.Length <= MaxTraitLength ? trait : trait[..MaxTraitLength];

    private Salt SaltOf(ref Salt? kept, long period)
    {
        var salt = kept;
        return salt?.Period == period ? salt : kept = new Salt(period, secret.Derive($"salt {period}"));
    }

    private sealed record Salt(long Period, byte[] Key);
}

/// <summary>Where a request, and the connection that it opens, comes from.</summary>
internal sealed class ClientOrigin(string range, string? region, Fingerprint fingerprint, Fingerprint former)
{
    private const int Bits4 = 24;
    private const int Bits6 = 48;

    private string? _fingerprint;
    private string? _former;

    /// <summary>The range of addresses, <c>203.0.113.0/24</c>, <c>2001:db8:7::/48</c>.</summary>
    public string Range => range;

    /// <summary>Its region, by the operator's file; null where it has none.</summary>
    public string? Region => region;

    /// <summary>What looks like one client; not known where nobody needs it.</summary>
    public Fingerprint Fingerprint => fingerprint;

    /// <summary>The same by the salt before; known while something is done about anybody.</summary>
    public Fingerprint Former => former;

    /// <summary>How many its connects count as.</summary>
    public int Cost { get; set; } = 1;

    /// <summary>Whether the request has proven that it has done the work that was asked for.</summary>
    public bool HasProof { get; set; }

    // Two that come at once make the same.
    public SignalSubject OfFingerprint => new(SubjectKind.Fingerprint, AuditEntry.NoTenant, _fingerprint ??= fingerprint.ToString());

    public SignalSubject OfFormer => new(SubjectKind.Fingerprint, AuditEntry.NoTenant, _former ??= former.ToString());

    public SignalSubject OfRange => new(SubjectKind.Range, AuditEntry.NoTenant, range);

    /// <summary>Null: nobody has looked.</summary>
    public static ClientOrigin? Of(HttpContext? context) => context?.Features.Get<ClientOrigin>();

    public static string RangeOf(System.Net.IPAddress? address) => address is null ? "" : AddressRange.Of(address, Bits4, Bits6).ToString();
}
