using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Nodes;

namespace RealtimeAspire.Server.Http;

/// <summary>What a user's connections shall be subscribed to.</summary>
/// <param name="Topic">The topic's name.</param>
internal sealed record UserSubscriptionRequest(string? Topic);

/// <summary>One event for several topics.</summary>
internal sealed record PublishToManyRequest
{
    /// <summary>The topics' names, 1 to the most elements of an array.</summary>
    public IReadOnlyList<string?>? Topics { get; init; }

    /// <inheritdoc cref="PublishRequest.Event"/>
    public string? Event { get; init; }

    /// <inheritdoc cref="PublishRequest.Payload"/>
    public JsonElement Payload { get; init; }

    /// <inheritdoc cref="PublishRequest.Id"/>
    public string? Id { get; init; }

    /// <inheritdoc cref="PublishRequest.EntityId"/>
    public string? EntityId { get; init; }

    /// <inheritdoc cref="PublishRequest.Version"/>
    [JsonPropertyName("v")]
    // Settable: the source generator sets init-only members even where the JSON lacks them, and the default would be lost.
    public int Version { get; set; } = 1;
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(UserSubscriptionRequest))]
[JsonSerializable(typeof(PublishToManyRequest))]
[JsonSerializable(typeof(ConnectionList))]
[JsonSerializable(typeof(OpenConnection))]
[JsonSerializable(typeof(ActOutcome))]
[JsonSerializable(typeof(TopicList))]
[JsonSerializable(typeof(TopicInfo))]
[JsonSerializable(typeof(SubscriberList))]
internal sealed partial class BackendJson : JsonSerializerContext;

/// <summary>For backends, by their service keys: the tenant's connections and topics on all nodes, and publishing to many topics.</summary>
internal static class BackendApi
{
    private const int BodyBytes = 1024 * 1024;
    private const int SmallBodyBytes = 16 * 1024;

    public static void MapBackendApi(this IEndpointRouteBuilder endpoints)
    {
        MapConnections(endpoints);
        MapTopics(endpoints);
        endpoints.MapGroup("/events").WithTags("Backends").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes).MapPost("", PublishAsync)
            .WithSummary("Publishes one event to several topics (an object with topics), or several events, each with its topic (an array), in order.")
            .WithBody<PublishToManyRequest>(BodyNumber.OneOrArray)
            .Produces<PublishOutcome[]>(StatusCodes.Status207MultiStatus)
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.BatchEmpty, ErrorCode.BatchTooLarge, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported);
    }

    private static void MapConnections(IEndpointRouteBuilder endpoints)
    {
        var connections = endpoints.MapGroup("/connections").WithTags("Backends").RequireAuthorization().WithProblems();
        connections.MapMethods("", ReadMethods.All, ListConnectionsAsync)
            .WithSummary("The tenant's connections on all nodes, in the order in which they were opened.")
            .Produces<ConnectionList>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.Forbidden, ErrorCode.NodesUnreachable);
        connections.MapMethods("/{connection}", ReadMethods.All, FindConnectionAsync)
            .WithSummary("One connection.")
            .Produces<OpenConnection>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.NodesUnreachable);
        connections.MapDelete("/{connection}", CloseAsync)
            .WithSummary("Closes a connection, on whichever node it is.")
            .Produces<ActOutcome>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.NodesUnreachable, ErrorCode.AuditUnavailable);

        var users = endpoints.MapGroup("/users/{user}").WithTags("Backends").RequireAuthorization().WithProblems().WithBodyLimit(SmallBodyBytes);
        users.MapDelete("/connections", CloseAllAsync)
            .WithSummary("Closes all of a user's connections. His token counts on: to take that back too, revoke it.")
            .Produces<ActOutcome>()
            .WithErrors(ErrorCode.UserInvalid, ErrorCode.Forbidden, ErrorCode.NodesUnreachable, ErrorCode.AuditUnavailable);
        users.MapPost("/subscriptions", SubscribeAsync)
            .WithSummary("Subscribes a user's hub connections to a topic, as far as he may read it; each is told with a control subscribed.")
            .WithBody<UserSubscriptionRequest>()
            .Produces<ActOutcome>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.PayloadTooLarge,
                ErrorCode.MediaTypeUnsupported, ErrorCode.NodesUnreachable, ErrorCode.AuditUnavailable);
        users.MapDelete("/subscriptions/{topic}", UnsubscribeAsync)
            .WithSummary("Ends a user's subscriptions to a topic; each connection is told with a control unsubscribed.")
            .Produces<ActOutcome>()
            .WithErrors(
                ErrorCode.UserInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.NodesUnreachable, ErrorCode.AuditUnavailable);
    }

    private static void MapTopics(IEndpointRouteBuilder endpoints)
    {
        var topics = endpoints.MapGroup("/topics").WithTags("Backends").RequireAuthorization().WithProblems();
        topics.MapMethods("", ReadMethods.All, ListTopicsAsync)
            .WithSummary("The tenant's topics by name: those with durable events, and those that somebody is subscribed to.")
            .Produces<TopicList>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NodesUnreachable, ErrorCode.LogUnavailable);
        topics.MapMethods("/{topic}", ReadMethods.All, FindTopicAsync)
            .WithSummary("What there is to know of a topic, with its occupancy over all nodes.")
            .Produces<TopicInfo>()
            .WithErrors(ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.NodesUnreachable, ErrorCode.LogUnavailable);
        topics.MapMethods("/{topic}/subscribers", ReadMethods.All, ListSubscribersAsync)
            .WithSummary("The users who are subscribed to a topic, by name, with how many connections.")
            .Produces<SubscriberList>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.NodesUnreachable);
    }

    private static async Task<JsonHttpResult<ConnectionList>> ListConnectionsAsync(
        HttpContext context,
        BackendPath path,
        [Description("Only this user's.")] string? user,
        [Description("Only those that are subscribed to this topic.")] string? topic,
        [Description("Those behind the connection with this id.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit) => TypedResults.Json(
            await path.ListConnectionsAsync(Caller.From(context.User), user, topic, after, limit, context.RequestAborted), BackendJson.Default.ConnectionList);

    private static async Task<JsonHttpResult<OpenConnection>> FindConnectionAsync(string connection, HttpContext context, BackendPath path) =>
        TypedResults.Json(await path.FindConnectionAsync(Caller.From(context.User), connection, context.RequestAborted), BackendJson.Default.OpenConnection);

    private static async Task<JsonHttpResult<ActOutcome>> CloseAsync(
        string connection, HttpContext context, BackendPath path, [Description("Whether its client is to come back. Default: no.")] bool reconnect = false) =>
        Outcome(await path.CloseAsync(Caller.From(context.User), connection, user: null, reconnect, context.RequestAborted));

    private static async Task<JsonHttpResult<ActOutcome>> CloseAllAsync(
        string user, HttpContext context, BackendPath path, [Description("Whether the clients are to come back. Default: no.")] bool reconnect = false) =>
        Outcome(await path.CloseAsync(Caller.From(context.User), connection: null, user, reconnect, context.RequestAborted));

    private static async Task<JsonHttpResult<ActOutcome>> SubscribeAsync(string user, HttpContext context, BackendPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, BackendJson.Default.UserSubscriptionRequest);
        return Outcome(await path.SubscribeAsync(Caller.From(context.User), user, request.Topic, context.RequestAborted));
    }

    private static async Task<JsonHttpResult<ActOutcome>> UnsubscribeAsync(string user, string topic, HttpContext context, BackendPath path) =>
        Outcome(await path.UnsubscribeAsync(Caller.From(context.User), user, topic, context.RequestAborted));

    private static JsonHttpResult<ActOutcome> Outcome(ActOutcome outcome) => TypedResults.Json(outcome, BackendJson.Default.ActOutcome);

    private static async Task<JsonHttpResult<TopicList>> ListTopicsAsync(
        HttpContext context,
        BackendPath path,
        [Description("Only those whose names begin so, for example room: or room:team-.")] string? prefix,
        [Description("Those behind this topic.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit) =>
        TypedResults.Json(await path.ListTopicsAsync(Caller.From(context.User), prefix, after, limit, context.RequestAborted), BackendJson.Default.TopicList);

    private static async Task<JsonHttpResult<TopicInfo>> FindTopicAsync(string topic, HttpContext context, BackendPath path) =>
        TypedResults.Json(await path.FindTopicAsync(Caller.From(context.User), topic, context.RequestAborted), BackendJson.Default.TopicInfo);

    private static async Task<JsonHttpResult<SubscriberList>> ListSubscribersAsync(
        string topic,
        HttpContext context,
        BackendPath path,
        [Description("Those behind this user.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit) => TypedResults.Json(
            await path.ListSubscribersAsync(Caller.From(context.User), topic, after, limit, context.RequestAborted), BackendJson.Default.SubscriberList);

    private static async Task<JsonHttpResult<PublishOutcome[]>> PublishAsync(
        HttpContext context,
        PublishPath path,
        [FromHeader(Name = "Idempotency-Key"), Description("Stands for a missing id: for all topics of one event, and as key:0, key:1 … in an array.")] string? key)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        PublishRequest[] requests = body.RootElement.ValueKind is JsonValueKind.Array
            ? [.. JsonBody.To(body.RootElement, RealtimeJson.Default.PublishRequestArray).Select((request, i) => WithKey(request, key, i))]
            : Spread(JsonBody.To(body.RootElement, BackendJson.Default.PublishToManyRequest), key);
        var outcomes = await path.PublishManyAsync(Caller.From(context.User), requests.Length, i => requests[i].Topic, i => requests[i]);
        return TypedResults.Json(outcomes, RealtimeJson.Default.PublishOutcomeArray, statusCode: StatusCodes.Status207MultiStatus);
    }

    private static PublishRequest WithKey(PublishRequest? request, string? key, int i) => request is null
        ? throw new RealtimeException(ErrorCode.RequestInvalid, "Each element is a publish with its topic.")
        : request.Id is null && !string.IsNullOrEmpty(key) ? request with { Id = $"{key}:{i}" } : request;

    /// <summary>An id means something within its topic only, so all of them may have the same.</summary>
    private static PublishRequest[] Spread(PublishToManyRequest request, string? key)
    {
        var id = request.Id ?? (string.IsNullOrEmpty(key) ? null : key);
        return request.Topics is { } topics
            ? [.. topics.Select(topic => new PublishRequest
            {
                Topic = topic,
                Event = request.Event,
                Payload = request.Payload,
                Id = id,
                EntityId = request.EntityId,
                Version = request.Version,
            })]
            : throw new RealtimeException(ErrorCode.RequestInvalid, "Name the topics of the event, or give an array of publishes, each with its topic.");
    }
}
