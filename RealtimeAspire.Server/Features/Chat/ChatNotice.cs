using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The data of a notification of a mention or an invitation.</summary>
/// <param name="Topic">The room's.</param>
/// <param name="Message">The message that mentions; null: it is an invitation.</param>
internal sealed record ChatNotice(string Topic, string? Message = null);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ChatNotice))]
internal sealed partial class ChatNoticeJson : JsonSerializerContext;
