using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using MessagePack;
using MessagePack.Formatters;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections.MessagePack;

/// <summary>
/// Reads and writes every type as its JSON would be, but in MessagePack: the same names, values, checks and errors. Only events are
/// written in a form of their own, which is shorter.
/// </summary>
/// <param name="json">How the types are written in JSON.</param>
internal sealed class JsonResolver(JsonSerializerOptions json) : IFormatterResolver
{
    private readonly EventFormatter _events = new();
    private readonly ResultsFormatter _results = new();
    private readonly AnswerFormatter<SubscribeAnswer> _subscribed = new(json);
    private readonly AnswerFormatter<SubscribeResult> _result = new(json);
    private readonly AnswerFormatter<HistoryAnswer> _history = new(json);

    public IMessagePackFormatter<T>? GetFormatter<T>() =>
        _events as IMessagePackFormatter<T>
        ?? _results as IMessagePackFormatter<T>
        ?? _subscribed as IMessagePackFormatter<T>
        ?? _result as IMessagePackFormatter<T>
        ?? _history as IMessagePackFormatter<T>
        ?? new JsonFormatter<T>(json);
}

/// <summary>By way of the JSON.</summary>
internal sealed class JsonFormatter<T>(JsonSerializerOptions json) : IMessagePackFormatter<T>
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options) =>
        JsonToMessagePack.Write(JsonSerializer.SerializeToUtf8Bytes(value, json), ref writer);

    /// <param name="reader">Untrusted input.</param>
    /// <param name="options">How deep it may be.</param>
    public T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text, WriterOptions))
        {
            MessagePackToJson.Write(ref reader, writer, options.Security);
        }

        return JsonSerializer.Deserialize<T>(text.WrittenSpan, json)!;
    }
}

/// <summary>What is only ever written.</summary>
internal abstract class AnswerOnly<T> : IMessagePackFormatter<T>
{
    public abstract void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options);

    public T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) =>
        throw new NotSupportedException("Answers are encoded, never decoded, by the server.");
}

/// <summary>An answer with events in it: a map with the members that its JSON has, by the same contract.</summary>
internal sealed class AnswerFormatter<T>(JsonSerializerOptions json) : AnswerOnly<T>
    where T : notnull
{
    public override void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options)
    {
        var members = json.GetTypeInfo(typeof(T)).Properties
            .Select(member => (member.Name, member.PropertyType, Value: member.Get!(value), member.ShouldSerialize))
            .Where(member => member.ShouldSerialize?.Invoke(value, member.Value) ?? true)
            .ToList();
        writer.WriteMapHeader(members.Count);
        foreach (var member in members)
        {
            writer.Write(member.Name);
            if (member.Value is null)
            {
                writer.WriteNil();
            }
            else
            {
                MessagePackSerializer.Serialize(member.PropertyType, ref writer, member.Value, options);
            }
        }
    }
}

/// <summary>The answers to a subscribe to many topics.</summary>
internal sealed class ResultsFormatter : AnswerOnly<SubscribeResult[]>
{
    public override void Serialize(ref MessagePackWriter writer, SubscribeResult[] value, MessagePackSerializerOptions options)
    {
        writer.WriteArrayHeader(value.Length);
        foreach (var result in value)
        {
            MessagePackSerializer.Serialize(ref writer, result, options);
        }
    }
}

/// <summary>Events, which were encoded before.</summary>
internal sealed class EventFormatter : AnswerOnly<IReadOnlyList<EncodedEvent>>, IMessagePackFormatter<EncodedEvent[]>
{
    public override void Serialize(ref MessagePackWriter writer, IReadOnlyList<EncodedEvent> value, MessagePackSerializerOptions options)
    {
        writer.WriteArrayHeader(value.Count);
        foreach (var encoded in value)
        {
            PackedEvent.Write(encoded, numbered: false, ref writer);
        }
    }

    void IMessagePackFormatter<EncodedEvent[]>.Serialize(ref MessagePackWriter writer, EncodedEvent[] value, MessagePackSerializerOptions options) =>
        Serialize(ref writer, value, options);

    EncodedEvent[] IMessagePackFormatter<EncodedEvent[]>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => [.. Deserialize(ref reader, options)];
}
