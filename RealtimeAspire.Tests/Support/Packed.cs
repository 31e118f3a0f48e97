using System.Buffers;
using System.Text.Json;
using MessagePack;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Support;

/// <summary>
/// MessagePack by hand: null, bool, long, ulong, double, string, byte[], DateTimeOffset, object?[] and Dictionary stand for its values;
/// for what is written also objects, and <see cref="ReadOnlyMemory{T}"/> for bytes as they are.
/// </summary>
internal static class Packed
{
    public static byte[] Write(object? value)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output);
        Write(value, ref writer);
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    public static object? Read(ReadOnlyMemory<byte> bytes)
    {
        var reader = new MessagePackReader(bytes);
        var value = Read(ref reader);
        Assert.Equal(bytes.Length, reader.Consumed);
        return value;
    }

    /// <summary>A message as it is on the wire, with its length before it.</summary>
    public static byte[] Frame(ReadOnlySpan<byte> message)
    {
        List<byte> frame = [];
        var length = message.Length;
        for (; length > 0x7f; length >>= 7)
        {
            frame.Add((byte)(length | 0x80));
        }

        frame.Add((byte)length);
        return [.. frame, .. message];
    }

    /// <summary>What a client makes of an event.</summary>
    public static TopicEvent ToEvent(object? packed)
    {
        var members = Assert.IsType<object?[]>(packed);
        Assert.Equal(8, members.Length);
        var data = Assert.IsType<object?[]>(members[6]);
        Assert.Equal(4, data.Length);
        return new TopicEvent
        {
            Topic = members[0] as string ?? $"#{members[0]}",
            Event = (string)members[1]!,
            Offset = (long?)members[2],
            Epoch = (string?)members[3],
            Id = (string)members[4]!,
            Version = (int)(long)members[5]!,
            Data = new EventData
            {
                EntityId = (string?)data[0],
                Payload = JsonSerializer.SerializeToElement(data[1]),
                UserId = (string?)data[2],
                Timestamp = (DateTimeOffset)data[3]!,
            },
            TraceId = (string?)members[7],
        };
    }

    private static void Write(object? value, ref MessagePackWriter writer)
    {
        switch (value)
        {
            case null:
                writer.WriteNil();
                break;
            case bool truth:
                writer.Write(truth);
                break;
            case int number:
                writer.Write(number);
                break;
            case long number:
                writer.Write(number);
                break;
            case ulong number:
                writer.Write(number);
                break;
            case double number:
                writer.Write(number);
                break;
            case string text:
                writer.Write(text);
                break;
            case DateTimeOffset time:
                writer.Write(time.UtcDateTime);
                break;
            case ReadOnlyMemory<byte> raw:
                writer.WriteRaw(raw.Span);
                break;
            case object?[] values:
                writer.WriteArrayHeader(values.Length);
                foreach (var one in values)
                {
                    Write(one, ref writer);
                }

                break;
            case Dictionary<string, object?> map:
                writer.WriteMapHeader(map.Count);
                foreach (var (key, one) in map)
                {
                    writer.Write(key);
                    Write(one, ref writer);
                }

                break;
            default:
                // An anonymous object.
                var members = value.GetType().GetProperties();
                writer.WriteMapHeader(members.Length);
                foreach (var member in members)
                {
                    writer.Write(member.Name);
                    Write(member.GetValue(value), ref writer);
                }

                break;
        }
    }

    private static object? Read(ref MessagePackReader reader)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Nil:
                reader.TryReadNil();
                return null;
            case MessagePackType.Boolean:
                return reader.ReadBoolean();
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                var large = reader.ReadUInt64();
                return large <= long.MaxValue ? (long)large : large;
            case MessagePackType.Integer:
                return reader.ReadInt64();
            case MessagePackType.Float:
                return reader.ReadDouble();
            case MessagePackType.String:
                return reader.ReadString();
            case MessagePackType.Binary:
                return reader.ReadBytes()!.Value.ToArray();
            case MessagePackType.Array:
                var values = new object?[reader.ReadArrayHeader()];
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = Read(ref reader);
                }

                return values;
            case MessagePackType.Map:
                var map = new Dictionary<string, object?>(StringComparer.Ordinal);
                for (var count = reader.ReadMapHeader(); count > 0; count--)
                {
                    // The last of the same name, as JSON.parse has it.
                    map[reader.ReadString()!] = Read(ref reader);
                }

                return map;
            default:
                var extension = reader.ReadExtensionFormat();
                Assert.Equal(-1, extension.TypeCode);
                return ToTime(extension.Data.ToArray());
        }
    }

    /// <summary>Its 64 bits, of which 30 are nanoseconds; the product writes times of today, in milliseconds.</summary>
    private static DateTimeOffset ToTime(byte[] data)
    {
        var value = data.Aggregate(0UL, (value, next) => (value << 8) | next);
        var (seconds, nanoseconds) = data.Length == sizeof(uint) ? ((long)value, 0L) : ((long)(value & 0x3_ffff_ffff), (long)(value >> 34));
        Assert.InRange(data.Length, sizeof(uint), sizeof(ulong));
        return DateTimeOffset.UnixEpoch.AddSeconds(seconds).AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
    }
}
