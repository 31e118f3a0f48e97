using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A part of a text, in UTF-16 code units.</summary>
/// <param name="Begin">Where it begins.</param>
/// <param name="Length">How long it is.</param>
internal sealed record TextMark(int Begin, int Length);

/// <summary>A message that was found.</summary>
/// <param name="Room">The identifier of its room.</param>
/// <param name="Message">The message.</param>
/// <param name="Snippet">What of it shows why; plain text.</param>
/// <param name="Marks">What of the snippet was looked for.</param>
internal sealed record FoundMessage(string Room, MessageEntry Message, string Snippet, IReadOnlyList<TextMark> Marks);

/// <summary>What was found.</summary>
/// <param name="Found">The newest first.</param>
/// <param name="Next">In one room: where the next page begins; null: there is none.</param>
internal sealed record SearchPage(IReadOnlyList<FoundMessage> Found, string? Next = null);

/// <summary>Full-text search over HTTP.</summary>
internal static class SearchApi
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;
    private const int MaxQuery = 200;
    private const int MaxRooms = 200;

    private static readonly ErrorCode[] Errors = [ErrorCode.RequestInvalid, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded];

    public static void MapSearch(this RouteGroupBuilder rooms) => rooms.MapMethods("/{room}/search", ReadMethods.All, SearchRoomAsync)
        .WithSummary("Messages of a room that have some words, the newest first.")
        .Produces<SearchPage>()
        .WithErrors([.. Errors, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.Denied, ErrorCode.HookUnavailable]);

    public static void MapSearchOfAll(this RouteGroupBuilder search) => search.MapMethods("", ReadMethods.All, SearchAllAsync)
        .WithSummary("Messages of the rooms that the caller may read that have some words, the newest first.")
        .Produces<SearchPage>()
        .WithErrors(Errors);

    private static async Task<JsonHttpResult<SearchPage>> SearchRoomAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        MessageSearch search,
        [Description("Words; \"in quotes\" they follow one another, or and - mean what they do elsewhere.")] string? q,
        [Description("Those before the message of this id.")] string? before,
        [Description("The most of them, 1 to 100. Default: 20.")] int? limit)
    {
        var (query, size) = Require(q, limit);
        var end = before is null ? long.MaxValue : RoomEvent.ToId(before) ?? throw new RealtimeException(ErrorCode.RequestInvalid, "A message's id is a number, 1 or more.");
        var view = await door.EnterAsync(context, room, size);
        var found = await search.FindAsync(view, query, end, size + 1, context.RequestAborted);
        return TypedResults.Json(new SearchPage([.. found.Take(size)], found.Count > size ? found[size - 1].Message.Id : null), ChatJson.Default.SearchPage);
    }

    private static async Task<JsonHttpResult<SearchPage>> SearchAllAsync(
        HttpContext context,
        RequestLimiter limits,
        RoomStore rooms,
        RoomDoor door,
        TopicAccess access,
        TopicCatalog topics,
        Memberships memberships,
        ChatProjector projector,
        MessageSearch search,
        [Description("Words; \"in quotes\" they follow one another, or and - mean what they do elsewhere.")] string? q,
        [Description("The most of them, 1 to 100. Default: 20.")] int? limit)
    {
        var (query, size) = Require(q, limit);
        var caller = Caller.From(context.User);
        limits.AdmitPage(caller, MaxRooms);
        var all = await rooms.ListAsync(caller, DateTimeOffset.MaxValue, "", MaxRooms, context.RequestAborted);
        var open = all.Where(room => room.State is not null && access.MayReadHistory(caller, topics.Get(room.Topic), room.Topic)).ToList();
        await projector.TryCatchUpAsync(caller.Tenant, open, context.RequestAborted);
        var mine = open.Select(room => new SearchedRoom(room.Topic, room.State!.TopicId, memberships.HorizonOf(caller, room.Topic), room.State.Tip + 1)).ToList();
        var found = await search.FindAsync(caller.Tenant, mine, query, size, context.RequestAborted);
        var shown = new HashSet<string>(StringComparer.Ordinal);
        foreach (var room in found.Select(static one => one.Room).Distinct(StringComparer.Ordinal))
        {
            if (await door.MayEnterAsync(caller, TopicName.Parse($"{TopicCatalog.Room}:{room}"), context.RequestAborted))
            {
                shown.Add(room);
            }
        }

        return TypedResults.Json(new SearchPage([.. found.Where(one => shown.Contains(one.Room))]), ChatJson.Default.SearchPage);
    }

    private static (string Query, int Size) Require(string? q, int? limit) =>
        string.IsNullOrWhiteSpace(q) || q.Length > MaxQuery || limit is < 1 or > MaxLimit
            ? throw new RealtimeException(ErrorCode.RequestInvalid, $"'q' is 1 to {MaxQuery} characters, 'limit' 1 to {MaxLimit}.")
            : (q, limit ?? DefaultLimit);
}
