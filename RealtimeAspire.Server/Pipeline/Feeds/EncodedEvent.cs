using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>An event in the form in which it leaves: encoded once, whatever the number of nodes and subscribers.</summary>
[JsonConverter(typeof(EncodedEventConverter))]
internal sealed class EncodedEvent
{
    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private SerializedHubMessage? _frame;

    public required TopicKey Topic { get; init; }

    public required Position Position { get; init; }

    public required string? TraceParent { get; init; }

    /// <summary>A <see cref="TopicEvent"/> as JSON.</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }

    public ActivityContext Trace => TraceParent.ToActivityContext();

    /// <summary>The event alone in a hub message, shared by all connections.</summary>
    public SerializedHubMessage Frame =>
        _frame ??= new SerializedHubMessage(new InvocationMessage(nameof(IRealtimeClient.Events), [new List<EncodedEvent> { this }]));

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
        writer.WriteNumber("offset"u8, logged.Position.Offset);
        writer.WriteString("epoch"u8, logged.Position.Epoch);
        writer.WriteString("id"u8, logged.Id);
        writer.WriteNumber("v"u8, logged.Version);
        writer.WriteStartObject("data"u8);
        writer.WriteString("entity_id"u8, logged.EntityId);
        writer.WritePropertyName("payload"u8);
        writer.WriteRawValue(logged.Payload, skipInputValidation: true);
        writer.WriteString("user_id"u8, logged.UserId);
        writer.WriteString("timestamp"u8, timestamp[..length]);
        writer.WriteEndObject();
        writer.WriteString("trace_id"u8, logged.TraceParent);
        writer.WriteEndObject();
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
