using System.Buffers;
using MessagePack;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections.MessagePack;

/// <summary>Events as the message that the MessagePack hub protocol makes of them, in a WebSocket frame.</summary>
internal static class PackedMessage
{
    private const int InvocationLength = 6;
    private const int MaxLengthBytes = 5;

    /// <param name="events">One or more.</param>
    /// <param name="bytes">About how long they are.</param>
    /// <param name="numbered">With the topics' numbers instead of their names.</param>
    public static byte[] WriteFrame(IReadOnlyList<EncodedEvent> events, int bytes, bool numbered)
    {
        var message = new ArrayBufferWriter<byte>(bytes);
        var writer = new MessagePackWriter(message);
        writer.WriteArrayHeader(InvocationLength);
        writer.Write(HubProtocolConstants.InvocationMessageType);
        // No headers, no invocation id: nobody answers.
        writer.WriteMapHeader(0);
        writer.WriteNil();
        writer.Write(nameof(IRealtimeClient.Events));
        writer.WriteArrayHeader(1);
        writer.WriteArrayHeader(events.Count);
        foreach (var encoded in events)
        {
            PackedEvent.Write(encoded, numbered, ref writer);
        }

        // No streams.
        writer.WriteArrayHeader(0);
        writer.Flush();

        Span<byte> length = stackalloc byte[MaxLengthBytes];
        length = length[..WriteLength(message.WrittenCount, length)];
        return Frames.Make(Opcode.Binary, length, message.WrittenSpan);
    }

    /// <summary>As the hub protocol has it before each message: seven bits a byte, the lowest first.</summary>
    private static int WriteLength(int length, Span<byte> to)
    {
        var written = 0;
        for (; length > 0x7F; length >>= 7)
        {
            to[written++] = (byte)(length | 0x80);
        }

        to[written++] = (byte)length;
        return written;
    }
}
