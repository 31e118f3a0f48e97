using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>What nodes say to each other about a call, as JSON. What one does not know it ignores.</summary>
internal sealed record CallMessage
{
    /// <summary>Nodes of two releases run side by side during an upgrade.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Of the message's form.</summary>
    public int V { get; init; } = CurrentVersion;

    public required CallMessageKind Kind { get; init; }

    /// <summary>Who sends it.</summary>
    public required long Node { get; init; }

    public required string CallId { get; init; }

    /// <summary>With <see cref="CallMessageKind.Hand"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Tenant { get; init; }

    /// <summary>With <see cref="CallMessageKind.Hand"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IncomingCall? Call { get; init; }

    /// <summary>With <see cref="CallMessageKind.Result"/>, where there is an answer.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Payload { get; init; }

    /// <summary>With <see cref="CallMessageKind.Result"/>, where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorBody? Error { get; init; }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, CallJson.Default.CallMessage);

    /// <summary>Null: none that this release understands.</summary>
    public static CallMessage? Read(ReadOnlySpan<byte> message)
    {
        try
        {
            return JsonSerializer.Deserialize(message, CallJson.Default.CallMessage) is { V: CurrentVersion } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The steps of a call between nodes: one asks all, some offer, one of them is handed the call, and tells the result.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CallMessageKind>))]
internal enum CallMessageKind
{
    /// <summary>To all who have said that they handle the method: is there still somebody?</summary>
    Ask,

    /// <summary>There is.</summary>
    Offer,

    /// <summary>There is nobody any more.</summary>
    Decline,

    /// <summary>To the first that has offered: the call itself.</summary>
    Hand,

    /// <summary>The answer, or why there is none.</summary>
    Result,
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(CallMessage))]
internal sealed partial class CallJson : JsonSerializerContext;
