using System.Buffers.Binary;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>What a frame carries (RFC 6455, 5.2).</summary>
internal enum Opcode
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>Writes frames of RFC 6455 as a server does: whole and not masked, so that one buffer serves all clients.</summary>
internal static class Frames
{
    /// <summary>Room for the longest header of a frame.</summary>
    public const int MaxHeader = 10;

    private const int ExtendedTo16Bits = 126;
    private const int ExtendedTo64Bits = 127;

    /// <summary>How long the header of a frame with so many bytes is.</summary>
    public static int HeaderLength(int payload) => payload < ExtendedTo16Bits ? 2 : payload <= ushort.MaxValue ? 4 : MaxHeader;

    /// <summary>Writes a header of <see cref="HeaderLength"/> bytes.</summary>
    public static void WriteHeader(Span<byte> header, Opcode opcode, int payload)
    {
        header[0] = (byte)(0x80 | (int)opcode);
        switch (header.Length)
        {
            case 2:
                header[1] = (byte)payload;
                break;
            case 4:
                header[1] = ExtendedTo16Bits;
                BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)payload);
                break;
            default:
                header[1] = ExtendedTo64Bits;
                BinaryPrimitives.WriteInt64BigEndian(header[2..], payload);
                break;
        }
    }

    public static byte[] Make(Opcode opcode, ReadOnlySpan<byte> payload) => Make(opcode, payload, []);

    /// <summary>With a payload in two parts.</summary>
    public static byte[] Make(Opcode opcode, ReadOnlySpan<byte> start, ReadOnlySpan<byte> rest)
    {
        var payload = start.Length + rest.Length;
        var length = HeaderLength(payload);
        var frame = new byte[length + payload];
        WriteHeader(frame.AsSpan(0, length), opcode, payload);
        start.CopyTo(frame.AsSpan(length));
        rest.CopyTo(frame.AsSpan(length + start.Length));
        return frame;
    }

    public static byte[] MakeClose(CloseCode code) => Make(Opcode.Close, [(byte)((int)code >> 8), (byte)code]);
}
