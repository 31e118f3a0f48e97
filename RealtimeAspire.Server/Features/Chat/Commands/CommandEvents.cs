using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>The payload of <c>chat:command</c>, on <c>bot:*</c>.</summary>
[Description("A user has given a bot a command. The command's id is the event's offset as text.")]
internal sealed record ChatCommand(
    [property: StringLength(161, MinimumLength = 1), Description("The topic of the room in which it was given.")] string Room,
    [property: StringLength(32, MinimumLength = 1), Description("The command, without the slash.")] string Name,
    [property: StringLength(4_000), Description("What followed it.")] string Text,
    [property: StringLength(255, MinimumLength = 1), Description("Who has given it.")] string User,
    [property: StringLength(19, MinimumLength = 1), Description("The id of the message in whose thread it was given.")] string? Thread = null);

/// <summary>The payload of <c>chat:reply</c>, on <c>user:*</c>.</summary>
[Description("A bot's answer to a command, for the user who has given it alone.")]
internal sealed record ChatReply(
    [property: StringLength(161, MinimumLength = 1), Description("The topic of the room in which the command was given.")] string Room,
    [property: StringLength(128, MinimumLength = 1), Description("The bot.")] string Bot,
    [property: StringLength(19, MinimumLength = 1), Description("The command's id.")] string Command,
    [property: StringLength(4_000, MinimumLength = 1), Description("Markdown source.")] string Text,
    [property: StringLength(19, MinimumLength = 1), Description("The id of the message in whose thread it was given.")] string? Thread = null);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ChatCommand))]
[JsonSerializable(typeof(ChatReply))]
internal sealed partial class CommandEventJson : JsonSerializerContext;
