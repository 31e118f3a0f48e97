using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
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
    public static void MapPollApi(this IEndpointRouteBuilder endpoints)
    {
        var poll = endpoints.MapGroup("/topics/events").WithTags("Topics").RequireAuthorization().WithProblems();
        poll.MapMethods("", ReadMethods.All, PollAsync)
            .WithSummary("What is new in several topics, at once when there is something.")
            .Produces<PollReply>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TooManyTopics, ErrorCode.TopicInvalid, ErrorCode.PositionInvalid, ErrorCode.Forbidden,
                ErrorCode.TooManySubscriptions, ErrorCode.TopicTypeUnknown, ErrorCode.LogUnavailable, ErrorCode.Overloaded, ErrorCode.Draining);
    }

    private static async Task<JsonHttpResult<PollAnswer>> PollAsync(
        HttpContext context,
        [AsParameters] HttpConnections connections,
        [Description("The topics, at most 50.")] string[] topic,
        [Description("Where the reader is in the topic of the same place, epoch:offset; empty: from now on.")] string[]? after,
        [Description("How many seconds to wait for an event where there is none, 0 to 55. Default: 0.")] int? wait)
    {
        var answers = await TopicPoll.ReadAsync(connections, context, TopicStart.Parse(topic, after ?? []), TopicPoll.ToWait(wait));
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(new PollAnswer(answers), HttpJson.Default.PollAnswer);
    }
}
