using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Up to where.</summary>
/// <param name="Offset">Everything up to this offset.</param>
internal sealed record PositionRequest(long Offset);

/// <summary>A page of positions.</summary>
/// <param name="Positions">By user.</param>
internal sealed record PositionList(IReadOnlyList<PositionEntry> Positions);

/// <summary>What became of a message.</summary>
/// <param name="Delivered">To how many others it was delivered.</param>
/// <param name="Read">How many others have read it.</param>
internal sealed record ReceiptCount(long Delivered, long Read);

/// <summary>How far members have come, over HTTP.</summary>
internal static class ReadApi
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.Denied, ErrorCode.HookUnavailable, ErrorCode.RateLimited,
        ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    private static readonly ErrorCode[] MoveErrors = [.. Errors, ErrorCode.PositionInvalid, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported];

    public static void MapReads(this RouteGroupBuilder rooms)
    {
        rooms.MapPost("/{room}/read", (string room, HttpContext context, RoomDoor door, ReadPositions positions) => MoveAsync(room, context, door, positions, isRead: true))
            .WithSummary("The caller has read everything up to an offset. Never moves back.")
            .WithBody<PositionRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(MoveErrors);
        rooms.MapPost("/{room}/delivered", (string room, HttpContext context, RoomDoor door, ReadPositions positions) => MoveAsync(room, context, door, positions, isRead: false))
            .WithSummary("Everything up to an offset is on a device of the caller's. Never moves back.")
            .WithBody<PositionRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(MoveErrors);
        rooms.MapMethods("/{room}/positions", ReadMethods.All, ListAsync)
            .WithSummary("How far each member has come, by user.")
            .Produces<PositionList>()
            .WithErrors(Errors);
        rooms.MapMethods("/{room}/messages/{id}/receipts", ReadMethods.All, CountAsync)
            .WithSummary("To how many others a message was delivered, and how many have read it.")
            .Produces<ReceiptCount>()
            .WithErrors([.. Errors, ErrorCode.MessageNotFound]);
    }

    private static async Task<NoContent> MoveAsync(string room, HttpContext context, RoomDoor door, ReadPositions positions, bool isRead)
    {
        var view = await door.EnterAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        await positions.MoveAsync(view, JsonBody.To(body.RootElement, ChatJson.Default.PositionRequest).Offset, isRead, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<JsonHttpResult<PositionList>> ListAsync(
        string room,
        HttpContext context,
        RoomDoor door,
        ReadPositions positions,
        [Description("Those behind this user.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit)
    {
        var size = limit is < 1 ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.") : Math.Min(limit ?? DefaultLimit, MaxLimit);
        var view = await door.EnterAsync(context, room, size);
        return TypedResults.Json(new PositionList(await positions.ListAsync(view, after ?? "", size, context.RequestAborted)), ChatJson.Default.PositionList);
    }

    private static async Task<JsonHttpResult<ReceiptCount>> CountAsync(string room, string id, HttpContext context, RoomDoor door, MessageReader reader, ReadPositions positions)
    {
        var view = await door.EnterAsync(context, room);
        var message = await MessageApi.RequireAsync(reader, view, id, context.RequestAborted);
        var (delivered, read) = await positions.CountAsync(view, message, context.RequestAborted);
        return TypedResults.Json(new ReceiptCount(delivered, read), ChatJson.Default.ReceiptCount);
    }
}
