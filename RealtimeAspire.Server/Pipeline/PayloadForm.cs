using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>What holds for the payload of every event, call and answer.</summary>
internal static class PayloadForm
{
    // Parsers stop at 64, and an event's envelope in a message takes some of that.
    private const int MaxDepth = 32;

    /// <summary>
    /// Bytes that are no text, or JSON deeper than parsers go by default, would break the connection of everyone who gets them, and again
    /// at each recovery.
    /// </summary>
    /// <param name="payload">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>payload_invalid</c>.</exception>
    public static void Require(ReadOnlySpan<byte> payload)
    {
        if (!Utf8.IsValid(payload))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, "The payload is not UTF-8.");
        }

        if (IsDeep(payload))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, $"The payload is nested deeper than {MaxDepth} levels.");
        }
    }

    /// <summary>The payload of a call or an answer; null where it is missing.</summary>
    /// <exception cref="RealtimeException"><c>payload_too_large</c>, <c>payload_invalid</c>.</exception>
    public static JsonElement RequireOptional(JsonElement payload, int maxBytes)
    {
        if (payload.ValueKind is JsonValueKind.Undefined)
        {
            return JsonElement.Parse("null"u8);
        }

        var bytes = JsonMarshal.GetRawUtf8Value(payload);
        if (bytes.Length > maxBytes)
        {
            throw TooLarge(bytes.Length, maxBytes);
        }

        Require(bytes);
        // What it stands in may be gone before the answer is.
        return payload.Clone();
    }

    public static RealtimeException TooLarge(int bytes, int maxBytes) =>
        new(ErrorCode.PayloadTooLarge, $"The payload has {bytes} bytes; {maxBytes} are taken.");

    private static bool IsDeep(ReadOnlySpan<byte> payload)
    {
        // Nearly all payloads have not even so many brackets.
        if (payload.Count((byte)'[') + payload.Count((byte)'{') <= MaxDepth)
        {
            return false;
        }

        var reader = new Utf8JsonReader(payload, new JsonReaderOptions { MaxDepth = int.MaxValue });
        while (reader.Read())
        {
            // The depth outside the bracket that was just opened.
            if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject && reader.CurrentDepth >= MaxDepth)
            {
                return true;
            }
        }

        return false;
    }
}
