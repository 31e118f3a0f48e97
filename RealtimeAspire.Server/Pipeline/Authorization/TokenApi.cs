using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Identity;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who wants to be whom. Untrusted; <see cref="SignInPath"/> validates it.</summary>
/// <param name="User">The name.</param>
/// <param name="Tenant">The tenant; <c>default</c> where it is missing.</param>
/// <param name="Grants">What the token shall grant, in development; where it is missing, it says nothing of that.</param>
/// <param name="Password">The account's; in development a name without an account needs none.</param>
internal sealed record TokenRequest(string? User, string? Tenant = null, JsonElement? Grants = null, string? Password = null);

/// <summary>A token, for how many seconds it lasts, and what is sent for the next one.</summary>
internal sealed record TokenReply(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("expires_in")] int ExpiresIn)
{
    [JsonPropertyName("refresh_token")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RefreshToken { get; init; }
}

/// <summary>Signing in: <c>POST /auth/token</c>.</summary>
internal static class TokenApi
{
    private const int BodyBytes = 16 * 1024;

    public static void MapTokenApi(this IEndpointRouteBuilder endpoints)
    {
        var auth = endpoints.MapGroup("/auth").WithTags("Identity").AllowAnonymous().WithProblems().WithBodyLimit(BodyBytes);
        auth.MapPost("/token", IssueAsync)
            .WithSummary("A token for a name and its password, in development also for a name alone.")
            .WithBody<TokenRequest>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.DevelopmentOnly, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported,
                ErrorCode.SignInFailed, ErrorCode.LockedOut, ErrorCode.RateLimited, ErrorCode.Blocked, ErrorCode.ChallengeRequired, ErrorCode.RegionBlocked, ErrorCode.Overloaded, ErrorCode.LogUnavailable)
            .Produces<TokenReply>();
    }

    private static async Task<IResult> IssueAsync(HttpContext context, SignInPath path, LoginLimiter logins, ConnectLimiter connects, SignInSignals signals)
    {
        path.RequireBuiltIn();
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ServerJson.Default.TokenRequest);
        var tenant = Caller.IsTenant(request.Tenant) ? request.Tenant! : Caller.DefaultTenant;
        if (signals.Refuse(context, tenant, request.User) is { } refusal)
        {
            return refusal;
        }

        try
        {
            if (await logins.TryAsync(tenant, request.User ?? "", connects.RangeOf(context.Connection.RemoteIpAddress)) is { } wait)
            {
                throw new RealtimeException(ErrorCode.RateLimited, "Too many tries to sign in; wait a little.") { RetryAfter = wait };
            }

            context.Response.Headers.CacheControl = "no-store";
            var reply = await path.SignInAsync(request, AuditSource.Of(context), context.RequestAborted);
            signals.Succeeded(context, tenant, request.User);
            return TypedResults.Ok(reply);
        }
        catch (RealtimeException exception)
        {
            signals.Failed(context, tenant, request.User, exception.Error);
            throw;
        }
    }
}
