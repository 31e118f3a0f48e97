using System.Buffers;
using System.Text.Json;
using MessagePack;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections.MessagePack;

/// <summary>
/// An event in MessagePack: an array with the members of the JSON in their order, without their names. What the JSON leaves out,
/// offset and epoch of an ephemeral event, is nil; but a signature, the last of the data, is a map, and where there is none the array is shorter.
/// </summary>
internal static class PackedEvent
{
    private const int Data = 6;
    private const int Timestamp = 3;
    private const int Signature = 4;

    private static readonly string[] Names = ["topic", "event", "offset", "epoch", "id", "v", "data", "trace_id"];

    private static readonly string[] DataNames = ["entity_id", "payload", "user_id", "timestamp", "signature"];

    /// <param name="encoded">The event.</param>
    /// <param name="numbered">With the topic's number instead of its name, if a feed has given it one.</param>
    /// <param name="writer">Where it is written.</param>
    public static void Write(EncodedEvent encoded, bool numbered, ref MessagePackWriter writer)
    {
        writer.WriteArrayHeader(Names.Length);
        if (numbered && encoded.Number > 0)
        {
            writer.Write(encoded.Number);
        }
        else
        {
            writer.Write(encoded.Topic.Name.Value);
        }

        writer.WriteRaw(encoded.PackedAfterTopic.Span);
    }

    /// <summary>Packs what comes after the topic, which is sent by its name or by its number.</summary>
    /// <param name="json">A <see cref="TopicEvent"/>, written by a node.</param>
    public static byte[] PackAfterTopic(ReadOnlySpan<byte> json)
    {
        Span<Range> members = stackalloc Range[Names.Length];
        Find(json, Names, members);
        var output = new ArrayBufferWriter<byte>(json.Length);
        var writer = new MessagePackWriter(output);
        foreach (var member in members[1..Data])
        {
            WriteMember(json[member], ref writer);
        }

        WriteData(json[members[Data]], ref writer);
        WriteMember(json[members[^1]], ref writer);
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    private static void WriteData(ReadOnlySpan<byte> json, ref MessagePackWriter writer)
    {
        Span<Range> members = stackalloc Range[DataNames.Length];
        Find(json, DataNames, members);
        var signature = json[members[Signature]];
        writer.WriteArrayHeader(signature.IsEmpty ? Signature : DataNames.Length);
        foreach (var member in members[..Timestamp])
        {
            WriteMember(json[member], ref writer);
        }

        var reader = new Utf8JsonReader(json[members[Timestamp]]);
        reader.Read();
        writer.Write(reader.GetDateTimeOffset().UtcDateTime);
        if (!signature.IsEmpty)
        {
            WriteMember(signature, ref writer);
        }
    }

    private static void WriteMember(ReadOnlySpan<byte> json, ref MessagePackWriter writer)
    {
        if (json.IsEmpty)
        {
            writer.WriteNil();
        }
        else
        {
            JsonToMessagePack.Write(json, ref writer);
        }
    }

    /// <summary>Where the members of an object are; empty for one that is not there.</summary>
    private static void Find(ReadOnlySpan<byte> json, string[] names, Span<Range> members)
    {
        members.Fill(default(int)..default(int));
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var member = -1;
            for (var i = 0; i < names.Length && member < 0; i++)
            {
                member = reader.ValueTextEquals(names[i]) ? i : -1;
            }

            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (member >= 0)
            {
                members[member] = start..(int)reader.BytesConsumed;
            }
        }
    }
}
