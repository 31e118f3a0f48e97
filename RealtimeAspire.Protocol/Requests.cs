using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>Asks for a topic's events, from a position, from some time back, or from now on.</summary>
/// <remarks>Untrusted input; the server's subscribe path validates every member.</remarks>
public sealed record SubscribeRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>Continue after this position. At most one of this and <see cref="Rewind"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Position? Position { get; init; }

    /// <summary>Start with events of the past.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Rewind? Rewind { get; init; }
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
public sealed record ErrorBody(string Code, string Message, bool Retryable);

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
