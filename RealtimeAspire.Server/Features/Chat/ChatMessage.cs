using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The payload of <c>chat:message</c>.</summary>
[Description("A message in a room.")]
internal sealed record ChatMessage([property: StringLength(4_000, MinimumLength = 1)] string Text);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ChatMessage))]
internal sealed partial class ChatEventJson : JsonSerializerContext;
