using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who wants to be whom. Untrusted; <see cref="TokenIssuer"/> validates it.</summary>
/// <param name="User">The name.</param>
/// <param name="Tenant">The tenant; <c>default</c> where it is missing.</param>
/// <param name="Grants">What the token shall grant; where it is missing, it says nothing of that.</param>
internal sealed record TokenRequest(string? User, string? Tenant = null, JsonElement? Grants = null);

/// <summary>A token, and for how many seconds it lasts.</summary>
internal sealed record TokenReply(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("expires_in")] int ExpiresIn);

/// <summary>The development identity: <c>POST /auth/token</c>.</summary>
internal static class TokenApi
{
    private const int BodyBytes = 16 * 1024;

    public static void MapTokenApi(this IEndpointRouteBuilder endpoints)
    {
        var auth = endpoints.MapGroup("/auth").WithTags("Identity").AllowAnonymous().WithProblems().WithBodyLimit(BodyBytes);
        auth.MapPost("/token", IssueAsync)
            .WithSummary("A token for a name, in development.")
            .WithBody<TokenRequest>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.DevelopmentOnly, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited);
    }

    private static async Task<Ok<TokenReply>> IssueAsync(
        HttpContext context, TokenIssuer issuer, LoginLimiter logins, ConnectLimiter connects, AuditTrail audit, IHostEnvironment environment)
    {
        if (!environment.IsDevelopment())
        {
            throw new RealtimeException(ErrorCode.DevelopmentOnly);
        }

        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, ServerJson.Default.TokenRequest);
        var tenant = Caller.IsTenant(request.Tenant) ? request.Tenant! : Caller.DefaultTenant;
        if (await logins.TryAsync(tenant, request.User ?? "", connects.RangeOf(context.Connection.RemoteIpAddress)) is { } wait)
        {
            throw new RealtimeException(ErrorCode.RateLimited, "Too many tries to sign in; wait a little.") { RetryAfter = wait };
        }

        var reply = issuer.Issue(request.User, request.Tenant, request.Grants);
        audit.Record(
            AuditAction.SignIn, request.Tenant ?? AuditEntry.NoTenant, AuditActor.User(request.User!), source: AuditSource.Of(context), details: ("identity", "development"));
        return TypedResults.Ok(reply);
    }
}
