using System.Net;
using System.Net.Sockets;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>Addresses that are taken for one: whoever has one of them has mostly all of them.</summary>
/// <param name="First">The first of them.</param>
/// <param name="PrefixLength">How many bits they share.</param>
internal readonly record struct AddressRange(UInt128 First, int PrefixLength)
{
    private const int Bits = 128;
    private const int V4Offset = 96;

    // ::ffff:0:0/96, where IPv4 is in IPv6.
    private static readonly UInt128 V4 = (UInt128)0xFFFF << 32;

    /// <param name="address">Null where the transport has none: all of those are one range.</param>
    /// <param name="v4PrefixLength">Of IPv4, 1 to 32.</param>
    /// <param name="v6PrefixLength">Of IPv6, 1 to 128.</param>
    public static AddressRange Of(IPAddress? address, int v4PrefixLength, int v6PrefixLength)
    {
        if (address is null)
        {
            return default;
        }

        Span<byte> bytes = stackalloc byte[16];
        var isV4 = address.AddressFamily is AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6;
        address.MapToIPv6().TryWriteBytes(bytes, out _);
        var length = isV4 ? V4Offset + v4PrefixLength : v6PrefixLength;
        var value = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return new AddressRange(value & ~(length == Bits ? UInt128.Zero : UInt128.MaxValue >> length), length);
    }

    /// <summary>As <c>203.0.113.7/32</c>.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, First);
        return PrefixLength >= V4Offset && First >> 32 == V4 >> 32
            ? $"{new IPAddress(bytes[12..])}/{PrefixLength - V4Offset}"
            : $"{new IPAddress(bytes)}/{PrefixLength}";
    }
}
