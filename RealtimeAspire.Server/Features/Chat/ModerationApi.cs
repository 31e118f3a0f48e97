using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>How long somebody shall not write.</summary>
/// <param name="Seconds">1 to 31,536,000, a year.</param>
internal sealed record MuteRequest([property: Range(1, 31_536_000)] int Seconds);

/// <summary>A page of mutes.</summary>
/// <param name="Mutes">By user.</param>
internal sealed record MuteList(IReadOnlyList<MuteEntry> Mutes);

/// <summary>Why moderators shall look at a message.</summary>
/// <param name="Reason">1 to 500 characters.</param>
internal sealed record ReportRequest([property: StringLength(500, MinimumLength = 1)] string? Reason);

/// <summary>A page of reports.</summary>
/// <param name="Reports">The oldest first.</param>
internal sealed record ReportList(IReadOnlyList<ReportEntry> Reports);

/// <summary>How a report was dealt with.</summary>
/// <param name="Resolution">1 to 500 characters.</param>
internal sealed record ResolutionRequest([property: StringLength(500, MinimumLength = 1)] string? Resolution);

/// <summary>Moderation over HTTP, for who has the operation manage in a room; to report, whoever reads it may. Who is banned is said at <c>/topics/{topic}/members</c>.</summary>
internal static class ModerationApi
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;
    private const int MaxText = 500;
    private const int MaxUser = 255;
    private const int MaxSeconds = 31_536_000;

    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    private static readonly ErrorCode[] WriteErrors = [.. Errors, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.AuditUnavailable];

    public static void MapModeration(this RouteGroupBuilder rooms)
    {
        rooms.MapMethods("/{room}/mutes", ReadMethods.All, ListMutesAsync)
            .WithSummary("Who may not write at the moment, by user.")
            .Produces<MuteList>()
            .WithErrors(Errors);
        rooms.MapPut("/{room}/mutes/{user}", MuteAsync)
            .WithSummary("Somebody may not write for a time.")
            .WithBody<MuteRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.UserInvalid]);
        rooms.MapDelete("/{room}/mutes/{user}", UnmuteAsync)
            .WithSummary("He may write again.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.UserInvalid]);
        rooms.MapPost("/{room}/messages/{id}/reports", ReportAsync)
            .WithSummary("Tells the room's moderators of a message.")
            .WithBody<ReportRequest>()
            .Produces(StatusCodes.Status201Created)
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.Denied, ErrorCode.HookUnavailable, ErrorCode.MessageNotFound]);
        rooms.MapMethods("/{room}/reports", ReadMethods.All, ListReportsAsync)
            .WithSummary("What members have reported, the oldest first.")
            .Produces<ReportList>()
            .WithErrors(Errors);
        rooms.MapPut("/{room}/reports/{report}/resolution", ResolveAsync)
            .WithSummary("A report was dealt with.")
            .WithBody<ResolutionRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.NotFound]);
        rooms.MapPost("/{room}/rebuild", RebuildAsync)
            .WithSummary("Makes what is kept of the room's messages from its log again.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. Errors, ErrorCode.AuditUnavailable]);
    }

    private static async Task<JsonHttpResult<MuteList>> ListMutesAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        ChatModeration moderation,
        [Description("Those behind this user.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit)
    {
        var size = ToSize(limit);
        var view = await door.EnterAsModeratorAsync(context, room);
        return TypedResults.Json(new MuteList(await moderation.ListMutesAsync(view, after ?? "", size, context.RequestAborted)), ChatJson.Default.MuteList);
    }

    private static async Task<NoContent> MuteAsync(string room, string user, HttpContext context, RoomDoor door, ChatModeration moderation)
    {
        RequireUser(user);
        var view = await door.EnterAsModeratorAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ChatJson.Default.MuteRequest);
        if (request.Seconds is < 1 or > MaxSeconds)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"seconds is 1 to {MaxSeconds}.");
        }

        await moderation.MuteAsync(view, user, TimeSpan.FromSeconds(request.Seconds), context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> UnmuteAsync(string room, string user, HttpContext context, RoomDoor door, ChatModeration moderation)
    {
        RequireUser(user);
        await moderation.UnmuteAsync(await door.EnterAsModeratorAsync(context, room), user, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Created, NoContent>> ReportAsync(
        string room, string id, HttpContext context, RoomDoor door, MessageReader reader, ChatModeration moderation)
    {
        var view = await door.EnterAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        var reason = RequireText(JsonBody.To(body.RootElement, ChatJson.Default.ReportRequest).Reason, "reason");
        var message = await MessageApi.RequireAsync(reader, view, id, context.RequestAborted);
        return await moderation.ReportAsync(view, message, reason, context.RequestAborted) ? TypedResults.Created() : TypedResults.NoContent();
    }

    private static async Task<JsonHttpResult<ReportList>> ListReportsAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        ChatModeration moderation,
        [Description("Those behind this report.")] long? after,
        [Description("True: those too that are resolved.")] bool? resolved,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit)
    {
        var size = ToSize(limit);
        var view = await door.EnterAsModeratorAsync(context, room);
        return TypedResults.Json(
            new ReportList(await moderation.ListReportsAsync(view, after ?? 0, resolved is true, size, context.RequestAborted)), ChatJson.Default.ReportList);
    }

    private static async Task<NoContent> ResolveAsync(string room, long report, HttpContext context, RoomDoor door, ChatModeration moderation)
    {
        var view = await door.EnterAsModeratorAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        var resolution = RequireText(JsonBody.To(body.RootElement, ChatJson.Default.ResolutionRequest).Resolution, "resolution");
        await moderation.ResolveAsync(view, report, resolution, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> RebuildAsync(string room, HttpContext context, RoomDoor door, ChatModeration moderation)
    {
        await moderation.RebuildAsync(await door.EnterAsModeratorAsync(context, room), context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static void RequireUser(string user)
    {
        if (user.Length is 0 or > MaxUser || user.Contains('\0', StringComparison.Ordinal))
        {
            throw new RealtimeException(ErrorCode.UserInvalid, $"A user is 1 to {MaxUser} characters.");
        }
    }

    private static string RequireText(string? text, string name) => text is { Length: > 0 and <= MaxText } && !text.Contains('\0', StringComparison.Ordinal)
        ? text
        : throw new RealtimeException(ErrorCode.RequestInvalid, $"{name} is 1 to {MaxText} characters.");

    private static int ToSize(int? limit) => limit is < 1 ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.") : Math.Min(limit ?? DefaultLimit, MaxLimit);
}
