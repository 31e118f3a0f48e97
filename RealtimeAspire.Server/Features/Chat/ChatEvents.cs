using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The payload of <c>chat:message</c>.</summary>
[Description("A message in a room. Its id is the event's offset as text.")]
internal sealed record ChatMessage(
    [property: StringLength(4_000, MinimumLength = 1), Description("Markdown source.")] string Text,
    [property: StringLength(19, MinimumLength = 1), Description("The id of the message that it answers.")] string? ReplyTo = null,
    [property: StringLength(19, MinimumLength = 1), Description("The id of the message whose thread it is in.")] string? Thread = null,
    [property: MaxLength(100), Description("The users that it is meant for.")] string[]? Mentions = null,
    [property: MaxLength(20), Description("The ids of files that were uploaded to the room.")] string[]? Attachments = null);

/// <summary>The payload of <c>chat:edit</c>.</summary>
[Description("Another text for the message that entity_id names, by its author.")]
internal sealed record ChatEdit(
    [property: StringLength(4_000, MinimumLength = 1), Description("Markdown source.")] string Text,
    [property: MaxLength(100), Description("The users that it is meant for.")] string[]? Mentions = null);

/// <summary>The payload of <c>chat:delete</c>.</summary>
[Description("Takes back the message that entity_id names: by its author, or by the server for a moderator.")]
internal sealed record ChatDelete(
    [property: StringLength(255, MinimumLength = 1), Description("The moderator. From clients it means nothing.")] string? By = null);

/// <summary>The payload of <c>chat:reaction</c>.</summary>
[Description("A reaction to the message that entity_id names.")]
internal sealed record ChatReaction(
    [property: StringLength(64, MinimumLength = 1), Description("The emoji, or the name of one.")] string Emoji,
    [property: Description("Whether it is there from now on.")] bool On);

/// <summary>The payload of <c>chat:pin</c>.</summary>
[Description("Pins the message that entity_id names to its room, or takes that back.")]
internal sealed record ChatPin([property: Description("Whether it is pinned from now on.")] bool On);

/// <summary>The payload of <c>chat:read</c>, which is in no log: positions merge by the greater one.</summary>
[Description("How far a member has read a room.")]
internal sealed record ChatRead(
    [property: StringLength(255, MinimumLength = 1), Description("Who.")] string User,
    [property: Description("Everything up to this offset.")] long Offset);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ChatMessage))]
[JsonSerializable(typeof(ChatEdit))]
[JsonSerializable(typeof(ChatDelete))]
[JsonSerializable(typeof(ChatReaction))]
[JsonSerializable(typeof(ChatPin))]
[JsonSerializable(typeof(ChatRead))]
internal sealed partial class ChatEventJson : JsonSerializerContext;
