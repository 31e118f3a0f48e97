using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat.Files;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>The reactions to a message that have the same emoji.</summary>
/// <param name="Emoji">As it was given.</param>
/// <param name="Count">By how many.</param>
/// <param name="Users">Some of them, by name.</param>
/// <param name="Mine">Whether the caller is one of them.</param>
internal sealed record ReactionEntry(string Emoji, long Count, IReadOnlyList<string> Users, bool Mine);

/// <summary>A message.</summary>
/// <param name="Id">The offset of its event, as text.</param>
/// <param name="Author">Who wrote it; null: the server.</param>
/// <param name="At">When.</param>
/// <param name="Text">Markdown source; empty where it was deleted.</param>
/// <param name="ReplyTo">The message that it answers.</param>
/// <param name="Thread">The message whose thread it is in.</param>
/// <param name="Mentions">Whom it is meant for.</param>
/// <param name="Attachments">Its files.</param>
/// <param name="EditedAt">When it was edited last.</param>
/// <param name="DeletedAt">When it was deleted; what it said is gone then.</param>
/// <param name="DeletedBy">By whom.</param>
/// <param name="PinnedAt">Since when it is pinned.</param>
/// <param name="PinnedBy">By whom.</param>
/// <param name="Replies">How many messages its thread has.</param>
/// <param name="LastReply">The newest of its thread.</param>
/// <param name="Reactions">The most frequent first.</param>
internal sealed record MessageEntry(
    string Id, string? Author, DateTimeOffset At, string Text, string? ReplyTo, string? Thread, IReadOnlyList<string> Mentions, IReadOnlyList<FileEntry> Attachments,
    DateTimeOffset? EditedAt, DateTimeOffset? DeletedAt, string? DeletedBy, DateTimeOffset? PinnedAt, string? PinnedBy, int Replies, string? LastReply,
    IReadOnlyList<ReactionEntry> Reactions)
{
    /// <summary>As <see cref="Of(RoomMessage, IEnumerable{ReactionEntry}, IReadOnlyDictionary{string, FileEntry})"/>, without what is kept beside it.</summary>
    public static MessageEntry Of(RoomMessage message) => Of(message, [], FrozenDictionary<string, FileEntry>.Empty);

    public static MessageEntry Of(RoomMessage message, IEnumerable<ReactionEntry> reactions, IReadOnlyDictionary<string, FileEntry> files) => new(
        ToId(message.Offset), message.Author, message.At, message.Text, ToId(message.ReplyTo), ToId(message.Thread), message.Mentions, [.. message.Attachments.Where(files.ContainsKey).Select(id => files[id])],
        message.EditedAt, message.DeletedAt, message.DeletedBy, message.PinnedAt, message.PinnedBy, message.Replies, ToId(message.LastReply), [.. reactions]);

    public static string ToId(long offset) => offset.ToString(CultureInfo.InvariantCulture);

    private static string? ToId(long? offset) => offset is { } id ? ToId(id) : null;
}

/// <summary>A page of messages.</summary>
/// <param name="Messages">Ascending.</param>
/// <param name="HasBefore">There are older ones.</param>
/// <param name="HasAfter">There are newer ones.</param>
/// <param name="FirstUnread">The first message that the caller has not read, where that was asked for and there is one.</param>
internal sealed record MessagePage(IReadOnlyList<MessageEntry> Messages, bool HasBefore, bool HasAfter, string? FirstUnread = null);

/// <summary>What a message said until an edit.</summary>
/// <param name="Text">Markdown source.</param>
/// <param name="Until">When it was edited.</param>
internal sealed record EditEntry(string Text, DateTimeOffset Until);

/// <summary>What a message said before.</summary>
/// <param name="Edits">The oldest first.</param>
internal sealed record EditList(IReadOnlyList<EditEntry> Edits);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(RoomList))]
[JsonSerializable(typeof(MessagePage))]
[JsonSerializable(typeof(EditList))]
[JsonSerializable(typeof(RoomRequest))]
[JsonSerializable(typeof(RoomChange))]
[JsonSerializable(typeof(MuteRequest))]
[JsonSerializable(typeof(MuteList))]
[JsonSerializable(typeof(ReportRequest))]
[JsonSerializable(typeof(ReportList))]
[JsonSerializable(typeof(ResolutionRequest))]
[JsonSerializable(typeof(PositionRequest))]
[JsonSerializable(typeof(PositionList))]
[JsonSerializable(typeof(ReceiptCount))]
[JsonSerializable(typeof(SearchPage))]
[JsonSerializable(typeof(FileEntry))]
internal sealed partial class ChatJson : JsonSerializerContext;
