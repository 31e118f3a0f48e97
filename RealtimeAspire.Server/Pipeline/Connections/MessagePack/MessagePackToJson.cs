using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using MessagePack;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Connections.MessagePack;

/// <summary>
/// Writes a MessagePack value as the JSON that says the same, so that what is true of requests in JSON is true of these. What JSON
/// cannot say is refused.
/// </summary>
/// <remarks>The value is untrusted.</remarks>
internal static class MessagePackToJson
{
    private const sbyte TimestampType = -1;
    private const int NanosecondBits = 30;
    private const uint NanosecondsPerSecond = 1_000_000_000;

    /// <param name="reader">Before the value; behind it afterwards.</param>
    /// <param name="writer">Where it is written.</param>
    /// <param name="security">How deep it may be.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>: JSON has no such value.</exception>
    public static void Write(ref MessagePackReader reader, Utf8JsonWriter writer, MessagePackSecurity security)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Nil:
                reader.TryReadNil();
                writer.WriteNullValue();
                break;
            case MessagePackType.Boolean:
                writer.WriteBooleanValue(reader.ReadBoolean());
                break;
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                writer.WriteNumberValue(reader.ReadUInt64());
                break;
            case MessagePackType.Integer:
                writer.WriteNumberValue(reader.ReadInt64());
                break;
            case MessagePackType.Float:
                WriteDouble(reader.ReadDouble(), writer);
                break;
            case MessagePackType.String:
                writer.WriteStringValue(ReadText(ref reader));
                break;
            case MessagePackType.Binary:
                writer.WriteBase64StringValue(Contiguous(reader.ReadBytes()!.Value));
                break;
            case MessagePackType.Array:
                WriteArray(ref reader, writer, security);
                break;
            case MessagePackType.Map:
                WriteMap(ref reader, writer, security);
                break;
            case MessagePackType.Extension:
                WriteExtension(reader.ReadExtensionFormat(), writer);
                break;
            default:
                throw Refused("The message is not MessagePack.");
        }
    }

    private static void WriteDouble(double value, Utf8JsonWriter writer)
    {
        if (!double.IsFinite(value))
        {
            throw Refused("A number is not finite.");
        }

        writer.WriteNumberValue(value);
    }

    private static void WriteArray(ref MessagePackReader reader, Utf8JsonWriter writer, MessagePackSecurity security)
    {
        var count = Count(reader.ReadArrayHeader());
        security.DepthStep(ref reader);
        writer.WriteStartArray();
        for (var i = 0; i < count; i++)
        {
            Write(ref reader, writer, security);
        }

        writer.WriteEndArray();
        reader.Depth--;
    }

    private static void WriteMap(ref MessagePackReader reader, Utf8JsonWriter writer, MessagePackSecurity security)
    {
        var count = Count(reader.ReadMapHeader());
        security.DepthStep(ref reader);
        writer.WriteStartObject();
        for (var i = 0; i < count; i++)
        {
            if (reader.NextMessagePackType is not MessagePackType.String)
            {
                throw Refused("A key is not a string.");
            }

            writer.WritePropertyName(ReadText(ref reader));
            Write(ref reader, writer, security);
        }

        writer.WriteEndObject();
        reader.Depth--;
    }

    /// <summary>Some versions of the reader give lengths of 2^31 and more as negative ones.</summary>
    private static int Count(int header) => header >= 0 ? header : throw Refused("A length is too large.");

    private static ReadOnlySpan<byte> ReadText(ref MessagePackReader reader)
    {
        var text = Contiguous(reader.ReadStringSequence()!.Value);
        return Utf8.IsValid(text) ? text : throw Refused("A string is not UTF-8.");
    }

    private static ReadOnlySpan<byte> Contiguous(ReadOnlySequence<byte> bytes) => bytes.IsSingleSegment ? bytes.FirstSpan : bytes.ToArray();

    private static void WriteExtension(ExtensionResult extension, Utf8JsonWriter writer)
    {
        if (extension.TypeCode != TimestampType || !TryReadTimestamp(Contiguous(extension.Data), out var timestamp))
        {
            throw Refused("An extension is not a timestamp between the years 1 and 9999.");
        }

        writer.WriteStringValue(timestamp.ToString(TimestampConverter.Format, CultureInfo.InvariantCulture));
    }

    /// <summary>The three forms of MessagePack's timestamp, to the millisecond.</summary>
    private static bool TryReadTimestamp(ReadOnlySpan<byte> data, out DateTime timestamp)
    {
        timestamp = default;
        (long Seconds, uint Nanoseconds) read;
        switch (data.Length)
        {
            case 4:
                read = (BinaryPrimitives.ReadUInt32BigEndian(data), 0);
                break;
            case 8:
                var both = BinaryPrimitives.ReadUInt64BigEndian(data);
                read = ((long)(both & (ulong.MaxValue >> NanosecondBits)), (uint)(both >> (64 - NanosecondBits)));
                break;
            case 12:
                read = (BinaryPrimitives.ReadInt64BigEndian(data[4..]), BinaryPrimitives.ReadUInt32BigEndian(data));
                break;
            default:
                return false;
        }

        var earliest = (DateTime.MinValue.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond;
        var latest = (DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond;
        if (read.Nanoseconds >= NanosecondsPerSecond || read.Seconds < earliest || read.Seconds > latest)
        {
            return false;
        }

        timestamp = DateTime.UnixEpoch.AddTicks((read.Seconds * TimeSpan.TicksPerSecond) + (read.Nanoseconds / TimeSpan.NanosecondsPerTick));
        return true;
    }

    private static RealtimeException Refused(string sentence) => new(ErrorCode.RequestInvalid, sentence);
}
