using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>Topics over HTTP, for backends and scripts: the same rules, limits and positions as over the hub.</summary>
internal static class EventApi
{
    private const int BodyBytes = 4 * 1024 * 1024;

    public static void MapEventApi(this IEndpointRouteBuilder endpoints)
    {
        var events = endpoints.MapGroup("/topics/{topic}/events").WithTags("Topics").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        events.MapPost("", PublishAsync);
        events.MapGet("", ReadAsync);
    }

    /// <summary>One publish → 201, or 200 for a duplicate; an array → 207 and one outcome each.</summary>
    private static async Task<Results<JsonHttpResult<PublishReply>, JsonHttpResult<PublishOutcome[]>>> PublishAsync(
        string topic, HttpContext context, PublishPath path, IOptions<RealtimeOptions> options)
    {
        var caller = Caller.From(context.User);
        var name = TopicName.Parse(topic);
        var key = context.Request.Headers["Idempotency-Key"].ToString() is { Length: > 0 } value ? value : null;
        using var body = await JsonBody.ReadAsync(context.Request);
        if (body.RootElement.ValueKind is not JsonValueKind.Array)
        {
            var reply = await path.PublishAsync(caller, name, ToRequest(body.RootElement, key));
            return TypedResults.Json(reply, RealtimeJson.Default.PublishReply, statusCode: reply.Duplicate ? StatusCodes.Status200OK : StatusCodes.Status201Created);
        }

        RequireSize(body.RootElement.GetArrayLength(), options.Value.Limits.BatchPublishes);
        var elements = body.RootElement.EnumerateArray().ToArray();
        var outcomes = await path.PublishManyAsync(caller, name, elements.Length, i => ToRequest(elements[i], key is null ? null : $"{key}:{i}"));
        return TypedResults.Json(outcomes, RealtimeJson.Default.PublishOutcomeArray, statusCode: StatusCodes.Status207MultiStatus);
    }

    private static async Task<JsonHttpResult<HistoryAnswer>> ReadAsync(
        string topic, HttpContext context, HistoryPath path, string? after, string? before, int? limit)
    {
        var answer = await path.ReadAsync(Caller.From(context.User), TopicName.Parse(topic), ToPosition(after), ToPosition(before), limit, context.RequestAborted);
        return TypedResults.Json(answer, ServerJson.Default.HistoryAnswer);
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

    private static void RequireSize(int count, int max)
    {
        if (count == 0)
        {
            throw new RealtimeException(ErrorCode.BatchEmpty);
        }

        if (count > max)
        {
            throw new RealtimeException(ErrorCode.BatchTooLarge);
        }
    }
}
