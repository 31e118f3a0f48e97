using System.Buffers.Binary;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// An event between nodes: <c>version (1) · node (8) · offset (8) · epoch (1 + n) · traceparent (1 + n) · the event's JSON</c>, numbers little endian.
/// </summary>
internal static class BackplaneMessage
{
    /// <summary>Nodes of two releases run side by side during an upgrade; a message of an unknown version is left to the log.</summary>
    public const byte Version = 1;

    private const int NumbersLength = 1 + sizeof(long) + sizeof(long);
    private const int FixedLength = NumbersLength + 1 + 1;

    /// <param name="encoded">The event.</param>
    /// <param name="node">Who sends it.</param>
    public static byte[] Write(EncodedEvent encoded, long node)
    {
        var epoch = encoded.Position.Epoch;
        var trace = encoded.TraceParent ?? "";
        var message = new byte[FixedLength + epoch.Length + trace.Length + encoded.Json.Length];
        message[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(message.AsSpan(1), node);
        BinaryPrimitives.WriteInt64LittleEndian(message.AsSpan(1 + sizeof(long)), encoded.Position.Offset);
        var rest = WriteText(message.AsSpan(NumbersLength), epoch);
        rest = WriteText(rest, trace);
        encoded.Json.Span.CopyTo(rest);
        return message;
    }

    /// <summary>Null: the reader's own, which its feed has had directly; another version, or no message at all.</summary>
    public static EncodedEvent? Read(TopicKey topic, ReadOnlyMemory<byte> message, long node, out bool isOwn)
    {
        isOwn = false;
        if (message.Length < FixedLength || message.Span[0] != Version)
        {
            return null;
        }

        isOwn = BinaryPrimitives.ReadInt64LittleEndian(message.Span[1..]) == node;
        var offset = BinaryPrimitives.ReadInt64LittleEndian(message.Span[(1 + sizeof(long))..]);
        var rest = message[NumbersLength..];
        if (isOwn || !TryReadText(ref rest, out var epoch) || !TryReadText(ref rest, out var trace) || rest.IsEmpty || offset < 1)
        {
            return null;
        }

        return new EncodedEvent
        {
            Topic = topic,
            Position = new Position(epoch, offset),
            TraceParent = trace.Length == 0 ? null : trace,
            Json = rest,
        };
    }

    private static Span<byte> WriteText(Span<byte> target, string text)
    {
        target[0] = checked((byte)text.Length);
        Encoding.ASCII.GetBytes(text, target[1..]);
        return target[(1 + text.Length)..];
    }

    private static bool TryReadText(ref ReadOnlyMemory<byte> rest, out string text)
    {
        text = "";
        if (rest.IsEmpty || rest.Length < 1 + rest.Span[0])
        {
            return false;
        }

        var length = rest.Span[0];
        text = Encoding.ASCII.GetString(rest.Span.Slice(1, length));
        rest = rest[(1 + length)..];
        return true;
    }
}
