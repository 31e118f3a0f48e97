using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>An event in the form in which it leaves: encoded once, whatever the number of subscribers.</summary>
[JsonConverter(typeof(EncodedEventConverter))]
internal sealed class EncodedEvent
{
    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private ConflationKey? _key;
    private byte[]? _packed;

    public required TopicKey Topic { get; init; }

    /// <summary>Where it is in the log; <see cref="Position.Origin"/> for an ephemeral event, which is in none.</summary>
    public required Position Position { get; init; }

    public required string? TraceParent { get; init; }

    /// <summary>A <see cref="TopicEvent"/> as JSON.</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }

    /// <summary>The topic's number on this node, from the feed that fans it out; 0 before.</summary>
    public long Number { get; set; }

    /// <summary>What comes after the topic in MessagePack. Made for the first reader of that; see <see cref="PackedEvent"/>.</summary>
    // Two that come at once make it twice, of the same bytes.
    public ReadOnlyMemory<byte> PackedAfterTopic => _packed ??= PackedEvent.PackAfterTopic(Json.Span);

    public bool IsEphemeral => Position.Offset == 0;

    public ActivityContext Trace => TraceParent.ToActivityContext();

    /// <summary>What it replaces, where only the newest counts. Read from the JSON, and only for subscriptions that need it.</summary>
    public ConflationKey Key => _key ??= ConflationKey.Read(Json.Span);

    /// <summary>The same event for another node of the same process, which has numbers of its own.</summary>
    public EncodedEvent Copy() => new() { Topic = Topic, Position = Position, TraceParent = TraceParent, Json = Json };

    public static EncodedEvent Encode(LoggedEvent logged)
    {
        var buffer = new ArrayBufferWriter<byte>(logged.Payload.Length + 384);
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            Write(writer, logged);
        }

        return new EncodedEvent
        {
            Topic = logged.Topic,
            Position = logged.Position,
            TraceParent = logged.TraceParent,
            Json = buffer.WrittenMemory,
        };
    }

    private static void Write(Utf8JsonWriter writer, LoggedEvent logged)
    {
        Span<byte> timestamp = stackalloc byte[24];
        logged.Timestamp.UtcDateTime.TryFormat(timestamp, out var length, TimestampConverter.Format, CultureInfo.InvariantCulture);

        writer.WriteStartObject();
        writer.WriteString("topic"u8, logged.Topic.Name.Value);
        writer.WriteString("event"u8, logged.Event);
        if (logged.Position.Offset > 0)
        {
            writer.WriteNumber("offset"u8, logged.Position.Offset);
            writer.WriteString("epoch"u8, logged.Position.Epoch);
        }

        writer.WriteString("id"u8, logged.Id);
        writer.WriteNumber("v"u8, logged.Version);
        writer.WriteStartObject("data"u8);
        writer.WriteString("entity_id"u8, logged.EntityId);
        writer.WritePropertyName("payload"u8);
        writer.WriteRawValue(logged.Payload, skipInputValidation: true);
        writer.WriteString("user_id"u8, logged.UserId);
        writer.WriteString("timestamp"u8, timestamp[..length]);
        if (logged.Signature is { } signature)
        {
            writer.WritePropertyName("signature"u8);
            writer.WriteRawValue(signature, skipInputValidation: true);
        }

        writer.WriteEndObject();
        writer.WriteString("trace_id"u8, logged.TraceParent);
        writer.WriteEndObject();
    }
}

/// <summary>Of events with the same key only the newest matters to a reader that conflates.</summary>
/// <param name="Event">The event's name.</param>
/// <param name="EntityId">The thing it is about.</param>
internal sealed record ConflationKey(string Event, string? EntityId)
{
    /// <param name="json">A <see cref="TopicEvent"/>, written by a node.</param>
    public static ConflationKey Read(ReadOnlySpan<byte> json)
    {
        var (name, entity) = ("", (string?)null);
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is not JsonTokenType.PropertyName)
            {
                continue;
            }

            if (reader.CurrentDepth == 1 && reader.ValueTextEquals("event"u8))
            {
                reader.Read();
                name = reader.GetString()!;
            }
            else if (reader.CurrentDepth == 2 && reader.ValueTextEquals("entity_id"u8))
            {
                // Behind it comes the payload, which is the client's and may be long.
                reader.Read();
                entity = reader.GetString();
                break;
            }
        }

        return new ConflationKey(name, entity);
    }
}

/// <summary>Writes the bytes as they are.</summary>
internal sealed class EncodedEventConverter : JsonConverter<EncodedEvent>
{
    public override EncodedEvent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Events are encoded, never decoded, by the server.");

    public override void Write(Utf8JsonWriter writer, EncodedEvent value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Json.Span, skipInputValidation: true);
}
