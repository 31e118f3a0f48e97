using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>What the server tells a connection beside events.</summary>
public sealed record Control
{
    /// <summary>The log was reset or lost events: subscribe again.</summary>
    public const string Reset = "reset";

    /// <summary>The server ended the subscription.</summary>
    public const string Unsubscribed = "unsubscribed";

    /// <summary>The node is about to stop: connect again, after a moment of your own.</summary>
    public const string Draining = "draining";

    /// <summary>Should the connection break off without a word, wait so long before connecting again: others do so too.</summary>
    public const string Retry = "retry";

    /// <summary>The token has expired: refresh it now, or the connection is closed in a moment.</summary>
    public const string Expiring = "expiring";

    /// <summary>Events were left out, as the subscription's quality of service says.</summary>
    public const string Dropped = "dropped";

    /// <summary>A topic is live: one that a backend has subscribed this connection to, or over a stream one that was caught up with.</summary>
    public const string Subscribed = "subscribed";

    /// <summary>One of the constants of this type; unknown ones are to be ignored.</summary>
    public required string Type { get; init; }

    /// <summary>The topic it is about, where it is about one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Topic { get; init; }

    /// <summary>A stable code of <see cref="ErrorCode.All"/>, where there is one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    /// <summary>A sentence for people.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The newest position of the topic.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Position? Position { get; init; }

    /// <summary>How many events were left out.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Count { get; init; }

    /// <summary>How long to wait before connecting again, in milliseconds.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfterMs { get; init; }
}
