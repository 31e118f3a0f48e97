using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>What streams and polls write.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(StreamStart))]
[JsonSerializable(typeof(PollAnswer))]
internal sealed partial class HttpJson : JsonSerializerContext;
