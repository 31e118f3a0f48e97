using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>Who did it.</summary>
/// <param name="Kind">What the identity is of.</param>
/// <param name="Id">The identity; empty where there is none.</param>
internal readonly record struct AuditActor(string Kind, string Id)
{
    /// <summary>The server itself, or code in its process.</summary>
    public static readonly AuditActor System = new("system", "");

    /// <summary>Whoever it was has not been authenticated.</summary>
    public static readonly AuditActor Unknown = new("unknown", "");

    public static AuditActor User(string id) => new("user", id);

    /// <param name="id">The key's id, never the key.</param>
    public static AuditActor Key(string id) => new("key", id);

    public static AuditActor Of(Caller caller) => caller.IsServer ? System
        : caller.IsService ? Key(caller.UserId[Caller.KeyPrefix.Length..])
        : User(caller.UserId);

    /// <summary><c>user:ada</c>, <c>key:k1</c>, <c>system</c>: no user's name can make it look like another kind.</summary>
    public override string ToString() => string.IsNullOrEmpty(Id) ? Kind : $"{Kind}:{Id}";
}

/// <summary>Where it came from.</summary>
/// <param name="Connection">The connection's id, where there is one.</param>
/// <param name="Range">The range of addresses, never the whole address: <c>203.0.113.0/24</c>, <c>2001:db8:7::/48</c>.</param>
/// <param name="Region">Its region, by the operator's file; it stands among the details.</param>
internal readonly record struct AuditSource(string? Connection = null, string? Range = null, string? Region = null)
{
    private const int Bits4 = 24;
    private const int Bits6 = 48;

    public static AuditSource Of(HttpContext context) => new(Range: RangeOf(context.Connection.RemoteIpAddress), Region: ClientOrigin.Of(context)?.Region);

    public static string? RangeOf(IPAddress? address)
    {
        if (address is null)
        {
            return null;
        }

        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        var bits = plain.AddressFamily is AddressFamily.InterNetwork ? Bits4 : Bits6;
        var bytes = plain.GetAddressBytes();
        bytes.AsSpan(bits / 8).Clear();
        return $"{new IPAddress(bytes)}/{bits}";
    }
}

/// <summary>One security-relevant act: who, what, on what, from where, with which outcome. Never a payload, a token or a secret.</summary>
internal sealed record AuditEntry
{
    /// <summary>The outcome of what was done as it was asked for; else it is an error's code, or a word in its place.</summary>
    public const string Ok = "ok";

    /// <summary>Whose chain has what happens before anybody is authenticated.</summary>
    public const string NoTenant = Caller.DefaultTenant;

    private const int MaxLength = 256;

    private static readonly SearchValues<char> Unsuitable =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Append(0x7F).Concat(Enumerable.Range(0xD800, 0x800)).Select(code => (char)code)]);

    private static readonly JsonSerializerOptions Plain = new(JsonSerializerOptions.Default);

    /// <summary>Tells an entry that is written again, because the first answer was lost, from a second one.</summary>
    public Guid Id { get; init; }

    public required DateTimeOffset At { get; init; }

    public required AuditAction Action { get; init; }

    public required string Tenant { get; init; }

    public required AuditActor Actor { get; init; }

    /// <summary>What it was done to.</summary>
    public string? Target { get; init; }

    /// <summary>The outcome.</summary>
    public string Code { get; init; } = Ok;

    public AuditSource Source { get; init; }

    /// <summary>How many of the same it stands for.</summary>
    public long Count { get; init; } = 1;

    /// <summary>A few small facts more.</summary>
    public IReadOnlyList<(string Name, string Value)> Details { get; init; } = [];

    /// <summary>The details as rows keep them: an object of strings; null where there are none.</summary>
    public string? DetailsJson() => Details.Count == 0
        ? null
        : JsonSerializer.Serialize(Details.DistinctBy(detail => detail.Name).ToDictionary(detail => detail.Name, detail => Clean(detail.Value), StringComparer.Ordinal), Plain);

    /// <summary>Text of a client's making, as a database takes it and a reader's terminal bears it.</summary>
    public static string Clean(string text)
    {
        var cut = text.Length > MaxLength ? $"{text.AsSpan(0, MaxLength - 1)}…" : text;
        if (!cut.AsSpan().ContainsAny(Unsuitable))
        {
            return cut;
        }

        var clean = new StringBuilder(cut.Length);
        foreach (var rune in cut.EnumerateRunes())
        {
            clean.Append(Rune.IsControl(rune) ? Rune.ReplacementChar.ToString() : rune.ToString());
        }

        return clean.ToString();
    }
}
