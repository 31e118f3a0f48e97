using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>The public keys with which events are signed.</summary>
internal static class SigningKeyApi
{
    private const int BodyBytes = 16 * 1024;

    public static void MapSigningKeyApi(this IEndpointRouteBuilder endpoints)
    {
        var keys = endpoints.MapGroup("/signing-keys").WithTags("Signing keys").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        keys.MapPost("", RegisterAsync)
            .WithSummary("Registers a public key, of the caller unless it says of whom.")
            .WithBody<SigningKeyRequest>()
            .Produces<SigningKeyInfo>(StatusCodes.Status201Created)
            .Produces<SigningKeyInfo>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.SigningKeyInvalid, ErrorCode.UserInvalid, ErrorCode.Forbidden, ErrorCode.QuotaExceeded, ErrorCode.SigningKeyConflict,
                ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.AuditUnavailable);
        keys.MapMethods("", ReadMethods.All, ListAsync)
            .WithSummary("The caller's keys, or those of somebody else.")
            .Produces<SigningKeyList>()
            .WithErrors(ErrorCode.UserInvalid, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable);
        keys.MapMethods("/{keyId}", ReadMethods.All, FindAsync)
            .WithSummary("A key of the tenant, to verify events with.")
            .Produces<SigningKeyInfo>()
            .WithErrors(ErrorCode.NotFound, ErrorCode.RateLimited, ErrorCode.LogUnavailable);
        keys.MapDelete("/{keyId}", RevokeAsync)
            .WithSummary("Revokes a key: nothing is accepted with it any more.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.AuditUnavailable);
    }

    private static async Task<JsonHttpResult<SigningKeyInfo>> RegisterAsync(HttpContext context, SigningKeyPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var (key, isNew) = await path.RegisterAsync(
            Caller.From(context.User), JsonBody.To(body.RootElement, RealtimeJson.Default.SigningKeyRequest), context.RequestAborted);
        return TypedResults.Json(key, RealtimeJson.Default.SigningKeyInfo, statusCode: isNew ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }

    private static async Task<JsonHttpResult<SigningKeyList>> ListAsync(
        HttpContext context, SigningKeyPath path, [Description("Whose; empty for the server itself. Default: the caller's.")] string? user) =>
        TypedResults.Json(new SigningKeyList { Keys = await path.ListAsync(Caller.From(context.User), user, context.RequestAborted) }, RealtimeJson.Default.SigningKeyList);

    private static async Task<JsonHttpResult<SigningKeyInfo>> FindAsync([Description("The key's name.")] string keyId, HttpContext context, SigningKeyPath path) =>
        TypedResults.Json(await path.FindAsync(Caller.From(context.User), keyId, context.RequestAborted), RealtimeJson.Default.SigningKeyInfo);

    private static async Task<NoContent> RevokeAsync([Description("The key's name.")] string keyId, HttpContext context, SigningKeyPath path)
    {
        await path.RevokeAsync(Caller.From(context.User), keyId, context.RequestAborted);
        return TypedResults.NoContent();
    }
}
