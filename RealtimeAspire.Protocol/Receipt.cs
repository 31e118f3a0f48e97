using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>Says that an event has arrived at a client.</summary>
/// <remarks>Untrusted input; the server's receipt path validates every member.</remarks>
public sealed record Receipt
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>The event's.</summary>
    public DateTimeOffset Timestamp { get; init; }

    /// <summary>From its arrival until this was sent, 0 to 60,000 milliseconds.</summary>
    public int DelayMs { get; init; }

    /// <summary>The event's W3C traceparent.</summary>
    [JsonPropertyName("trace_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TraceId { get; init; }
}
