using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>What has arrived at readers without a hub.</summary>
internal static class ReceiptApi
{
    private const int BodyBytes = 64 * 1024;

    public static void MapReceiptApi(this IEndpointRouteBuilder endpoints)
    {
        var receipts = endpoints.MapGroup("/receipts").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        receipts.MapPost("", TakeAsync)
            .WithSummary("Says of some events that they have arrived, so that the server can tell how long they take.")
            .WithBody<Receipt>(BodyNumber.Array)
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.BatchEmpty, ErrorCode.TopicTypeUnknown, ErrorCode.BatchTooLarge,
                ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited);
    }

    private static async Task<NoContent> TakeAsync(HttpContext context, ReceiptPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        path.Take(Caller.From(context.User), JsonBody.To(body.RootElement, RealtimeJson.Default.ReceiptArray));
        return TypedResults.NoContent();
    }
}
