using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>Topics over HTTP, for backends, scripts and weak networks: the same rules, limits and positions as over the hub.</summary>
internal static class EventApi
{
    private const int BodyBytes = 4 * 1024 * 1024;
    private const int DefaultLimit = 100;

    public static void MapEventApi(this IEndpointRouteBuilder endpoints)
    {
        var events = endpoints.MapGroup("/topics/{topic}/events").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        events.MapPost("", PublishAsync)
            .WithSummary("Publishes one event, or an array of them in order.")
            .WithBody<PublishRequest>(BodyNumber.OneOrArray)
            .Produces<PublishReply>(StatusCodes.Status201Created)
            .Produces<PublishReply>()
            .Produces<PublishOutcome[]>(StatusCodes.Status207MultiStatus)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.EventInvalid, ErrorCode.EventUnknown, ErrorCode.VersionUnknown, ErrorCode.IdInvalid,
                ErrorCode.PayloadInvalid, ErrorCode.BatchEmpty,
                ErrorCode.SignatureInvalid, ErrorCode.SignatureExpired,
                ErrorCode.Forbidden, ErrorCode.EventNotAllowed, ErrorCode.SignatureRequired, ErrorCode.SigningKeyUnknown, ErrorCode.TopicTypeUnknown, ErrorCode.IdConflict, ErrorCode.PayloadTooLarge,
                ErrorCode.BatchTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded);
        events.MapMethods("", ReadMethods.All, ReadAsync)
            .WithSummary("A page of the topic's past, ascending; with wait, as soon as there is something.")
            .Produces<HistoryReply>()
            .Produces(StatusCodes.Status304NotModified)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.PositionInvalid, ErrorCode.Forbidden, ErrorCode.TopicTypeUnknown,
                ErrorCode.RateLimited, ErrorCode.TooManyConnections, ErrorCode.QuotaExceeded, ErrorCode.LogUnavailable, ErrorCode.Overloaded, ErrorCode.Draining);
        endpoints.MapCursorApi();
        endpoints.MapCallApi();
        endpoints.MapReceiptApi();
        endpoints.MapPollApi();
        endpoints.MapStreamApi();
    }

    /// <summary>One publish → 201, or 200 for a duplicate; an array → 207 and one outcome each.</summary>
    private static async Task<Results<JsonHttpResult<PublishReply>, JsonHttpResult<PublishOutcome[]>>> PublishAsync(
        string topic,
        HttpContext context,
        PublishPath path,
        [FromHeader(Name = "Idempotency-Key"), Description("Stands for a missing id; in an array for key:0, key:1 …")] string? key)
    {
        var caller = Caller.From(context.User);
        var name = TopicName.Parse(topic);
        key = string.IsNullOrEmpty(key) ? null : key;
        using var body = await JsonBody.ReadAsync(context.Request);
        if (body.RootElement.ValueKind is not JsonValueKind.Array)
        {
            var reply = await path.PublishAsync(caller, name, ToRequest(body.RootElement, key));
            return TypedResults.Json(reply, RealtimeJson.Default.PublishReply, statusCode: reply.Duplicate ? StatusCodes.Status200OK : StatusCodes.Status201Created);
        }

        var elements = body.RootElement.EnumerateArray().ToArray();
        var outcomes = await path.PublishManyAsync(caller, elements.Length, _ => name.Value, i => ToRequest(elements[i], key is null ? null : $"{key}:{i}"));
        return TypedResults.Json(outcomes, RealtimeJson.Default.PublishOutcomeArray, statusCode: StatusCodes.Status207MultiStatus);
    }

    private static async Task<Results<JsonHttpResult<HistoryAnswer>, StatusCodeHttpResult>> ReadAsync(
        string topic,
        HttpContext context,
        HistoryPath path,
        [AsParameters] HttpConnections connections,
        [Description("The oldest events after this position, epoch:offset.")] string? after,
        [Description("The newest events before this position.")] string? before,
        [Description("The most events, 1 or more; cut to the server's limit. Default: 100.")] int? limit,
        [Description("How many seconds to wait for an event where there is none, 0 to 55; not with before. Default: 0.")] int? wait,
        [FromHeader(Name = "If-None-Match"), Description("The ETag of the page that is known.")] string? known)
    {
        var caller = Caller.From(context.User);
        var name = TopicName.Parse(topic);
        var (start, end, time) = (ToPosition(after), ToPosition(before), TopicPoll.ToWait(wait));
        if (end is not null && time > TimeSpan.Zero)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Nothing new comes before a position: give before or wait, not both.");
        }

        var size = limit ?? DefaultLimit;
        var page = await path.ReadAsync(caller, name, start, end, size, context.RequestAborted);
        if (time > TimeSpan.Zero && page is { Events.Count: 0, Recovery: Recovery.None or Recovery.Recovered })
        {
            var answers = await TopicPoll.ReadAsync(connections, context, [new TopicStart(name, page.Position)], time);
            page = Continue(page, answers[0], size);
        }

        return PageTag.IsKnown(context, page, known)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Json(page, ServerJson.Default.HistoryAnswer);
    }

    /// <summary>An empty page, and what came behind it.</summary>
    private static HistoryAnswer Continue(HistoryAnswer page, SubscribeAnswer answer, int size)
    {
        if (answer.Recovery is not Recovery.Recovered)
        {
            return new HistoryAnswer([], answer.Position, answer.Recovery, Complete: true);
        }

        var isCut = answer.Events.Count > size;
        return new HistoryAnswer(
            isCut ? [.. answer.Events.Take(size)] : answer.Events,
            isCut ? answer.Events[size - 1].Position : answer.Position,
            page.Recovery,
            Complete: !isCut && !answer.More);
    }

    private static PublishRequest ToRequest(JsonElement element, string? key)
    {
        var request = JsonBody.To(element, RealtimeJson.Default.PublishRequest);
        return request.Id is null && key is not null ? request with { Id = key } : request;
    }

    private static Position? ToPosition(string? text)
    {
        if (text is null)
        {
            return null;
        }

        return Position.TryParse(text, out var position) ? position : throw new RealtimeException(ErrorCode.PositionInvalid);
    }
}
