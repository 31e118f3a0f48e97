using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
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

/// <summary>A room.</summary>
/// <param name="Topic">Its topic.</param>
/// <param name="Name">The topic's identifier, as it stands in addresses.</param>
/// <param name="Position">Where its log is.</param>
/// <param name="LastEventAt">When it had its last event; before the first, when it was made.</param>
/// <param name="Kind"><c>public</c>, <c>private</c>, <c>direct</c> or <c>group</c>.</param>
/// <param name="Title">What people call it.</param>
/// <param name="Description">What it is for.</param>
/// <param name="CreatedBy">Who made it; null where nobody did, and somebody just spoke in it.</param>
/// <param name="SlowSeconds">How long a member waits between two messages; 0: not at all.</param>
/// <param name="Role">What the caller is in it; null: no member.</param>
/// <param name="Members">How many it has.</param>
/// <param name="Unread">How many messages of others the caller has not read.</param>
/// <param name="Mentions">How many of them mention him.</param>
/// <param name="LastMessage">The newest message in no thread; null too where the caller may not read what was said, or the application is asked before he does.</param>
internal sealed record Room(
    string Topic, string Name, Position Position, DateTimeOffset LastEventAt, string Kind, string Title, string Description, string? CreatedBy, int SlowSeconds,
    string? Role, long Members, long Unread, long Mentions, MessageEntry? LastMessage);

/// <summary>A page of rooms.</summary>
/// <param name="Rooms">The one with the latest event first.</param>
/// <param name="Next">Where the next page begins; null: there is none.</param>
internal sealed record RoomList(IReadOnlyList<Room> Rooms, string? Next = null);

/// <summary>A room that shall be.</summary>
/// <param name="Title">What people call it.</param>
/// <param name="Kind"><c>public</c>, <c>private</c> or <c>group</c>. Default: public.</param>
/// <param name="Name">The topic's identifier. Default: one that nobody has.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Members">Who shall be a member beside its maker, who is its owner.</param>
/// <param name="ShowsPast">Whether members see what was there before they joined. Default: no.</param>
internal sealed record RoomRequest(
    [property: StringLength(100)] string? Title, string? Kind = null, string? Name = null, [property: StringLength(1_000)] string? Description = null,
    [property: MaxLength(100)] IReadOnlyList<string>? Members = null, bool ShowsPast = false);

/// <summary>What shall be different about a room; what is missing stays.</summary>
/// <param name="Title">What people call it.</param>
/// <param name="Description">What it is for.</param>
/// <param name="SlowSeconds">How long a member waits between two messages, 0 to 86,400; moderators do not.</param>
internal sealed record RoomChange([property: StringLength(100)] string? Title = null, [property: StringLength(1_000)] string? Description = null, int? SlowSeconds = null);

/// <summary>Rooms over HTTP: which there are, making, changing, joining and leaving them.</summary>
internal static class RoomApi
{
    private const int MaxRooms = 200;
    private const int MaxTitle = 100;
    private const int MaxDescription = 1_000;
    private const int MaxMembers = 100;
    private const int MaxSlowSeconds = 86_400;
    private const int MaxRounds = 10;
    private const int RandomBytes = 10;
    private const string DirectPrefix = "direct-";

    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    private static readonly ErrorCode[] WriteErrors =
        [.. Errors, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.AuditUnavailable, ErrorCode.UserInvalid];

    public static void MapRooms(this RouteGroupBuilder rooms)
    {
        rooms.MapMethods("", ReadMethods.All, ListAsync)
            .WithSummary("The rooms that the caller may read, the one with the latest event first.")
            .Produces<RoomList>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded);
        rooms.MapPost("", CreateAsync)
            .WithSummary("Makes a room, of which the caller becomes the owner.")
            .WithBody<RoomRequest>()
            .Produces<Room>(StatusCodes.Status201Created)
            .WithErrors([.. WriteErrors, ErrorCode.RoomExists]);
        rooms.MapPut("/direct/{user}", DirectAsync)
            .WithSummary("The room of the caller and one other user; it is made where it is not there yet.")
            .Produces<Room>()
            .WithErrors(WriteErrors);
        rooms.MapMethods("/{room}", ReadMethods.All, GetAsync)
            .WithSummary("A room.")
            .Produces<Room>()
            .WithErrors([.. Errors, ErrorCode.NotFound]);
        rooms.MapPatch("/{room}", ChangeAsync)
            .WithSummary("Changes what is said of a room, and how slow it is; for who has the operation manage.")
            .WithBody<RoomChange>()
            .Produces<Room>()
            .WithErrors([.. WriteErrors, ErrorCode.NotFound]);
        rooms.MapPut("/{room}/membership", JoinAsync)
            .WithSummary("Makes the caller a member of a room that is open to him.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(WriteErrors);
        rooms.MapDelete("/{room}/membership", LeaveAsync)
            .WithSummary("Leaves a room.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.LastOwner]);
    }

    private static async Task<JsonHttpResult<RoomList>> ListAsync(
        HttpContext context,
        RequestLimiter limits,
        RoomStore store,
        RoomDetails details,
        TopicAccess access,
        TopicCatalog topics,
        [Description("Where the page begins: next of the one before.")] string? after,
        [Description("The most rooms, 1 to 200. Default: 200.")] int? limit)
    {
        if (limit is < 1 or > MaxRooms)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A limit is 1 to {MaxRooms}.");
        }

        var (caller, size) = (Caller.From(context.User), limit ?? MaxRooms);
        var (time, name) = after is null ? (DateTimeOffset.MaxValue, "") : ToCursor(after);
        limits.AdmitPage(caller, size);
        // Which rooms are his to see is known here and not there.
        List<RoomRow> mine = [];
        var isOver = false;
        for (var round = 0; round < MaxRounds && mine.Count < size && !isOver; round++)
        {
            var page = await store.ListAsync(caller, time, name, MaxRooms, context.RequestAborted);
            isOver = page.Count < MaxRooms;
            foreach (var room in page)
            {
                (time, name) = (room.At, room.Topic.Value);
                if (access.MaySubscribe(caller, topics.Get(room.Topic), room.Topic))
                {
                    mine.Add(room);
                    if (mine.Count == size)
                    {
                        isOver &= room == page[^1];
                        break;
                    }
                }
            }
        }

        var entries = await details.DescribeAsync(caller, mine, context.RequestAborted);
        return TypedResults.Json(new RoomList(entries, isOver ? null : FromCursor(time, name)), ChatJson.Default.RoomList);
    }

    private static async Task<JsonHttpResult<Room>> CreateAsync(
        HttpContext context, RequestLimiter limits, RoomStore store, RoomDetails details, MembershipPath membership)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ChatJson.Default.RoomRequest);
        var kind = request.Kind ?? "public";
        if (kind is not ("public" or "private" or "group") || request.Members is { Count: > MaxMembers })
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A room is public, private or group, and begins with at most {MaxMembers} members.");
        }

        RequireTexts(request.Title, request.Description);
        // Before there is a room.
        foreach (var user in request.Members ?? [])
        {
            MembershipPath.RequireUser(user);
        }

        var topic = RoomDoor.TopicOf(context, request.Name ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes)));
        if (IsDirect(topic.Name))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"Names that begin with {DirectPrefix} are those of direct rooms.");
        }

        if (await store.FindAsync(topic, context.RequestAborted) is not null)
        {
            throw new RealtimeException(ErrorCode.RoomExists);
        }

        // First whose it is: who comes at the same time is told that he may not.
        await membership.MakePrivateAsync(caller, topic.Name.Value, request.ShowsPast, context.RequestAborted);
        if (!await store.InsertAsync(topic, kind, request.Title ?? topic.Name.Identifier, request.Description ?? "", caller.UserId, context.RequestAborted))
        {
            throw new RealtimeException(ErrorCode.RoomExists);
        }

        foreach (var user in (request.Members ?? []).Where(user => user != caller.UserId).Distinct(StringComparer.Ordinal))
        {
            await membership.SetAsync(caller, topic.Name.Value, user, "member", context.RequestAborted);
        }

        if (kind == "public")
        {
            await membership.OpenAsync(caller, topic.Name.Value, context.RequestAborted);
        }

        return TypedResults.Json(await details.DescribeAsync(caller, topic, context.RequestAborted), ChatJson.Default.Room, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<JsonHttpResult<Room>> DirectAsync(
        string user, HttpContext context, RequestLimiter limits, RoomStore store, RoomDetails details, MembershipPath membership)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        if (user == caller.UserId)
        {
            throw new RealtimeException(ErrorCode.UserInvalid, "A direct room is two users'.");
        }

        var topic = RoomDoor.TopicOf(context, DirectName(caller.UserId, user));
        await membership.MakeDirectAsync(caller, topic.Name.Value, user, context.RequestAborted);
        await store.InsertAsync(topic, "direct", string.Join(", ", new[] { caller.UserId, user }.Order(StringComparer.Ordinal)), "", caller.UserId, context.RequestAborted);
        return TypedResults.Json(await details.DescribeAsync(caller, topic, context.RequestAborted), ChatJson.Default.Room);
    }

    private static async Task<JsonHttpResult<Room>> GetAsync(string room, HttpContext context, RoomDoor door, RoomDetails details)
    {
        var view = await door.EnterAsync(context, room);
        return TypedResults.Json(await details.DescribeAsync(view.Caller, view.Topic, context.RequestAborted), ChatJson.Default.Room);
    }

    private static async Task<JsonHttpResult<Room>> ChangeAsync(string room, HttpContext context, RoomDoor door, RoomDetails details, ChatModeration moderation)
    {
        var view = await door.EnterAsModeratorAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        var change = JsonBody.To(body.RootElement, ChatJson.Default.RoomChange);
        RequireTexts(change.Title, change.Description);
        if (change.SlowSeconds is < 0 or > MaxSlowSeconds)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"slowSeconds is 0 to {MaxSlowSeconds}.");
        }

        await moderation.ChangeAsync(view, change, context.RequestAborted);
        return TypedResults.Json(await details.DescribeAsync(view.Caller, view.Topic, context.RequestAborted), ChatJson.Default.Room);
    }

    private static async Task<NoContent> JoinAsync(string room, HttpContext context, RequestLimiter limits, MembershipPath membership)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        await membership.JoinAsync(caller, RoomDoor.TopicOf(context, room).Name.Value, ChatFeature.MessageEvent, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> LeaveAsync(string room, HttpContext context, RequestLimiter limits, MembershipPath membership)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        await membership.RemoveAsync(caller, RoomDoor.TopicOf(context, room).Name.Value, caller.UserId, context.RequestAborted);
        return TypedResults.NoContent();
    }

    /// <summary>Whether a room is two users'.</summary>
    public static bool IsDirect(TopicName topic) => topic.Type == TopicCatalog.Room && topic.Identifier.StartsWith(DirectPrefix, StringComparison.Ordinal);

    /// <summary>The same for both, whichever of them asks.</summary>
    public static string DirectName(string one, string other)
    {
        var names = new[] { one, other }.Order(StringComparer.Ordinal);
        return $"{DirectPrefix}{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', names))).AsSpan(0, 16))}";
    }

    private static void RequireTexts(string? title, string? description)
    {
        if (title is { Length: 0 or > MaxTitle } || description is { Length: > MaxDescription } || title?.Any(char.IsControl) is true || description?.Contains('\0', StringComparison.Ordinal) is true)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A title is 1 to {MaxTitle} characters without control characters, a description at most {MaxDescription} characters.");
        }
    }

    private static string FromCursor(DateTimeOffset time, string topic) => string.Create(CultureInfo.InvariantCulture, $"{time.UtcTicks}/{topic}");

    private static (DateTimeOffset Time, string Topic) ToCursor(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && long.TryParse(text.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) && ticks <= DateTimeOffset.MaxValue.UtcTicks
            && TopicName.TryParse(text[(slash + 1)..], out var topic)
            ? (new DateTimeOffset(ticks, TimeSpan.Zero), topic.Value)
            : throw new RealtimeException(ErrorCode.RequestInvalid, "'after' is 'next' of another page.");
    }
}
