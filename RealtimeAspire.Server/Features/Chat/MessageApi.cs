using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A room's messages over HTTP. They are written as events are, over the hub or <c>POST /topics/{topic}/events</c>.</summary>
internal static class MessageApi
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 200;
    private const int NamedUsers = 20;
    private const int MaxPins = 100;
    private const int MaxEdits = 100;

    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.Denied, ErrorCode.HookUnavailable, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    public static void MapMessages(this RouteGroupBuilder rooms)
    {
        var messages = rooms.MapGroup("/{room}/messages");
        messages.MapMethods("", ReadMethods.All, PageAsync)
            .WithSummary("A page of a room's messages, ascending; without a place, the newest.")
            .Produces<MessagePage>()
            .WithErrors([.. Errors, ErrorCode.RequestInvalid]);
        messages.MapMethods("/{id}", ReadMethods.All, GetAsync)
            .WithSummary("A message.")
            .Produces<MessageEntry>()
            .WithErrors([.. Errors, ErrorCode.MessageNotFound]);
        messages.MapDelete("/{id}", DeleteAsync)
            .WithSummary("Takes a message back: one's own, or as a moderator anybody's.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. Errors, ErrorCode.MessageNotFound, ErrorCode.NotAuthor, ErrorCode.Muted, ErrorCode.AuditUnavailable]);
        messages.MapMethods("/{id}/thread", ReadMethods.All, ThreadAsync)
            .WithSummary("A page of the thread that a message has begun, ascending; without a place, the oldest.")
            .Produces<MessagePage>()
            .WithErrors([.. Errors, ErrorCode.RequestInvalid, ErrorCode.MessageNotFound]);
        messages.MapMethods("/{id}/edits", ReadMethods.All, EditsAsync)
            .WithSummary("What a message said before it was edited, the oldest first.")
            .Produces<EditList>()
            .WithErrors([.. Errors, ErrorCode.MessageNotFound]);
        rooms.MapMethods("/{room}/pins", ReadMethods.All, PinsAsync)
            .WithSummary("The room's pinned messages, the one that was pinned last first.")
            .Produces<MessagePage>()
            .WithErrors(Errors);
    }

    private static async Task<JsonHttpResult<MessagePage>> PageAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        MessageReader reader,
        ChatFiles files,
        ReadPositions positions,
        [Description("The newest before the message of this id.")] string? before,
        [Description("The oldest after the message of this id.")] string? after,
        [Description("The message of this id, with those on both sides.")] string? around,
        [Description("The first message of this time or later, with those on both sides.")] string? at,
        [Description("True: the first message that the caller has not read, with those on both sides.")] bool? unread,
        [Description("The most messages, 1 to 200. Default: 50.")] int? limit)
    {
        var range = ToRange(before, after, around, at, unread is true);
        var size = ToSize(limit);
        var view = await door.EnterAsync(context, room, size);
        long? first = null;
        if (unread is true)
        {
            first = await positions.FindFirstUnreadAsync(view, context.RequestAborted);
            range = first is { } id ? new MessageRange.Around(id) : new MessageRange.Newest();
        }

        var slice = await reader.ReadAsync(view, range, thread: null, size, context.RequestAborted);
        return await AnswerAsync(context, view, reader, files, slice, first);
    }

    private static async Task<JsonHttpResult<MessagePage>> ThreadAsync(
        string room,
        string id,
        HttpContext context,
        RoomDoor door,
        MessageReader reader,
        ChatFiles files,
        [Description("The newest before the message of this id.")] string? before,
        [Description("The oldest after the message of this id.")] string? after,
        [Description("The most messages, 1 to 200. Default: 50.")] int? limit)
    {
        var range = before is null && after is null ? new MessageRange.After(0) : ToRange(before, after, around: null, at: null, unread: false);
        var size = ToSize(limit);
        var view = await door.EnterAsync(context, room, size);
        var root = await RequireAsync(reader, view, id, context.RequestAborted);
        var slice = await reader.ReadAsync(view, range, root.Thread ?? root.Offset, size, context.RequestAborted);
        return await AnswerAsync(context, view, reader, files, range is MessageRange.After { Id: 0 } ? slice with { HasBefore = false } : slice, first: null);
    }

    private static async Task<JsonHttpResult<MessageEntry>> GetAsync(string room, string id, HttpContext context, RoomDoor door, MessageReader reader, ChatFiles files)
    {
        var view = await door.EnterAsync(context, room);
        var message = await RequireAsync(reader, view, id, context.RequestAborted);
        var reactions = await reader.ReadReactionsAsync(view, [message], NamedUsers, context.RequestAborted);
        var described = await files.DescribeAsync(view.Topic.Tenant, [message], context.RequestAborted);
        return TypedResults.Json(MessageEntry.Of(message, reactions[message.Offset], described), ChatJson.Default.MessageEntry);
    }

    private static async Task<JsonHttpResult<EditList>> EditsAsync(string room, string id, HttpContext context, RoomDoor door, MessageReader reader)
    {
        var view = await door.EnterAsync(context, room, MaxEdits);
        var message = await RequireAsync(reader, view, id, context.RequestAborted);
        var edits = await reader.ReadEditsAsync(view, message.Offset, MaxEdits, context.RequestAborted);
        return TypedResults.Json(new EditList([.. edits.Select(static edit => new EditEntry(edit.Text, edit.Until))]), ChatJson.Default.EditList);
    }

    private static async Task<JsonHttpResult<MessagePage>> PinsAsync(string room, HttpContext context, RoomDoor door, MessageReader reader, ChatFiles files)
    {
        var view = await door.EnterAsync(context, room, MaxPins);
        return await AnswerAsync(context, view, reader, files, new MessageSlice(await reader.ReadPinsAsync(view, MaxPins, context.RequestAborted), HasBefore: false, HasAfter: false), first: null);
    }

    private static async Task<NoContent> DeleteAsync(string room, string id, HttpContext context, RoomDoor door, MessageReader reader, ChatModeration moderation)
    {
        var view = await door.EnterAsync(context, room);
        var message = await RequireAsync(reader, view, id, context.RequestAborted);
        await moderation.DeleteAsync(view, message);
        return TypedResults.NoContent();
    }

    private static async Task<JsonHttpResult<MessagePage>> AnswerAsync(HttpContext context, RoomView view, MessageReader reader, ChatFiles files, MessageSlice slice, long? first)
    {
        var reactions = await reader.ReadReactionsAsync(view, [.. slice.Messages], NamedUsers, context.RequestAborted);
        var described = await files.DescribeAsync(view.Topic.Tenant, slice.Messages, context.RequestAborted);
        var entries = slice.Messages.Select(message => MessageEntry.Of(message, reactions[message.Offset], described));
        return TypedResults.Json(
            new MessagePage([.. entries], slice.HasBefore, slice.HasAfter, first is { } unread ? MessageEntry.ToId(unread) : null), ChatJson.Default.MessagePage);
    }

    /// <summary>A message that the caller may see.</summary>
    /// <exception cref="RealtimeException"><c>message_not_found</c>.</exception>
    public static async Task<RoomMessage> RequireAsync(MessageReader reader, RoomView view, string id, CancellationToken cancellationToken) =>
        RoomEvent.ToId(id) is { } offset && await reader.FindAsync(view, offset, cancellationToken) is { } message ? message : throw new RealtimeException(ErrorCode.MessageNotFound);

    private static MessageRange ToRange(string? before, string? after, string? around, string? at, bool unread)
    {
        if (new[] { before, after, around, at }.Count(static place => place is not null) + (unread ? 1 : 0) > 1)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Give one of before, after, around, at and unread.");
        }

        return (before, after, around, at) switch
        {
            ({ } id, _, _, _) => new MessageRange.Before(ToId(id)),
            (_, { } id, _, _) => new MessageRange.After(ToId(id)),
            (_, _, { } id, _) => new MessageRange.Around(ToId(id)),
            (_, _, _, { } time) => new MessageRange.At(ToTime(time)),
            _ => new MessageRange.Newest(),
        };
    }

    private static long ToId(string id) => RoomEvent.ToId(id) ?? throw new RealtimeException(ErrorCode.RequestInvalid, "A message's id is a number, 1 or more.");

    private static DateTimeOffset ToTime(string text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
        ? time
        : throw new RealtimeException(ErrorCode.RequestInvalid, "A time is as 2026-11-21T05:27:00Z.");

    private static int ToSize(int? limit) => limit is < 1 or > MaxLimit
        ? throw new RealtimeException(ErrorCode.RequestInvalid, $"A limit is 1 to {MaxLimit}.")
        : limit ?? DefaultLimit;
}
