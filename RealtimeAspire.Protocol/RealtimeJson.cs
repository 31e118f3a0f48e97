using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Protocol;

/// <summary>How everything on the wire is written and read, without reflection; shared by server and client.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(SubscribeRequest))]
[JsonSerializable(typeof(SubscribeReply))]
[JsonSerializable(typeof(SubscribeRequest[]))]
[JsonSerializable(typeof(SubscribeOutcome[]))]
[JsonSerializable(typeof(PublishRequest))]
[JsonSerializable(typeof(PublishRequest[]))]
[JsonSerializable(typeof(PublishReply))]
[JsonSerializable(typeof(PublishOutcome[]))]
[JsonSerializable(typeof(HistoryRequest))]
[JsonSerializable(typeof(HistoryReply))]
[JsonSerializable(typeof(AcknowledgeRequest))]
[JsonSerializable(typeof(RefreshReply))]
[JsonSerializable(typeof(CallRequest))]
[JsonSerializable(typeof(HandleRequest))]
[JsonSerializable(typeof(IncomingCall))]
[JsonSerializable(typeof(ReplyRequest))]
[JsonSerializable(typeof(Receipt[]))]
[JsonSerializable(typeof(TopicEvent[]))]
[JsonSerializable(typeof(PresenceRequest))]
[JsonSerializable(typeof(PresencePageRequest))]
[JsonSerializable(typeof(PresencePage))]
[JsonSerializable(typeof(UserPresence))]
[JsonSerializable(typeof(PresentMembers))]
[JsonSerializable(typeof(ChangedMembers))]
[JsonSerializable(typeof(LeftMembers))]
[JsonSerializable(typeof(Occupancy))]
[JsonSerializable(typeof(Typing))]
[JsonSerializable(typeof(Cursor))]
[JsonSerializable(typeof(Control))]
[JsonSerializable(typeof(SigningJwk))]
[JsonSerializable(typeof(SigningKeyRequest))]
[JsonSerializable(typeof(SigningKeyInfo))]
[JsonSerializable(typeof(SigningKeyList))]
[JsonSerializable(typeof(Dictionary<string, string>))]
public sealed partial class RealtimeJson : JsonSerializerContext
{
    /// <summary>Applies the settings of the wire to options that a framework owns.</summary>
    /// <param name="options">The options to change.</param>
    public static void Configure(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.PropertyNameCaseInsensitive = true;
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.Converters.Add(new TimestampConverter());
        options.TypeInfoResolverChain.Insert(0, Default);
    }
}

/// <summary>Times on the wire: UTC, milliseconds, <c>2026-11-21T05:27:00.123Z</c>.</summary>
public sealed class TimestampConverter : JsonConverter<DateTimeOffset>
{
    /// <summary>The one format.</summary>
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <inheritdoc/>
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDateTimeOffset();

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Span<byte> text = stackalloc byte[24];
        value.UtcDateTime.TryFormat(text, out var written, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..written]);
    }
}
