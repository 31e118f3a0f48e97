using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// An event between nodes: <c>version (1) · kind (1) · node (8)</c>, and then by kind, numbers little endian:
/// <list type="bullet">
/// <item>0, an event of a log: <c>offset (8) · epoch (1 + n) · traceparent (1 + n) · the event's JSON</c></item>
/// <item>1, an event as the script in Redis that appended it tells of it: <c>offset " " milliseconds " " epoch "\n"</c> as text, and the body of <see cref="RedisEventCodec"/></item>
/// <item>2, an ephemeral event: <c>traceparent (1 + n) · the event's JSON</c></item>
/// <item>3, as 1, of an event that is signed: its signature, JSON, and <c>"\n"</c> stand before the body</item>
/// </list>
/// </summary>
internal static class BackplaneMessage
{
    /// <summary>Nodes of two releases run side by side during an upgrade; a message of an unknown version or kind is left to the log.</summary>
    public const byte Version = 1;

    private const byte LoggedKind = 0;
    private const byte AppendedKind = 1;
    private const byte EphemeralKind = 2;
    private const byte SignedKind = 3;
    private const int HeaderLength = 1 + 1 + sizeof(long);

    /// <summary>The channel of a topic's events.</summary>
    public static string ChannelOf(TopicKey topic) => $"realtime:{topic.Tenant}:events:{topic.Name.Value}";

    /// <summary>What the script that appends an event begins its message with.</summary>
    public static byte[] HeaderOfAppended(NodeId node, bool isSigned = false)
    {
        var header = new byte[HeaderLength];
        WriteHeader(header, isSigned ? SignedKind : AppendedKind, node.Value);
        return header;
    }

    /// <param name="encoded">The event.</param>
    /// <param name="node">Who sends it.</param>
    public static byte[] Write(EncodedEvent encoded, long node)
    {
        var epoch = encoded.Position.Epoch;
        var trace = encoded.TraceParent ?? "";
        var position = encoded.IsEphemeral ? 0 : sizeof(long) + 1 + epoch.Length;
        var message = new byte[HeaderLength + position + 1 + trace.Length + encoded.Json.Length];
        WriteHeader(message, encoded.IsEphemeral ? EphemeralKind : LoggedKind, node);
        var rest = message.AsSpan(HeaderLength);
        if (!encoded.IsEphemeral)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, encoded.Position.Offset);
            rest = WriteText(rest[sizeof(long)..], epoch);
        }

        rest = WriteText(rest, trace);
        encoded.Json.Span.CopyTo(rest);
        return message;
    }

    /// <summary>Null: the reader's own, which its feed has had directly; another version or kind, or no message at all.</summary>
    public static EncodedEvent? Read(TopicKey topic, ReadOnlyMemory<byte> message, long node, out bool isOwn)
    {
        isOwn = false;
        if (message.Length < HeaderLength || message.Span[0] != Version)
        {
            return null;
        }

        isOwn = BinaryPrimitives.ReadInt64LittleEndian(message.Span[2..]) == node;
        var rest = message[HeaderLength..];
        return isOwn ? null : message.Span[1] switch
        {
            LoggedKind => ReadLogged(topic, rest),
            AppendedKind => ReadAppended(topic, rest.Span, isSigned: false),
            SignedKind => ReadAppended(topic, rest.Span, isSigned: true),
            EphemeralKind => ReadBody(topic, Position.Origin, rest),
            _ => null,
        };
    }

    private static EncodedEvent? ReadLogged(TopicKey topic, ReadOnlyMemory<byte> rest)
    {
        if (rest.Length < sizeof(long))
        {
            return null;
        }

        var offset = BinaryPrimitives.ReadInt64LittleEndian(rest.Span);
        rest = rest[sizeof(long)..];
        return offset < 1 || !TryReadText(ref rest, out var epoch) ? null : ReadBody(topic, new Position(epoch, offset), rest);
    }

    private static EncodedEvent? ReadAppended(TopicKey topic, ReadOnlySpan<byte> rest, bool isSigned)
    {
        var end = rest.IndexOf((byte)'\n');
        var head = end < 0 ? [] : rest[..end];
        if (head.Count((byte)' ') != 2)
        {
            return null;
        }

        var (first, second) = (head.IndexOf((byte)' '), head.LastIndexOf((byte)' '));
        rest = rest[(end + 1)..];
        var signature = isSigned ? rest[..Math.Max(0, rest.IndexOf((byte)'\n'))] : [];
        if (isSigned && signature.IsEmpty)
        {
            return null;
        }

        return long.TryParse(head[..first], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            && long.TryParse(head[(first + 1)..second], NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            && new Position(Encoding.ASCII.GetString(head[(second + 1)..]), offset) is { IsWellFormed: true, Offset: > 0 } position
            && RedisEventCodec.Read(topic, position, DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), isSigned ? rest[(signature.Length + 1)..] : rest, signature.ToArray()) is { } logged
            ? EncodedEvent.Encode(logged)
            : null;
    }

    private static EncodedEvent? ReadBody(TopicKey topic, Position position, ReadOnlyMemory<byte> rest) => !TryReadText(ref rest, out var trace) || rest.IsEmpty
        ? null
        : new EncodedEvent { Topic = topic, Position = position, TraceParent = trace.Length == 0 ? null : trace, Json = rest };

    private static void WriteHeader(Span<byte> message, byte kind, long node)
    {
        (message[0], message[1]) = (Version, kind);
        BinaryPrimitives.WriteInt64LittleEndian(message[2..], node);
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
