using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>One entry of a topic, as every subscriber receives it.</summary>
/// <remarks>
/// <c>offset</c> and <c>epoch</c> are absent in an ephemeral event, which is in no log, and <c>signature</c> where nobody has
/// signed. All other fields are always there, null where there is no value.
/// </remarks>
public sealed record TopicEvent
{
    /// <summary>The topic's name, <c>type:identifier</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>What happened, for example <c>chat:message</c>.</summary>
    public required string Event { get; init; }

    /// <summary>The place in the topic: 1, 2, 3 …; null for an ephemeral event.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Offset { get; init; }

    /// <summary>The incarnation of the log; null for an ephemeral event.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Epoch { get; init; }

    /// <summary>The publisher's name for this event, unique per topic and publisher within the dedupe window.</summary>
    public required string Id { get; init; }

    /// <summary>The version of the payload's schema, from 1.</summary>
    // Settable: the source generator sets init-only members even where the JSON lacks them, and the default would be lost.
    [JsonPropertyName("v")]
    public int Version { get; set; } = 1;

    /// <summary>What the event says.</summary>
    public required EventData Data { get; init; }

    /// <summary>The W3C traceparent of the publish, null when it was not traced.</summary>
    [JsonPropertyName("trace_id")]
    public string? TraceId { get; init; }

    /// <summary>The position after this event; null for an ephemeral event.</summary>
    [JsonIgnore]
    public Position? Position => Offset is { } offset ? new Position(Epoch, offset) : null;
}

/// <summary>What an event says, about what, by whom and when.</summary>
public sealed record EventData
{
    /// <summary>The thing the event is about, where there is one: a message, a card, a player.</summary>
    [JsonPropertyName("entity_id")]
    public string? EntityId { get; init; }

    /// <summary>The publisher's JSON, unchanged.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>Who published it; null when it was the server itself.</summary>
    [JsonPropertyName("user_id")]
    public string? UserId { get; init; }

    /// <summary>When the log took it: UTC, in milliseconds, never falling within a topic.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>The publisher's signature; absent where he has not signed.</summary>
    [JsonPropertyName("signature")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EventSignature? Signature { get; init; }
}
