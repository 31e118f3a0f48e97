using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>A refresh token for the next. Untrusted.</summary>
internal sealed record RefreshTokenRequest([property: JsonPropertyName("refresh_token")] string? RefreshToken);

/// <summary>What shall not count any more: one of them. Untrusted.</summary>
/// <param name="RefreshToken">A sign-in, and what came of it.</param>
/// <param name="Token">One access token.</param>
/// <param name="User">Whatever a user has.</param>
internal sealed record RevokeTokenRequest([property: JsonPropertyName("refresh_token")] string? RefreshToken, string? Token, string? User);

/// <summary>What an account shall be. Untrusted.</summary>
/// <param name="Password">Where it is missing, it stays.</param>
/// <param name="Grants">What its tokens grant; where it is missing, they say nothing of that.</param>
/// <param name="Disabled">It cannot sign in.</param>
internal sealed record AccountRequest(string? Password, JsonElement? Grants = null, bool Disabled = false);

/// <summary>Accounts, and what becomes of their tokens.</summary>
internal static class AccountApi
{
    private const int BodyBytes = 16 * 1024;

    public static void MapAccountApi(this IEndpointRouteBuilder endpoints)
    {
        var auth = endpoints.MapGroup("/auth").WithTags("Identity").AllowAnonymous().WithProblems().WithBodyLimit(BodyBytes);
        auth.MapPost("/refresh", RefreshAsync)
            .WithSummary("A new token and refresh token for a refresh token, which counts once.")
            .WithBody<RefreshTokenRequest>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TokenInvalid, ErrorCode.TokenRevoked, ErrorCode.DevelopmentOnly, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported,
                ErrorCode.LogUnavailable);
        auth.MapPost("/revoke", RevokeAsync)
            .WithSummary("Takes back a token, a sign-in, or whatever a user has.")
            .WithBody<RevokeTokenRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TokenRequired, ErrorCode.Forbidden, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.LogUnavailable,
                ErrorCode.AuthorityUnavailable);

        var accounts = endpoints.MapGroup("/auth/accounts/{user}").WithTags("Identity").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        accounts.MapPut("", SetAsync)
            .WithSummary("Makes an account, or changes it: its tokens are taken back, and with its password or its end its sign-ins too.")
            .WithBody<AccountRequest>()
            .Produces(StatusCodes.Status201Created)
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.PasswordInvalid, ErrorCode.Forbidden, ErrorCode.DevelopmentOnly, ErrorCode.PayloadTooLarge,
                ErrorCode.MediaTypeUnsupported, ErrorCode.Overloaded, ErrorCode.LogUnavailable);
        accounts.MapDelete("", DeleteAsync)
            .WithSummary("Removes an account, and takes back what it has.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.DevelopmentOnly, ErrorCode.LogUnavailable);
    }

    private static async Task<Ok<TokenReply>> RefreshAsync(HttpContext context, SignInPath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ServerJson.Default.RefreshTokenRequest);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(await path.RefreshAsync(request.RefreshToken, AuditSource.Of(context), context.RequestAborted));
    }

    private static async Task<NoContent> RevokeAsync(HttpContext context, RevokePath path)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ServerJson.Default.RevokeTokenRequest);
        var source = AuditSource.Of(context);
        await (request switch
        {
            { RefreshToken: { } token, Token: null, User: null } => path.SignInAsync(token, source, context.RequestAborted),
            { RefreshToken: null, Token: { } token, User: null } => path.TokenAsync(token, source, context.RequestAborted),
            { RefreshToken: null, Token: null, User: { } user } => path.UserAsync(
                context.User.Identity?.IsAuthenticated is true ? Caller.From(context.User) : null, user, source, context.RequestAborted),
            _ => throw new RealtimeException(ErrorCode.RequestInvalid, "Say one of refresh_token, token and user."),
        });
        return TypedResults.NoContent();
    }

    private static async Task<Results<Created, NoContent>> SetAsync(
        [Description("The account's name.")] string user, HttpContext context, SignInPath path, RevokePath revoke, AccountStore store, PasswordCheck passwords, IdentityRecord record, TimeProvider time)
    {
        path.RequireBuiltIn();
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, RevokePath.Accounts);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ServerJson.Default.AccountRequest);
        TokenIssuer.RequireUser(user, caller.Tenant);
        TokenIssuer.RequireGrants(request.Grants);
        string? hash = null;
        if (request.Password is { } password)
        {
            PasswordCheck.RequirePassword(password);
            hash = await passwords.HashAsync(password, context.RequestAborted);
        }

        var became = await store.SetAsync(
            caller.Tenant, user, hash, request.Grants?.GetRawText(), request.Disabled, caller.UserId, time.GetUtcNow(), revoke.ForgetAt, context.RequestAborted);
        if (became == "missing")
        {
            throw new RealtimeException(ErrorCode.PasswordInvalid, "There is no such account yet, and a new one needs a password of 8 to 256 characters.");
        }

        record.AccountChanged(caller, became, user, AuditSource.Of(context));
        return became == "created" ? TypedResults.Created() : TypedResults.NoContent();
    }

    private static async Task<NoContent> DeleteAsync(
        [Description("The account's name.")] string user, HttpContext context, SignInPath path, RevokePath revoke, AccountStore store, IdentityRecord record, TimeProvider time)
    {
        path.RequireBuiltIn();
        var caller = Caller.From(context.User);
        TopicAccess.RequireManage(caller, RevokePath.Accounts);
        if (!await store.DeleteAsync(caller.Tenant, user, time.GetUtcNow(), revoke.ForgetAt, context.RequestAborted))
        {
            throw new RealtimeException(ErrorCode.NotFound, "There is no such account.");
        }

        record.AccountChanged(caller, "deleted", user, AuditSource.Of(context));
        return TypedResults.NoContent();
    }
}
