using System.ComponentModel;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Http;

/// <summary>How a private topic shall be.</summary>
/// <param name="ShowsPast">Whether members see what was there before they joined. Default: no.</param>
internal sealed record PrivacyRequest(bool ShowsPast = false);

/// <summary>What somebody shall be.</summary>
/// <param name="Role">owner, admin, member, reader or banned.</param>
internal sealed record MemberRequest(string? Role);

/// <summary>A page of members.</summary>
/// <param name="Members">In the order of their names.</param>
internal sealed record MemberList(IReadOnlyList<Member> Members);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(PrivacyRequest))]
[JsonSerializable(typeof(MemberRequest))]
[JsonSerializable(typeof(MemberList))]
internal sealed partial class MemberJson : JsonSerializerContext;

/// <summary>Which topics are private, and who is what in a topic.</summary>
internal static class MemberApi
{
    private const int BodyBytes = 16 * 1024;

    private static readonly ErrorCode[] Errors =
        [ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.Forbidden, ErrorCode.TopicTypeUnknown, ErrorCode.RateLimited, ErrorCode.LogUnavailable];

    private static readonly ErrorCode[] WriteErrors = [.. Errors, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.AuditUnavailable];

    public static void MapMemberApi(this IEndpointRouteBuilder endpoints)
    {
        var topic = endpoints.MapGroup("/topics/{topic}").WithTags("Members").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        topic.MapPut("/privacy", MakePrivateAsync)
            .WithSummary("Makes a topic private: only its members have it. Who does so with a topic without events becomes its owner.")
            .WithBody<PrivacyRequest>()
            .Produces(StatusCodes.Status201Created)
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(WriteErrors);
        topic.MapDelete("/privacy", OpenAsync)
            .WithSummary("Opens a private topic as its type is.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(WriteErrors);
        topic.MapMethods("/members", ReadMethods.All, ListAsync)
            .WithSummary("The members, in the order of their names.")
            .Produces<MemberList>()
            .WithErrors(Errors);
        topic.MapPut("/members/{user}", SetAsync)
            .WithSummary("Gives a user a role, or another one; banned is one too.")
            .WithBody<MemberRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.UserInvalid, ErrorCode.LastOwner]);
        topic.MapDelete("/members/{user}", RemoveAsync)
            .WithSummary("Takes a user's place away: his subscriptions end on every node. Users may leave by themselves.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.UserInvalid, ErrorCode.LastOwner]);
    }

    private static async Task<Results<Created, NoContent>> MakePrivateAsync(string topic, HttpContext context, RequestLimiter limits, MembershipPath path)
    {
        var caller = Enter(context, limits);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, MemberJson.Default.PrivacyRequest);
        var isNew = await path.MakePrivateAsync(caller, topic, request.ShowsPast, context.RequestAborted);
        return isNew ? TypedResults.Created() : TypedResults.NoContent();
    }

    private static async Task<NoContent> OpenAsync(string topic, HttpContext context, RequestLimiter limits, MembershipPath path)
    {
        await path.OpenAsync(Enter(context, limits), topic, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<JsonHttpResult<MemberList>> ListAsync(
        string topic,
        HttpContext context,
        RequestLimiter limits,
        MembershipPath path,
        [Description("Those behind this user.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit)
    {
        var caller = Caller.From(context.User);
        limits.AdmitPage(caller, Math.Clamp(limit ?? MembershipPath.DefaultLimit, 1, MembershipPath.MaxLimit));
        var members = await path.ListAsync(caller, topic, after, limit, context.RequestAborted);
        return TypedResults.Json(new MemberList(members), MemberJson.Default.MemberList);
    }

    private static async Task<NoContent> SetAsync(string topic, string user, HttpContext context, RequestLimiter limits, MembershipPath path)
    {
        var caller = Enter(context, limits);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, MemberJson.Default.MemberRequest);
        await path.SetAsync(caller, topic, user, request.Role, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> RemoveAsync(string topic, string user, HttpContext context, RequestLimiter limits, MembershipPath path)
    {
        await path.RemoveAsync(Enter(context, limits), topic, user, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static Caller Enter(HttpContext context, RequestLimiter limits)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        return caller;
    }
}
