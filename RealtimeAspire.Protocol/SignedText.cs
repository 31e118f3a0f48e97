using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Protocol;

/// <summary>
/// What the publisher of an event signs: <c>realtime.event.v1</c>, a line feed, and the canonical JSON (RFC 8785) of an object with
/// <c>entityId</c>, <c>event</c>, <c>id</c>, <c>keyId</c>, <c>payload</c>, <c>signedAt</c>, <c>tenant</c>, <c>topic</c> and <c>v</c>.
/// The TypeScript client has a twin of it, and both are held against the same examples.
/// </summary>
/// <remarks>
/// Whatever white space, order of members, escapes or way of writing a number an event comes with, the text is the same. What cannot be told
/// apart after that must not be signed: a number that is more exact than a double, half a surrogate pair.
/// </remarks>
public static class SignedText
{
    private const int MaxDepth = 64;

    private static readonly byte[] Beginning = "realtime.event.v1\n"u8.ToArray();
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly SearchValues<char> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(code => (char)code), '"', '\\']);

    /// <summary>The text of an event that is about to be published. The value of its signature is not a part of it.</summary>
    /// <param name="request">With an id and a signature.</param>
    /// <param name="topic">The topic's name; that of the request is not looked at.</param>
    /// <param name="tenant">Of which tenant the publisher is.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>payload_invalid</c>: it cannot be signed.</exception>
    public static byte[] Of(PublishRequest request, string topic, string tenant)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request is { Event: { } name, Id: { } id, Signature: { } signature }
            ? Of(new Signed(tenant, topic, name, id, request.EntityId, request.Version, request.Payload, signature))
            : throw new RealtimeException(ErrorCode.RequestInvalid, "What is signed has an event name and an id.");
    }

    /// <summary>The text of an event as subscribers have it.</summary>
    /// <param name="published">With a signature.</param>
    /// <param name="tenant">The tenant of the key that has signed.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>payload_invalid</c>: nobody can have signed it.</exception>
    public static byte[] Of(TopicEvent published, string tenant)
    {
        ArgumentNullException.ThrowIfNull(published);
        var data = published.Data;
        return data.Signature is { } signature
            ? Of(new Signed(tenant, published.Topic, published.Event, published.Id, data.EntityId, published.Version, data.Payload, signature))
            : throw new RealtimeException(ErrorCode.RequestInvalid, "The event is not signed.");
    }

    /// <summary>JSON in its canonical form (RFC 8785), as UTF-8.</summary>
    /// <param name="value">Any value.</param>
    /// <exception cref="RealtimeException"><c>payload_invalid</c>: it has none.</exception>
    public static byte[] Canonical(JsonElement value)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(value, output, depth: 0);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Of(Signed signed)
    {
        var output = new ArrayBufferWriter<byte>(512);
        output.Write(Beginning);
        // The members are in their order already.
        output.Write("{\"entityId\":"u8);
        if (signed.EntityId is { } entity)
        {
            Write(entity, output);
        }
        else
        {
            output.Write("null"u8);
        }

        WriteMember("event"u8, signed.Event, output);
        WriteMember("id"u8, signed.Id, output);
        WriteMember("keyId"u8, signed.Signature.KeyId, output);
        output.Write(",\"payload\":"u8);
        Write(signed.Payload, output, depth: 0);
        WriteMember("signedAt"u8, signed.Signature.SignedAt.UtcDateTime.ToString(TimestampConverter.Format, CultureInfo.InvariantCulture), output);
        WriteMember("tenant"u8, signed.Tenant, output);
        WriteMember("topic"u8, signed.Topic, output);
        output.Write(",\"v\":"u8);
        output.Write(Encoding.ASCII.GetBytes(signed.Version.ToString(CultureInfo.InvariantCulture)));
        output.Write("}"u8);
        return output.WrittenSpan.ToArray();
    }

    private static void WriteMember(ReadOnlySpan<byte> name, string value, ArrayBufferWriter<byte> output)
    {
        output.Write(",\""u8);
        output.Write(name);
        output.Write("\":"u8);
        Write(value, output);
    }

    private static void Write(JsonElement value, ArrayBufferWriter<byte> output, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, "The payload is nested too deeply to be signed.");
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(value, output, depth);
                break;
            case JsonValueKind.Array:
                WriteArray(value, output, depth);
                break;
            case JsonValueKind.String:
                Write(TextOf(value, static value => value.GetString()!), output);
                break;
            case JsonValueKind.Number:
                CanonicalNumber.Write(JsonMarshal.GetRawUtf8Value(value), output);
                break;
            case JsonValueKind.True:
                output.Write("true"u8);
                break;
            case JsonValueKind.False:
                output.Write("false"u8);
                break;
            case JsonValueKind.Null:
                output.Write("null"u8);
                break;
            default:
                throw new RealtimeException(ErrorCode.PayloadInvalid, "The payload is missing.");
        }
    }

    private static void WriteObject(JsonElement value, ArrayBufferWriter<byte> output, int depth)
    {
        var members = value.EnumerateObject().Select(member => (Name: TextOf(member, static member => member.Name), member.Value)).ToArray();
        // By UTF-16 units, as JavaScript sorts.
        Array.Sort(members, static (one, other) => string.CompareOrdinal(one.Name, other.Name));
        output.Write("{"u8);
        for (var i = 0; i < members.Length; i++)
        {
            output.Write(i == 0 ? ""u8 : ","u8);
            Write(members[i].Name, output);
            output.Write(":"u8);
            Write(members[i].Value, output, depth + 1);
        }

        output.Write("}"u8);
    }

    private static void WriteArray(JsonElement value, ArrayBufferWriter<byte> output, int depth)
    {
        output.Write("["u8);
        var isFirst = true;
        foreach (var element in value.EnumerateArray())
        {
            output.Write(isFirst ? ""u8 : ","u8);
            isFirst = false;
            Write(element, output, depth + 1);
        }

        output.Write("]"u8);
    }

    private static void Write(string text, ArrayBufferWriter<byte> output)
    {
        output.Write("\""u8);
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            var plain = rest.IndexOfAny(Escaped);
            WritePlain(plain < 0 ? rest : rest[..plain], output);
            if (plain < 0)
            {
                break;
            }

            WriteEscape(rest[plain], output);
            rest = rest[(plain + 1)..];
        }

        output.Write("\""u8);
    }

    private static void WritePlain(ReadOnlySpan<char> text, ArrayBufferWriter<byte> output)
    {
        try
        {
            Utf8.GetBytes(text, output);
        }
        catch (EncoderFallbackException exception)
        {
            throw NoText(exception);
        }
    }

    private static void WriteEscape(char character, ArrayBufferWriter<byte> output) => output.Write(character switch
    {
        '"' => "\\\""u8,
        '\\' => "\\\\"u8,
        '\b' => "\\b"u8,
        '\t' => "\\t"u8,
        '\n' => "\\n"u8,
        '\f' => "\\f"u8,
        '\r' => "\\r"u8,
        _ => Encoding.ASCII.GetBytes($"\\u{(int)character:x4}"),
    });

    /// <summary>The parser says late that an escape is half a pair.</summary>
    private static string TextOf<T>(T of, Func<T, string> read)
    {
        try
        {
            return read(of);
        }
        catch (InvalidOperationException exception)
        {
            throw NoText(exception);
        }
    }

    private static RealtimeException NoText(Exception exception) => new(ErrorCode.PayloadInvalid, "Half a surrogate pair is no text, and cannot be signed.", exception);

    /// <summary>What is signed of an event.</summary>
    private readonly record struct Signed(
        string Tenant, string Topic, string Event, string Id, string? EntityId, int Version, JsonElement Payload, EventSignature Signature);
}
