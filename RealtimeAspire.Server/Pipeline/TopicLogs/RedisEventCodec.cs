using System.Buffers.Binary;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// An event as it is in the stream and in the message that tells of it, without what the log adds to it:
/// <c>format (1) · version (4) · event · id · entity · user · traceparent · payload</c>. Numbers are little endian; each text
/// has its length before it (2), and is empty where there is none; the payload is the rest. An event that is signed is of another
/// format: its signature stands before the payload.
/// </summary>
internal static class RedisEventCodec
{
    private const byte Format = 1;
    private const byte SignedFormat = 2;

    public static byte[] Write(Append append)
    {
        string[] texts = [append.Event, append.Id, append.EntityId ?? "", append.Publisher, append.TraceParent ?? ""];
        var signature = append.Signature;
        var length = 1 + sizeof(int) + append.Payload.Length + (signature is null ? 0 : sizeof(ushort) + signature.Length);
        foreach (var text in texts)
        {
            length += sizeof(ushort) + Encoding.UTF8.GetByteCount(text);
        }

        var body = new byte[length];
        body[0] = signature is null ? Format : SignedFormat;
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(1), append.Version);
        var rest = body.AsSpan(1 + sizeof(int));
        foreach (var text in texts)
        {
            var written = Encoding.UTF8.GetBytes(text, rest[sizeof(ushort)..]);
            BinaryPrimitives.WriteUInt16LittleEndian(rest, checked((ushort)written));
            rest = rest[(sizeof(ushort) + written)..];
        }

        if (signature is not null)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(rest, checked((ushort)signature.Length));
            signature.CopyTo(rest[sizeof(ushort)..]);
            rest = rest[(sizeof(ushort) + signature.Length)..];
        }

        append.Payload.CopyTo(rest);
        return body;
    }

    /// <summary>Null: not written by this release, or cut off.</summary>
    public static LoggedEvent? Read(TopicKey topic, Position position, DateTimeOffset timestamp, ReadOnlySpan<byte> body)
    {
        if (body.Length < 1 + sizeof(int) || body[0] is not (Format or SignedFormat))
        {
            return null;
        }

        var isSigned = body[0] is SignedFormat;
        var signature = "";
        var version = BinaryPrimitives.ReadInt32LittleEndian(body[1..]);
        var rest = body[(1 + sizeof(int))..];
        if (!TryReadText(ref rest, out var name)
            || !TryReadText(ref rest, out var id)
            || !TryReadText(ref rest, out var entity)
            || !TryReadText(ref rest, out var user)
            || !TryReadText(ref rest, out var trace)
            || (isSigned && !TryReadText(ref rest, out signature)))
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
            Signature = isSigned ? Encoding.UTF8.GetBytes(signature) : null,
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
