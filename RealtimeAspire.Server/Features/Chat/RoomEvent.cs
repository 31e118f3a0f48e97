using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>What an event of a room's log says of its messages.</summary>
/// <param name="Offset">Where it is in the log.</param>
/// <param name="By">Who published it; null: the server, whose word counts.</param>
/// <param name="At">When the log took it.</param>
internal abstract record RoomEvent(long Offset, string? By, DateTimeOffset At)
{
    /// <summary>It stands in an index.</summary>
    private const int MaxEmojiLength = 64;

    /// <summary>So do they.</summary>
    public const int MaxNameLength = 255;
    private const int MaxNames = 100;

    /// <summary>A message, whose id is the event's offset.</summary>
    public sealed record Said(
        long Offset, string? By, DateTimeOffset At, string Text, long? ReplyTo, long? Thread, IReadOnlyList<string> Mentions, IReadOnlyList<string> Attachments)
        : RoomEvent(Offset, By, At);

    public sealed record Edited(long Offset, string? By, DateTimeOffset At, long Target, string Text, IReadOnlyList<string> Mentions) : RoomEvent(Offset, By, At);

    /// <summary>For a moderator it was the server; null: it was the author's own act.</summary>
    public sealed record Deleted(long Offset, string? By, DateTimeOffset At, long Target, string? Moderator) : RoomEvent(Offset, By, At);

    public sealed record Reacted(long Offset, string? By, DateTimeOffset At, long Target, string Emoji, bool On) : RoomEvent(Offset, By, At);

    public sealed record Pinned(long Offset, string? By, DateTimeOffset At, long Target, bool On) : RoomEvent(Offset, By, At);

    /// <summary>The messages that have to be known for it to be applied.</summary>
    public IEnumerable<long> Touched => this switch
    {
        Said said => new[] { said.ReplyTo, said.Thread }.OfType<long>(),
        Edited edited => [edited.Target],
        Deleted deleted => [deleted.Target],
        Reacted reacted => [reacted.Target],
        Pinned pinned => [pinned.Target],
        _ => [],
    };

    /// <summary>Reads an event. Applications that publish in SQL are not checked: null for what says nothing of messages, whoever wrote it.</summary>
    public static RoomEvent? Read(LoggedEvent logged)
    {
        var (offset, by, at) = (logged.Position.Offset, logged.UserId, logged.Timestamp);
        if (logged.Event == ChatFeature.MessageEvent)
        {
            return PayloadOf(logged, ChatEventJson.Default.ChatMessage) is { Text.Length: > 0 } said
                ? new Said(offset, by, at, Plain(said.Text), ToId(said.ReplyTo), ToId(said.Thread), Names(said.Mentions), Names(said.Attachments))
                : null;
        }

        return ToId(logged.EntityId) is not { } target ? null : logged.Event switch
        {
            ChatFeature.EditEvent when PayloadOf(logged, ChatEventJson.Default.ChatEdit) is { Text.Length: > 0 } edit => new Edited(offset, by, at, target, Plain(edit.Text), Names(edit.Mentions)),
            ChatFeature.DeleteEvent when PayloadOf(logged, ChatEventJson.Default.ChatDelete) is { } delete => new Deleted(offset, by, at, target, by is null ? delete.By : null),
            ChatFeature.ReactionEvent when by is not null && PayloadOf(logged, ChatEventJson.Default.ChatReaction) is { Emoji.Length: > 0 and <= MaxEmojiLength } reaction => new Reacted(offset, by, at, target, Plain(reaction.Emoji), reaction.On),
            ChatFeature.PinEvent when PayloadOf(logged, ChatEventJson.Default.ChatPin) is { } pin => new Pinned(offset, by, at, target, pin.On),
            _ => null,
        };
    }

    /// <summary>A message's id as it stands in events and addresses: an offset, without a sign or zeros before it.</summary>
    public static long? ToId(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0 && text[0] != '0' ? id : null;

    private static string[] Names(string[]? names) => names is null
        ? []
        : [.. names.Where(static name => name is { Length: > 0 and <= MaxNameLength }).Select(Plain).Distinct(StringComparer.Ordinal).Take(MaxNames)];

    /// <summary>PostgreSQL has no U+0000 in a text.</summary>
    private static string Plain(string text) => text.Replace('\0', '\uFFFD');

    private static T? PayloadOf<T>(LoggedEvent logged, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(logged.Payload, type);
        }
        // A half of a surrogate pair, in an escape, is no text.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
