using System.Buffers.Binary;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// An event as it is in the stream and in the message that tells of it, without what the log adds to it:
/// <c>format (1) · version (4) · event · id · entity · user · traceparent · payload</c>. Numbers are little endian; each text
/// has its length before it (2), and is empty where there is none; the payload is the rest. A signature stands beside it, where nodes of the
/// release before do not look.
/// </summary>
internal static class RedisEventCodec
{
    private const byte Format = 1;

    public static byte[] Write(Append append)
    {
        string[] texts = [append.Event, append.Id, append.EntityId ?? "", append.Publisher, append.TraceParent ?? ""];
        var length = 1 + sizeof(int) + append.Payload.Length;
        foreach (var text in texts)
        {
            length += sizeof(ushort) + Encoding.UTF8.GetByteCount(text);
        }

        var body = new byte[length];
        body[0] = Format;
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(1), append.Version);
        var rest = body.AsSpan(1 + sizeof(int));
        foreach (var text in texts)
        {
            var written = Encoding.UTF8.GetBytes(text, rest[sizeof(ushort)..]);
            BinaryPrimitives.WriteUInt16LittleEndian(rest, checked((ushort)written));
            rest = rest[(sizeof(ushort) + written)..];
        }

        append.Payload.CopyTo(rest);
        return body;
    }

    /// <summary>Null: not written by this release, or cut off.</summary>
    public static LoggedEvent? Read(TopicKey topic, Position position, DateTimeOffset timestamp, ReadOnlySpan<byte> body, byte[]? signature = null)
    {
        if (body.Length < 1 + sizeof(int) || body[0] != Format)
        {
            return null;
        }

        var version = BinaryPrimitives.ReadInt32LittleEndian(body[1..]);
        var rest = body[(1 + sizeof(int))..];
        if (!TryReadText(ref rest, out var name)
            || !TryReadText(ref rest, out var id)
            || !TryReadText(ref rest, out var entity)
            || !TryReadText(ref rest, out var user)
            || !TryReadText(ref rest, out var trace))
        {
            return null;
        }

        return new LoggedEvent
        {
            Topic = topic,
            Position = position,
            Id = id,
            Event = name,
            Version = version,
            EntityId = OrNull(entity),
            Payload = rest.ToArray(),
            Signature = signature is { Length: > 0 } ? signature : null,
            UserId = OrNull(user),
            Timestamp = timestamp,
            TraceParent = OrNull(trace),
        };
    }

    private static string? OrNull(string text) => text.Length == 0 ? null : text;

    private static bool TryReadText(ref ReadOnlySpan<byte> rest, out string text)
    {
        text = "";
        if (rest.Length < sizeof(ushort) || rest.Length - sizeof(ushort) < BinaryPrimitives.ReadUInt16LittleEndian(rest))
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        text = Encoding.UTF8.GetString(rest.Slice(sizeof(ushort), length));
        rest = rest[(sizeof(ushort) + length)..];
        return true;
    }
}
