using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>Calls of what clients handle, for callers without a hub.</summary>
internal static class CallApi
{
    private const int BodyBytes = 4 * 1024 * 1024;

    public static void MapCallApi(this IEndpointRouteBuilder endpoints)
    {
        var calls = endpoints.MapGroup("/topics/{topic}/calls/{method}").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        calls.MapPost("", CallAsync)
            .WithSummary("Calls a method that a client handles on the topic; the body is its payload, the answer the handler's.")
            .WithBody<JsonElement>()
            .Produces<JsonElement>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.MethodInvalid, ErrorCode.PayloadInvalid, ErrorCode.Forbidden, ErrorCode.TopicTypeUnknown,
                ErrorCode.NoHandler, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.CallFailed, ErrorCode.RateLimited, ErrorCode.HandlerGone,
                ErrorCode.CallTimeout, ErrorCode.Overloaded);
    }

    private static async Task<JsonHttpResult<JsonElement>> CallAsync(
        string topic,
        [Description("What is asked for: a name as events have.")] string method,
        HttpContext context,
        CallPath path,
        [Description("How long to wait for the answer, 1 to 60,000 milliseconds. Default: 5,000.")] int? timeoutMs)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = new CallRequest { Topic = topic, Method = method, Payload = body.RootElement, TimeoutMs = timeoutMs };
        var answer = await path.CallAsync(Caller.From(context.User), request, context.RequestAborted);
        return TypedResults.Json(answer, RealtimeJson.Default.JsonElement);
    }
}
