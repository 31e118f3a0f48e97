using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>How far a device of the user has come in a topic, for readers without a hub.</summary>
internal static class CursorApi
{
    private const int BodyBytes = 16 * 1024;

    public static void MapCursorApi(this IEndpointRouteBuilder endpoints)
    {
        var cursors = endpoints.MapGroup("/topics/{topic}/cursors/{consumer}").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        cursors.MapPut("", AcknowledgeAsync)
            .WithSummary("Everything up to the position has been dealt with by this consumer.")
            .WithBody<AcknowledgeRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.PositionInvalid, ErrorCode.ConsumerInvalid, ErrorCode.Forbidden,
                ErrorCode.QuotaExceeded, ErrorCode.TopicTypeUnknown, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited,
                ErrorCode.LogUnavailable, ErrorCode.Overloaded);
    }

    private static async Task<NoContent> AcknowledgeAsync(
        string topic, [Description("The device, a name of 1 to 64 visible ASCII characters that the user gives it.")] string consumer, HttpContext context, AcknowledgePath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, RealtimeJson.Default.AcknowledgeRequest) with { Topic = topic, Consumer = consumer };
        await path.AcknowledgeAsync(Caller.From(context.User), request, context.RequestAborted);
        return TypedResults.NoContent();
    }
}
