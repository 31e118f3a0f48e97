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

    private const int UsualMembers = 16;

    /// <summary>
    /// What some reader cannot hold would break the connection of everyone who gets it, and again at each recovery: bytes that are no text,
    /// JSON deeper than parsers go by default, half a surrogate pair, a control character (PostgreSQL has no U+0000, XML none but
    /// tab, line feed and carriage return). Of two members of one name one reader takes the first, another the last.
    /// </summary>
    /// <param name="payload">Untrusted; JSON, as the parser has it.</param>
    /// <param name="maxMembers">How many members its objects may have in all.</param>
    /// <exception cref="RealtimeException"><c>payload_invalid</c>.</exception>
    public static void Require(ReadOnlySpan<byte> payload, int maxMembers)
    {
        if (!Utf8.IsValid(payload))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, "The payload is not UTF-8.");
        }

        if (new PayloadScan(payload, maxMembers, stackalloc int[MaxDepth], stackalloc PayloadScan.Name[UsualMembers]).Refuse() is { } wrong)
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, wrong);
        }
    }

    /// <summary>The payload of a call or an answer; null where it is missing.</summary>
    /// <exception cref="RealtimeException"><c>payload_too_large</c>, <c>payload_invalid</c>.</exception>
    public static JsonElement RequireOptional(JsonElement payload, int maxBytes, int maxMembers)
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

        Require(bytes, maxMembers);
        // What it stands in may be gone before the answer is.
        return payload.Clone();
    }

    public static RealtimeException TooLarge(int bytes, int maxBytes) =>
        new(ErrorCode.PayloadTooLarge, $"The payload has {bytes} bytes; {maxBytes} are taken.");
}
