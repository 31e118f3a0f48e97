using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>What a new service key shall be.</summary>
/// <param name="Name">For people, 1 to 100 characters.</param>
/// <param name="Grants">What it may, as in tokens.</param>
/// <param name="ExpiresInSeconds">When it ends; null: never.</param>
internal sealed record KeyRequest(string? Name, JsonElement Grants, long? ExpiresInSeconds = null);

/// <summary>How a key is given another secret.</summary>
/// <param name="OverlapSeconds">For how long the one before counts too, 0 to 30 days. Default: 0.</param>
internal sealed record KeyRotation(int OverlapSeconds = 0);

/// <summary>A new secret, told once.</summary>
/// <param name="Id">The key's public name.</param>
/// <param name="Key">What goes into <c>Authorization: Bearer</c>.</param>
internal sealed record KeyReply(string Id, string Key);

/// <summary>A tenant's keys.</summary>
/// <param name="Keys">The oldest first.</param>
internal sealed record KeyList(IReadOnlyList<ServiceKeyInfo> Keys);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(KeyRequest))]
[JsonSerializable(typeof(KeyRotation))]
[JsonSerializable(typeof(KeyReply))]
[JsonSerializable(typeof(KeyList))]
internal sealed partial class KeyJson : JsonSerializerContext;

/// <summary>The keys of backends: for who has the operation <c>manage</c> on <c>system:keys</c>.</summary>
internal static class KeyApi
{
    private const int BodyBytes = 64 * 1024;

    public static void MapKeyApi(this IEndpointRouteBuilder endpoints)
    {
        var keys = endpoints.MapGroup("/keys").WithTags("Service keys").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        keys.MapPost("", CreateAsync)
            .WithSummary("Makes a key of the tenant. Its secret is told here and never again.")
            .WithBody<KeyRequest>()
            .Produces<KeyReply>(StatusCodes.Status201Created)
            .WithErrors(Errors);
        keys.MapMethods("", ReadMethods.All, ListAsync)
            .WithSummary("The tenant's keys, with their last use.")
            .Produces<KeyList>()
            .WithErrors(ErrorCode.Forbidden, ErrorCode.LogUnavailable);
        keys.MapPost("/{id}/rotation", RotateAsync)
            .WithSummary("Gives a key another secret.")
            .WithBody<KeyRotation>()
            .Produces<KeyReply>()
            .WithErrors([.. Errors, ErrorCode.NotFound]);
        keys.MapDelete("/{id}", RevokeAsync)
            .WithSummary("Takes a key back: its connections are closed on every node.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.LogUnavailable);
    }

    private static ErrorCode[] Errors =>
        [ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.LogUnavailable];

    private static async Task<JsonHttpResult<KeyReply>> CreateAsync(HttpContext context, KeyPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var reply = await path.CreateAsync(Caller.From(context.User), JsonBody.To(body.RootElement, KeyJson.Default.KeyRequest), context.RequestAborted);
        return Secret(context, reply, StatusCodes.Status201Created);
    }

    private static async Task<JsonHttpResult<KeyList>> ListAsync(HttpContext context, KeyPath path) =>
        TypedResults.Json(new KeyList(await path.ListAsync(Caller.From(context.User), context.RequestAborted)), KeyJson.Default.KeyList);

    private static async Task<JsonHttpResult<KeyReply>> RotateAsync(string id, HttpContext context, KeyPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var reply = await path.RotateAsync(Caller.From(context.User), id, JsonBody.To(body.RootElement, KeyJson.Default.KeyRotation), context.RequestAborted);
        return Secret(context, reply, StatusCodes.Status200OK);
    }

    private static async Task<NoContent> RevokeAsync(string id, HttpContext context, KeyPath path)
    {
        await path.RevokeAsync(Caller.From(context.User), id, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static JsonHttpResult<KeyReply> Secret(HttpContext context, KeyReply reply, int status)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(reply, KeyJson.Default.KeyReply, statusCode: status);
    }
}
