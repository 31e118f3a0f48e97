using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>What the server tells a connection beside events.</summary>
public sealed record Control
{
    /// <summary>The log was reset or lost events: subscribe again.</summary>
    public const string Reset = "reset";

    /// <summary>The server ended the subscription.</summary>
    public const string Unsubscribed = "unsubscribed";

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
}
