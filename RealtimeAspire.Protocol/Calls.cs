using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>Calls a method that another client handles on a topic, and waits for its answer.</summary>
/// <remarks>Untrusted input; the server's call path validates every member.</remarks>
public sealed record CallRequest
{
    /// <summary>The topic's name; <c>user:ada</c> for what one user's clients handle.</summary>
    public string? Topic { get; init; }

    /// <summary>What is asked for: a name as events have.</summary>
    public string? Method { get; init; }

    /// <summary>Any JSON; null where it is missing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public JsonElement Payload { get; init; }

    /// <summary>How long to wait for the answer, 1 to 60,000 milliseconds. Default: 5,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? TimeoutMs { get; init; }

    /// <summary>The caller's W3C traceparent.</summary>
    [JsonPropertyName("trace_id")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? TraceId { get; init; }
}

/// <summary>Says that this connection handles a method on a topic, or does not any more.</summary>
/// <remarks>Untrusted input; the server's call path validates every member.</remarks>
public sealed record HandleRequest
{
    /// <summary>The topic's name.</summary>
    public string? Topic { get; init; }

    /// <summary>The method.</summary>
    public string? Method { get; init; }
}

/// <summary>What the server asks of a connection that handles the method: to be answered once, with a <see cref="ReplyRequest"/>.</summary>
public sealed record IncomingCall
{
    /// <summary>Stands for the call in its answer.</summary>
    public required string CallId { get; init; }

    /// <summary>The topic's name.</summary>
    public required string Topic { get; init; }

    /// <summary>The method.</summary>
    public required string Method { get; init; }

    /// <summary>What the caller has sent.</summary>
    public required JsonElement Payload { get; init; }

    /// <summary>The caller's user id, as the server has authenticated it.</summary>
    public required string From { get; init; }

    /// <summary>How long the caller waits, in milliseconds.</summary>
    public required int TimeoutMs { get; init; }

    /// <summary>A W3C traceparent, where the call is traced.</summary>
    [JsonPropertyName("trace_id")]
    public string? TraceId { get; init; }
}

/// <summary>Answers a call.</summary>
/// <remarks>Untrusted input; the server's call path validates every member.</remarks>
public sealed record ReplyRequest
{
    /// <summary>The call.</summary>
    public string? CallId { get; init; }

    /// <summary>The answer; null where it is missing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public JsonElement Payload { get; init; }

    /// <summary>Why there is none: then the call fails.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CallError? Error { get; init; }
}

/// <summary>Why a handler has no answer. In JSON also a text, which is then the message.</summary>
/// <param name="Code">A code of the application, <c>app_</c> and up to 60 of <c>a-z 0-9 _</c>; <c>call_failed</c> where it is missing.</param>
/// <param name="Message">A sentence for people, up to 1,000 characters.</param>
[JsonConverter(typeof(CallErrorConverter))]
public sealed record CallError(string? Code, string? Message);

/// <summary>Reads an object or a text.</summary>
internal sealed class CallErrorConverter : JsonConverter<CallError>
{
    public override CallError Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is JsonTokenType.String)
        {
            return new CallError(null, reader.GetString());
        }

        using var document = JsonDocument.ParseValue(ref reader);
        return document.RootElement.ValueKind is JsonValueKind.Object
            ? new CallError(TextOf(document.RootElement, "code"), TextOf(document.RootElement, "message"))
            : throw new JsonException("An error is an object or a text.");
    }

    public override void Write(Utf8JsonWriter writer, CallError value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString("code", value.Code);
        writer.WriteString("message", value.Message);
        writer.WriteEndObject();
    }

    private static string? TextOf(JsonElement error, string name)
    {
        if (!error.TryGetProperty(name, out var member) || member.ValueKind is JsonValueKind.Null)
        {
            return null;
        }

        return member.ValueKind is JsonValueKind.String ? member.GetString() : throw new JsonException($"The {name} of an error is a text.");
    }
}
