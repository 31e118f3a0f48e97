using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;

namespace RealtimeAspire.Server.Http;

/// <summary>What a poll brought.</summary>
/// <param name="Topics">In the order of the request.</param>
internal sealed record PollAnswer(IReadOnlyList<SubscribeAnswer> Topics);

/// <summary>A <see cref="PollAnswer"/> as its reader sees it.</summary>
/// <param name="Topics">In the order of the request.</param>
internal sealed record PollReply(IReadOnlyList<SubscribeReply> Topics);

/// <summary>Several topics by asking again and again, for readers to whom nothing can be sent.</summary>
internal static class PollApi
{
    private const int BodyBytes = 1024 * 1024;

    public static void MapPollApi(this IEndpointRouteBuilder endpoints)
    {
        var poll = endpoints.MapGroup("/topics/events").WithTags("Topics").RequireAuthorization().WithProblems();
        poll.MapMethods("", ReadMethods.All, PollAsync)
            .WithSummary("What is new in several topics, at once when there is something.")
            .Produces<PollReply>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TooManyTopics, ErrorCode.TopicInvalid, ErrorCode.PositionInvalid, ErrorCode.Forbidden,
                ErrorCode.TooManySubscriptions, ErrorCode.TooManyConnections, ErrorCode.RateLimited, ErrorCode.QuotaExceeded, ErrorCode.TopicTypeUnknown, ErrorCode.LogUnavailable, ErrorCode.Overloaded, ErrorCode.Draining);

        var polls = endpoints.MapGroup("/topics/poll").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        polls.MapPost("", PollEachAsync)
            .WithSummary("What is new in several topics, at once when there is something; each with all that a subscribe over the hub can say, and an outcome of its own.")
            .WithBody<SubscribeRequest>(BodyNumber.Array)
            .Produces<SubscribeOutcome[]>(StatusCodes.Status207MultiStatus)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.BatchEmpty, ErrorCode.BatchTooLarge, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported,
                ErrorCode.TooManyConnections, ErrorCode.Draining);
    }

    private static async Task<JsonHttpResult<PollAnswer>> PollAsync(
        HttpContext context,
        [AsParameters] HttpConnections connections,
        [FromQuery, Description("The topics, at most 50.")] string[] topic,
        [FromQuery, Description("Where the reader is in the topic of the same place, epoch:offset; empty: from now on.")] string[]? after,
        [Description("How many seconds to wait for an event where there is none, 0 to 55. Default: 0.")] int? wait)
    {
        var answers = await TopicPoll.ReadAsync(connections, context, TopicStart.Parse(topic, after ?? []), TopicPoll.ToWait(wait));
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(new PollAnswer(answers), HttpJson.Default.PollAnswer);
    }

    private static async Task<JsonHttpResult<SubscribeResult[]>> PollEachAsync(
        HttpContext context,
        [AsParameters] HttpConnections connections,
        [Description("How many seconds to wait for an event where there is none, 0 to 55. Default: 0.")] int? wait)
    {
        var time = TopicPoll.ToWait(wait);
        using var body = await JsonBody.ReadAsync(context.Request);
        var requests = JsonBody.To(body.RootElement, RealtimeJson.Default.SubscribeRequestArray);
        var results = await TopicPoll.ReadEachAsync(connections, context, requests, time);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(results, ServerJson.Default.SubscribeResultArray, statusCode: StatusCodes.Status207MultiStatus);
    }
}
