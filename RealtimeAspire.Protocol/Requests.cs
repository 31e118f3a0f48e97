using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>Asks for a topic's events, from a position, from some time back, or from now on.</summary>
/// <remarks>Untrusted input; the server's subscribe path validates every member.</remarks>
public sealed record SubscribeRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>Continue after this position. At most one of this, <see cref="Rewind"/> and <see cref="From"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Position? Position { get; init; }

    /// <summary>Start with events of the past.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Rewind? Rewind { get; init; }

    /// <summary><see cref="FromCursor"/>: continue after what <see cref="Consumer"/> has acknowledged; without a cursor, with the oldest event kept.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? From { get; init; }

    /// <summary>Whose cursor: a name that the user gave one of his devices, 1 to 64 visible ASCII characters.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Consumer { get; init; }

    /// <summary>What happens when the reader is slower than the topic. Default: every event, or the connection is closed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public QosRequest? Qos { get; init; }

    /// <summary>False declines the topic's ephemeral events. Default: true.</summary>
    // Settable: the source generator sets init-only members even where the JSON lacks them, and the default would be lost.
    public bool Ephemeral { get; set; } = true;

    /// <summary>Which presence of the topic is sent: <c>none</c> (the default), <c>occupancy</c> or <c>members</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Presence { get; init; }

    /// <summary>The one value of <see cref="From"/>.</summary>
    public const string FromCursor = "cursor";
}

/// <summary>The quality of service of a subscription.</summary>
/// <remarks>Untrusted input; the server's subscribe path validates every member.</remarks>
public sealed record QosRequest
{
    /// <summary>What happens to events that a reader has no time for.</summary>
    public QosMode Mode { get; init; }

    /// <summary>With <see cref="QosMode.Conflate"/>: at most one flush in so many milliseconds, 10 to 60,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? IntervalMs { get; init; }
}

/// <summary>What happens to events that a reader has no time for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<QosMode>))]
public enum QosMode
{
    /// <summary>None is left out: a reader that is too slow is closed, comes back and recovers.</summary>
    [JsonStringEnumMemberName("all")]
    All,

    /// <summary>While the reader is behind, only the newest of each event name and entity is kept for it.</summary>
    [JsonStringEnumMemberName("latest")]
    Latest,

    /// <summary>The newest of each event name and entity, at most once per interval.</summary>
    [JsonStringEnumMemberName("conflate")]
    Conflate,
}

/// <summary>How far back a subscription starts: exactly one of the two.</summary>
/// <remarks>Untrusted input; the server's subscribe path validates every member.</remarks>
public sealed record Rewind
{
    /// <summary>The newest so many events, 1 or more, cut to the server's history limit.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Count { get; init; }

    /// <summary>The events of this time and later.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Since { get; init; }
}

/// <summary>What became of what a subscriber asked for. Never partial.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Recovery>))]
public enum Recovery
{
    /// <summary>No position was given.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>Every event after the position is in the reply, or follows.</summary>
    [JsonStringEnumMemberName("recovered")]
    Recovered,

    /// <summary>Some events after the position are gone. There are no events; the position is the newest.</summary>
    [JsonStringEnumMemberName("gap")]
    Gap,

    /// <summary>The position belongs to another incarnation of the log. There are no events; the position is the newest.</summary>
    [JsonStringEnumMemberName("new_epoch")]
    NewEpoch,
}

/// <summary>The answer to a <see cref="SubscribeRequest"/>.</summary>
public sealed record SubscribeReply
{
    /// <summary>The topic's name.</summary>
    public required string Topic { get; init; }

    /// <summary>Where the subscriber is after <see cref="Events"/>.</summary>
    public required Position Position { get; init; }

    /// <summary>What became of the position that was asked for.</summary>
    public required Recovery Recovery { get; init; }

    /// <summary>The events asked for, ascending.</summary>
    public required IReadOnlyList<TopicEvent> Events { get; init; }

    /// <summary>There are more: nothing is live yet, subscribe again from <see cref="Position"/>.</summary>
    public bool More { get; init; }

    /// <summary>When the right to this topic ends; null when it does not.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>What became of one subscribe of several: a reply or an error.</summary>
public sealed record SubscribeOutcome
{
    /// <summary>The reply, when it succeeded.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public SubscribeReply? Reply { get; init; }

    /// <summary>The error, when it did not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorBody? Error { get; init; }
}

/// <summary>Publishes one event.</summary>
/// <remarks>Untrusted input; the server's publish path validates every member.</remarks>
public sealed record PublishRequest
{
    /// <summary>The topic's name. Absent over HTTP, where the URL has it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Topic { get; init; }

    /// <summary>What happened, for example <c>chat:message</c>.</summary>
    public string? Event { get; init; }

    /// <summary>Any JSON value.</summary>
    public JsonElement Payload { get; init; }

    /// <summary>The publisher's name for the event, 1 to 128 visible ASCII characters. Without it a retry is a new event.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; init; }

    /// <summary>The thing the event is about, 1 to 128 characters, where there is one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? EntityId { get; init; }

    /// <summary>The version of the payload's schema, from 1.</summary>
    // Settable: the source generator sets init-only members even where the JSON lacks them, and the default would be lost.
    [JsonPropertyName("v")]
    public int Version { get; set; } = 1;

    /// <summary>The publisher's W3C traceparent: the event's trace then continues it. One that is none is ignored.</summary>
    [JsonPropertyName("trace_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TraceId { get; init; }

    /// <summary>The publisher's signature, as an <see cref="EventSigner"/> makes it. What is signed has an id.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EventSignature? Signature { get; init; }
}

/// <summary>The answer to a <see cref="PublishRequest"/>.</summary>
public sealed record PublishReply
{
    /// <summary>Where the event is; null for an ephemeral event.</summary>
    public required Position? Position { get; init; }

    /// <summary>When the log took it: UTC, in milliseconds.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>The id was known: this is the outcome of the first publish, and nothing was appended.</summary>
    public required bool Duplicate { get; init; }
}

/// <summary>What became of one publish of several: a reply or an error.</summary>
public sealed record PublishOutcome
{
    /// <summary>The reply, when it succeeded.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PublishReply? Reply { get; init; }

    /// <summary>The error, when it did not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorBody? Error { get; init; }
}

/// <summary>An error inside a reply.</summary>
/// <param name="Code">A stable code of <see cref="ErrorCode.All"/>.</param>
/// <param name="Message">A sentence for people.</param>
/// <param name="Retryable">Whether the same request may succeed later.</param>
/// <param name="RetryAfterMs">After how many milliseconds it may, where that is known.</param>
public sealed record ErrorBody(
    string Code, string Message, bool Retryable, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? RetryAfterMs = null);

/// <summary>Asks for a page of a topic's log: after a position, before one, or from the oldest event kept.</summary>
/// <remarks>Untrusted input; the server's history path validates every member.</remarks>
public sealed record HistoryRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>The oldest events after it. At most one of this and <see cref="Before"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Position? After { get; init; }

    /// <summary>The newest events before it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Position? Before { get; init; }

    /// <summary>The most events of the page, 1 or more, cut to the server's limit. Default: 100.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Limit { get; init; }
}

/// <summary>Says that a consumer has dealt with every event up to a position.</summary>
/// <remarks>Untrusted input; the server validates every member.</remarks>
public sealed record AcknowledgeRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>The last event that was dealt with. The cursor never moves back.</summary>
    public Position? Position { get; init; }

    /// <summary>Whose cursor: 1 to 64 visible ASCII characters.</summary>
    public string? Consumer { get; init; }
}

/// <summary>A page of a topic's log.</summary>
public sealed record HistoryReply
{
    /// <summary>The events, ascending.</summary>
    public required IReadOnlyList<TopicEvent> Events { get; init; }

    /// <summary>The position after the last event of the page; with none, where the page would end.</summary>
    public required Position Position { get; init; }

    /// <summary>What became of the position that was asked for.</summary>
    public required Recovery Recovery { get; init; }

    /// <summary>The log has no more in the direction that was asked for.</summary>
    public required bool Complete { get; init; }
}

/// <summary>The answer to a new token.</summary>
public sealed record RefreshReply
{
    /// <summary>When the new token ends.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}
