using System.ComponentModel;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>To whom it goes: one of these.</summary>
/// <param name="User">A user.</param>
/// <param name="Users">Several, up to 1,000.</param>
/// <param name="Topic">The members of a topic.</param>
/// <param name="Tenant">true: every user of the tenant whom the server knows.</param>
internal sealed record AudienceRequest(string? User = null, IReadOnlyList<string>? Users = null, string? Topic = null, bool Tenant = false);

/// <summary>A notification to be sent.</summary>
/// <param name="To">To whom.</param>
/// <param name="Kind">mention, invitation, badge, system, or another that is configured.</param>
/// <param name="Title">One line, 1 to 200 characters.</param>
/// <param name="Body">Text, up to 4,000 characters.</param>
/// <param name="Link">A path of the application, or an http(s) address.</param>
/// <param name="Data">Whatever the application wants to know of it, JSON of up to 8 KB.</param>
/// <param name="Priority">low, normal, high or urgent. Default: the kind's.</param>
/// <param name="ExpiresAt">When it leaves inboxes by itself.</param>
/// <param name="CollapseKey">Of several unread ones with the same key a user has the newest only.</param>
/// <param name="Id">The sender's own, 1 to 128 visible ASCII characters: sent again it is the same notification.</param>
internal sealed record NotificationRequest(
    AudienceRequest? To = null, string? Kind = null, string? Title = null, string? Body = null, string? Link = null, JsonElement? Data = null, NotificationPriority? Priority = null,
    DateTimeOffset? ExpiresAt = null, string? CollapseKey = null, string? Id = null);

/// <summary>Where a user is reached.</summary>
/// <param name="Email">His address, which the caller knows to be his; null: no mail.</param>
internal sealed record RecipientRequest(string? Email = null);

/// <summary>Notifications for backends and operators: sending them, and what became of them.</summary>
internal static class NotificationApi
{
    private const int BodyBytes = 256 * 1024;
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    public static void MapNotificationApi(this IEndpointRouteBuilder endpoints)
    {
        var notifications = endpoints.MapGroup("/notifications").WithTags("Notifications").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        notifications.MapPost("", SendAsync)
            .WithSummary("Sends a notification. 201: it is in the inboxes; 202: it is on its way; 200: it had been sent before, with the same id.")
            .WithBody<NotificationRequest>()
            .Produces<NotificationReceipt>(StatusCodes.Status201Created)
            .Produces<NotificationReceipt>(StatusCodes.Status202Accepted)
            .Produces<NotificationReceipt>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.KindUnknown, ErrorCode.IdInvalid, ErrorCode.UserInvalid, ErrorCode.TopicInvalid, ErrorCode.PayloadInvalid, ErrorCode.BatchEmpty,
                ErrorCode.Forbidden, ErrorCode.EventNotAllowed, ErrorCode.QuotaExceeded, ErrorCode.TopicTypeUnknown, ErrorCode.IdConflict, ErrorCode.PayloadTooLarge, ErrorCode.BatchTooLarge,
                ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.AuditUnavailable);
        notifications.MapMethods("/sends/{id}", ReadMethods.All, FindSendAsync)
            .WithSummary("How far a notification has come with its recipients.")
            .Produces<NotificationReceipt>()
            .WithErrors(ErrorCode.NotFound, ErrorCode.RateLimited, ErrorCode.LogUnavailable);
        notifications.MapMethods("/{id}/deliveries", ReadMethods.All, ListDeliveriesAsync)
            .WithSummary("What became of a notification: sent, delivered, read, by recipient, channel and device.")
            .Produces<DeliveryPage>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.NotFound, ErrorCode.RateLimited, ErrorCode.LogUnavailable);
        notifications.MapMethods("/dead-letters", ReadMethods.All, ListDeadAsync)
            .WithSummary("The deliveries that were given up or of which nobody knows, the oldest first.")
            .Produces<DeadLetterPage>()
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.LogUnavailable);
        notifications.MapPost("/dead-letters/{delivery}/retry", RetryAsync)
            .WithSummary("Lets a dead letter be tried again. One that is unknown may so come twice.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.Forbidden, ErrorCode.NotFound, ErrorCode.LogUnavailable, ErrorCode.AuditUnavailable);
        notifications.MapPut("/recipients/{user}", SetRecipientAsync)
            .WithSummary("Says where a user gets e-mail.")
            .WithBody<RecipientRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.Forbidden, ErrorCode.EventNotAllowed, ErrorCode.TopicTypeUnknown, ErrorCode.PayloadTooLarge,
                ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.AuditUnavailable);
    }

    private static async Task<JsonHttpResult<NotificationReceipt>> SendAsync(
        HttpContext context,
        Notifier notifier,
        NotificationKinds kinds,
        NotificationRights rights,
        RequestLimiter limits,
        AuditTrail audit,
        TimeProvider time,
        [FromHeader(Name = "Idempotency-Key"), Description("Stands for a missing id.")] string? key)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, NotificationJson.Default.NotificationRequest);
        var notification = new Notification(request.Kind ?? "", request.Title ?? "")
        {
            Body = request.Body, Link = request.Link, Data = request.Data, Priority = request.Priority, ExpiresAt = request.ExpiresAt, CollapseKey = request.CollapseKey,
        };
        var draft = NotificationForm.Require(notification, ToAudience(request.To), kinds, time.GetUtcNow());
        rights.RequireSend(caller, draft);
        if (draft.To.Tenant)
        {
            await audit.RecordAsync(AuditAction.Admin, caller.Tenant, AuditActor.Of(caller), NotificationRights.All.Value, source: AuditSource.Of(context), details: [("act", "notify the tenant")]);
        }

        var receipt = await notifier.SendAsync(caller, draft, request.Id ?? (string.IsNullOrEmpty(key) ? null : key), context.RequestAborted);
        var status = receipt.Duplicate ? StatusCodes.Status200OK : receipt.FinishedAt is null ? StatusCodes.Status202Accepted : StatusCodes.Status201Created;
        return TypedResults.Json(receipt, NotificationJson.Default.NotificationReceipt, statusCode: status);
    }

    private static NotificationAudience ToAudience(AudienceRequest? to)
    {
        NotificationAudience[] named =
        [
            .. to?.User is { } user ? [NotificationAudience.User(user)] : Array.Empty<NotificationAudience>(),
            .. to?.Users is { } users ? [NotificationAudience.Several(users)] : Array.Empty<NotificationAudience>(),
            .. to?.Topic is { } topic ? [NotificationAudience.MembersOf(topic)] : Array.Empty<NotificationAudience>(),
            .. to?.Tenant is true ? [NotificationAudience.Everybody] : Array.Empty<NotificationAudience>(),
        ];
        return named is [var one] ? one : throw new RealtimeException(ErrorCode.RequestInvalid, "to names a user, users, a topic, or the tenant: one of them.");
    }

    private static async Task<JsonHttpResult<NotificationReceipt>> FindSendAsync(string id, HttpContext context, Notifier notifier, RequestLimiter limits)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(await RequireSendAsync(notifier, caller, id, context.RequestAborted), NotificationJson.Default.NotificationReceipt);
    }

    private static async Task<JsonHttpResult<DeliveryPage>> ListDeliveriesAsync(
        string id,
        HttpContext context,
        Notifier notifier,
        DeliveryLog log,
        RequestLimiter limits,
        [Description("The recipients behind this user.")] string? after,
        [Description("The most recipients, 1 to 1,000. Default: 100.")] int? limit)
    {
        var caller = Caller.From(context.User);
        var most = RequireLimit(limit);
        limits.AdmitPage(caller, most);
        await RequireSendAsync(notifier, caller, id, context.RequestAborted);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(await log.ReadAsync(caller.Tenant, id, after ?? "", most, context.RequestAborted), NotificationJson.Default.DeliveryPage);
    }

    private static async Task<JsonHttpResult<DeadLetterPage>> ListDeadAsync(
        HttpContext context,
        DeliveryLog log,
        [Description("Those behind the delivery of this number.")] long? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit)
    {
        var caller = Caller.From(context.User);
        NotificationRights.RequireManage(caller);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(await log.ReadDeadAsync(caller.Tenant, after ?? 0, RequireLimit(limit), context.RequestAborted), NotificationJson.Default.DeadLetterPage);
    }

    private static async Task<NoContent> RetryAsync(long delivery, HttpContext context, DeliveryLog log, AuditTrail audit)
    {
        var caller = Caller.From(context.User);
        NotificationRights.RequireManage(caller);
        await audit.RecordAsync(
            AuditAction.Admin, caller.Tenant, AuditActor.Of(caller), NotificationRights.All.Value, source: AuditSource.Of(context), details: [("act", "retry"), ("delivery", $"{delivery}")]);
        return await log.RetryAsync(caller, delivery, context.RequestAborted)
            ? TypedResults.NoContent()
            : throw new RealtimeException(ErrorCode.NotFound, "There is no such dead letter.");
    }

    private static async Task<NoContent> SetRecipientAsync(
        string user, HttpContext context, RecipientStore recipients, NotificationRights rights, RequestLimiter limits, AuditTrail audit)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, NotificationJson.Default.RecipientRequest);
        rights.RequireTell(caller, user);
        await audit.RecordAsync(AuditAction.Admin, caller.Tenant, AuditActor.Of(caller), $"user:{user}", source: AuditSource.Of(context), details: [("act", "e-mail address")]);
        await recipients.SetEmailAsync(caller.Tenant, user, request.Email, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NotificationReceipt> RequireSendAsync(Notifier notifier, Caller caller, string id, CancellationToken cancellationToken) =>
        await notifier.FindAsync(caller, id, cancellationToken) ?? throw new RealtimeException(ErrorCode.NotFound, "You have sent no such notification.");

    private static int RequireLimit(int? limit) =>
        limit < 1 ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.") : Math.Min(limit ?? DefaultLimit, MaxLimit);
}
