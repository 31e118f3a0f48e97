using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>
/// Which region an address is of: ranges that do not overlap, in order. Looking up is a search among their beginnings, and makes nothing.
/// </summary>
internal sealed class RegionMap
{
    public static readonly RegionMap Empty = new([], []);

    // Of each the region holds up to where the next begins; null: none.
    private readonly UInt128[] _starts;
    private readonly string?[] _regions;

    private RegionMap(UInt128[] starts, string?[] regions) => (_starts, _regions) = (starts, regions);

    /// <summary>The names that there are.</summary>
    public IReadOnlySet<string> Names => _regions.OfType<string>().ToHashSet(StringComparer.Ordinal);

    /// <summary>The region of the narrowest range that has the address; null: none has it.</summary>
    public string? Of(IPAddress? address)
    {
        if (address is null || _starts.Length == 0)
        {
            return null;
        }

        var at = Array.BinarySearch(_starts, ValueOf(address));
        at = at < 0 ? ~at - 1 : at;
        return at < 0 ? null : _regions[at];
    }

    /// <summary>Of ranges in any order, one inside another or apart; none twice.</summary>
    public static RegionMap From(IEnumerable<RegionRange> ranges)
    {
        var (starts, regions) = (new List<UInt128>(), new List<string?>());
        var open = new Stack<RegionRange>();
        foreach (var range in ranges.OrderBy(range => range.First).ThenBy(range => range.Bits))
        {
            Close(range.First);
            Begin(range.First, range.Region);
            open.Push(range);
        }

        Close(null);
        return new RegionMap([.. starts], [.. regions]);

        // Behind a range that is over the one around it goes on.
        void Close(UInt128? before)
        {
            while (open.TryPeek(out var over) && (before is null || over.Last < before))
            {
                open.Pop();
                if (over.Last < UInt128.MaxValue)
                {
                    Begin(over.Last + 1, open.TryPeek(out var around) ? around.Region : null);
                }
            }
        }

        void Begin(UInt128 first, string? region)
        {
            if (starts.Count > 0 && starts[^1] == first)
            {
                regions[^1] = region;
            }
            else
            {
                starts.Add(first);
                regions.Add(region);
            }
        }
    }

    /// <summary>IPv4 stands in IPv6 as <c>::ffff:0:0/96</c>.</summary>
    public static UInt128 ValueOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (address.AddressFamily is AddressFamily.InterNetwork)
        {
            bytes[10] = bytes[11] = 0xFF;
            address.TryWriteBytes(bytes[12..], out _);
        }
        else
        {
            address.TryWriteBytes(bytes, out _);
        }

        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}

/// <summary>Addresses of a region.</summary>
/// <param name="First">The first.</param>
/// <param name="Bits">How many bits of 128 they share.</param>
/// <param name="Region">Its name.</param>
internal readonly record struct RegionRange(UInt128 First, int Bits, string Region)
{
    public UInt128 Last => Bits == 128 ? First : First | (UInt128.MaxValue >> Bits);
}

/// <summary>
/// The operator's file of regions: lines <c>cidr,region</c>, or objects <c>{ "cidr": …, "region": … }</c>; empty lines and those that begin with
/// <c>#</c> say nothing.
/// </summary>
internal static class RegionFile
{
    private const int MaxNameLength = 64;
    private const int MappedBits = 96;

    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <exception cref="FormatException">What is wrong, as <c>file:line: sentence</c>.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static RegionMap Read(string path) => Read(File.ReadLines(path), path);

    /// <inheritdoc cref="Read(string)"/>
    public static RegionMap Read(IEnumerable<string> lines, string name)
    {
        var ranges = new Dictionary<(UInt128, int), RegionRange>();
        foreach (var (index, line) in lines.Index())
        {
            var text = line.Trim();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }

            try
            {
                var range = ToRange(text);
                if (!ranges.TryAdd((range.First, range.Bits), range))
                {
                    throw new FormatException("this range is there already.");
                }
            }
            catch (FormatException exception)
            {
                throw new FormatException($"{name}:{index + 1}: {exception.Message}", exception);
            }
        }

        return RegionMap.From(ranges.Values);
    }

    private static RegionRange ToRange(string text)
    {
        var (cidr, region) = text[0] == '{' ? ReadObject(text) : text.Split(',') is [var first, var second] ? (first.Trim(), second.Trim()) : throw new FormatException("a line is cidr,region.");
        if (region is not { Length: > 0 and <= MaxNameLength } || region.AsSpan().ContainsAnyExcept(NameCharacters))
        {
            throw new FormatException($"'{region}' is no region: 1 to {MaxNameLength} of letters, digits and . _ -.");
        }

        var slash = cidr.IndexOf('/', StringComparison.Ordinal);
        var isAddress = IPAddress.TryParse(slash < 0 ? cidr : cidr.AsSpan(0, slash), out var address);
        var most = isAddress && address!.AddressFamily is AddressFamily.InterNetwork ? 32 : 128;
        var bits = most;
        if (!isAddress || (slash >= 0 && (!int.TryParse(cidr.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out bits) || bits > most)))
        {
            throw new FormatException($"'{cidr}' is no range of addresses, as 203.0.113.0/24 and 2001:db8::/32 are.");
        }

        var range = new RegionRange(RegionMap.ValueOf(address!), most == 32 ? MappedBits + bits : bits, region);
        return range.Bits == 128 || (range.First & (UInt128.MaxValue >> range.Bits)) == UInt128.Zero
            ? range
            : throw new FormatException($"'{cidr}' has bits behind its first {bits}.");
    }

    private static (string Cidr, string Region) ReadObject(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return (TextOf("cidr"), TextOf("region"));

            string TextOf(string name) => json.RootElement.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String
                ? value.GetString()!
                : throw new FormatException($"the object has no text '{name}'.");
        }
        catch (JsonException exception)
        {
            throw new FormatException("the line is no JSON object.", exception);
        }
    }
}
