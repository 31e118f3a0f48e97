using System.Buffers;
using System.Globalization;
using System.Text.Json;
using MessagePack;

namespace RealtimeAspire.Server.Pipeline.Connections.MessagePack;

/// <summary>
/// Writes JSON as the MessagePack value that says the same: to whoever reads numbers as a double or a 64-bit integer, which is what
/// a JSON parser makes of them too.
/// </summary>
internal static class JsonToMessagePack
{
    // What is written here was read before, or is our own.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = int.MaxValue };

    /// <param name="json">One value.</param>
    /// <param name="writer">Where it is written.</param>
    public static void Write(ReadOnlySpan<byte> json, ref MessagePackWriter writer)
    {
        // MessagePack says first how much there is in an array or an object.
        var counts = CountElements(json);
        var container = 0;
        var reader = new Utf8JsonReader(json, Options);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray:
                    writer.WriteArrayHeader(counts[container++]);
                    break;
                case JsonTokenType.StartObject:
                    writer.WriteMapHeader(counts[container++]);
                    break;
                case JsonTokenType.PropertyName or JsonTokenType.String:
                    WriteText(ref reader, ref writer);
                    break;
                case JsonTokenType.Number:
                    WriteNumber(ref reader, ref writer);
                    break;
                case JsonTokenType.True or JsonTokenType.False:
                    writer.Write(reader.TokenType is JsonTokenType.True);
                    break;
                case JsonTokenType.Null:
                    writer.WriteNil();
                    break;
            }
        }
    }

    /// <summary>Of each array and object, in the order in which they begin.</summary>
    private static List<int> CountElements(ReadOnlySpan<byte> json)
    {
        List<int> counts = [];
        if (json is not ([(byte)'{' or (byte)'[', ..]))
        {
            return counts;
        }

        var open = new Stack<int>();
        var reader = new Utf8JsonReader(json, Options);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.EndArray or JsonTokenType.EndObject:
                    open.Pop();
                    continue;
                case JsonTokenType.PropertyName:
                    continue;
            }

            if (open.TryPeek(out var parent))
            {
                counts[parent]++;
            }

            if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject)
            {
                open.Push(counts.Count);
                counts.Add(0);
            }
        }

        return counts;
    }

    private static void WriteNumber(ref Utf8JsonReader reader, ref MessagePackWriter writer)
    {
        if (reader.TryGetInt64(out var number) && (number != 0 || reader.ValueSpan[0] != (byte)'-'))
        {
            writer.Write(number);
        }
        else if (reader.TryGetUInt64(out var large))
        {
            writer.Write(large);
        }
        else
        {
            writer.Write(reader.GetDouble());
        }
    }

    private static void WriteText(ref Utf8JsonReader reader, ref MessagePackWriter writer)
    {
        if (!reader.ValueIsEscaped)
        {
            writer.WriteString(reader.ValueSpan);
            return;
        }

        var buffer = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            writer.WriteString(buffer.AsSpan(0, Unescape(ref reader, buffer)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static int Unescape(ref Utf8JsonReader reader, Span<byte> to)
    {
        try
        {
            return reader.CopyString(to);
        }
        catch (InvalidOperationException)
        {
            // Half a character, which JSON may escape and which is in no UTF-8.
            byte[] mended = [(byte)'"', .. reader.ValueSpan, (byte)'"'];
            Mend(mended);
            var again = new Utf8JsonReader(mended);
            again.Read();
            return again.CopyString(to);
        }
    }

    /// <summary>Puts U+FFFD in the place of escaped surrogates that are no pair.</summary>
    private static void Mend(Span<byte> text)
    {
        const int EscapeLength = 6;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != (byte)'\\')
            {
                continue;
            }

            if (text[i + 1] != (byte)'u')
            {
                i++;
                continue;
            }

            var first = UnitAt(text[i..]);
            if (char.IsHighSurrogate(first) && text[i + EscapeLength] == (byte)'\\' && text[i + EscapeLength + 1] == (byte)'u' && char.IsLowSurrogate(UnitAt(text[(i + EscapeLength)..])))
            {
                i += EscapeLength;
            }
            else if (char.IsSurrogate(first))
            {
                "FFFD"u8.CopyTo(text[(i + 2)..]);
            }

            i += EscapeLength - 1;
        }
    }

    private static char UnitAt(ReadOnlySpan<byte> escape) => (char)int.Parse(escape.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
