using System.Buffers.Binary;
using System.Text;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>Frames as clients write them, right or wrong.</summary>
internal static class ClientFrames
{
    private static readonly byte[] Mask = [0x37, 0xfa, 0x21, 0x3d];

    public static byte[] Of(Opcode opcode, ReadOnlySpan<byte> payload, bool final = true) => Of((final ? 0x80 : 0) | (int)opcode, payload);

    public static byte[] Text(string text, bool final = true) => Of(Opcode.Text, Encoding.UTF8.GetBytes(text), final);

    public static byte[] Close(int code, string reason = "") => Of(Opcode.Close, [(byte)(code >> 8), (byte)code, .. Encoding.UTF8.GetBytes(reason)]);

    /// <param name="first">The first byte, as it is.</param>
    /// <param name="payload">What is in it.</param>
    /// <param name="lengthBytes">How its length is written, where not in the shortest form: 0, 2 or 8 bytes.</param>
    public static byte[] Of(int first, ReadOnlySpan<byte> payload, int? lengthBytes = null)
    {
        var extended = lengthBytes ?? (payload.Length < 126 ? 0 : payload.Length <= ushort.MaxValue ? 2 : 8);
        var frame = new byte[2 + extended + Mask.Length + payload.Length];
        frame[0] = (byte)first;
        switch (extended)
        {
            case 0:
                frame[1] = (byte)(0x80 | payload.Length);
                break;
            case 2:
                frame[1] = 0x80 | 126;
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
                break;
            default:
                frame[1] = 0x80 | 127;
                BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(2), payload.Length);
                break;
        }

        Mask.CopyTo(frame, 2 + extended);
        for (var i = 0; i < payload.Length; i++)
        {
            frame[2 + extended + Mask.Length + i] = (byte)(payload[i] ^ Mask[i % Mask.Length]);
        }

        return frame;
    }
}
