using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>Where a stream starts in one of its topics.</summary>
/// <param name="Topic">The topic's name.</param>
/// <param name="Position">The events behind it follow.</param>
/// <param name="Recovery">What became of the position that was asked for.</param>
internal sealed record StreamTopic(string Topic, Position Position, Recovery Recovery);

/// <summary>The data of a stream's first frame.</summary>
/// <param name="Topics">In the order of the request.</param>
internal sealed record StreamStart(IReadOnlyList<StreamTopic> Topics);

/// <summary>A stream's frame as its reader sees it: which of these its data is, the frame's name tells.</summary>
/// <param name="Subscribed">The first frame.</param>
/// <param name="Message">A frame without a name.</param>
/// <param name="Control">What there is to tell beside events.</param>
internal sealed record StreamFrame(StreamStart? Subscribed, TopicEvent? Message, Control? Control);

/// <summary>Several topics over server-sent events, for readers without a WebSocket.</summary>
internal static class StreamApi
{
    public const string Path = "/topics/stream";
    public const string ContentType = "text/event-stream";

    public static void MapStreamApi(this IEndpointRouteBuilder endpoints)
    {
        var stream = endpoints.MapGroup(Path).WithTags("Topics").RequireAuthorization().WithProblems();
        stream.MapMethods("", ReadMethods.All, StreamAsync)
            .WithSummary("Events of several topics as server-sent events.")
            .WithDescription("""
                A frame's name (its event) tells which member of StreamFrame its data is; its id is the position in every topic
                after it, `0=epoch:offset,1=…` by the topic's place in the request.
                """)
            .Produces<StreamFrame>(StatusCodes.Status200OK, ContentType)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TooManyTopics, ErrorCode.TopicInvalid, ErrorCode.PositionInvalid, ErrorCode.Forbidden,
                ErrorCode.TooManySubscriptions, ErrorCode.TooManyConnections, ErrorCode.RateLimited, ErrorCode.QuotaExceeded, ErrorCode.TopicTypeUnknown, ErrorCode.PresenceNotOffered, ErrorCode.LogUnavailable, ErrorCode.Overloaded, ErrorCode.Draining);
    }

    private static async Task StreamAsync(
        HttpContext context,
        [AsParameters] HttpConnections connections,
        [FromQuery, Description("The topics, at most 50.")] string[] topic,
        [FromQuery, Description("Where the reader is in the topic of the same place, epoch:offset; empty: from now on.")] string[]? after,
        [Description("Topics without a position begin with the newest so many events.")] int? rewind,
        [FromQuery, Description("What the reader is told of who is on the topic of the same place: none, occupancy or members; empty: none.")] string[]? presence,
        [FromHeader(Name = "Last-Event-ID"), Description("The id of the last frame that was read; it takes the place of after and rewind.")] string? lastId,
        [Description("As the header Last-Event-ID, which counts more, for readers that cannot set it.")] string? lastEventId)
    {
        var starts = TopicStart.Parse(topic, after ?? [], rewind, presence);
        var last = string.IsNullOrEmpty(lastId) ? lastEventId : lastId;
        if (!string.IsNullOrEmpty(last))
        {
            starts = [.. starts.Zip(StreamPosition.Parse(last, starts.Length), (start, position) => start with { After = position })];
        }

        using var transport = new SseTransport(context, starts, connections.Time);
        await using var connection = await connections.OpenAsync(context, transport);
        await new TopicStream(connections.Path, connection, transport, starts, connections.Time).RunAsync(context);
    }
}
