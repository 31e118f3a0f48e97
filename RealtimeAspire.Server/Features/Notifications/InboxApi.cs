using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What was read.</summary>
/// <param name="UpTo">All up to this offset; null: all there are.</param>
internal sealed record InboxReadRequest(long? UpTo = null);

/// <summary>The caller's own inbox: for who may subscribe to <c>user:{sub}</c>.</summary>
internal static class InboxApi
{
    private const int BodyBytes = 64 * 1024;
    private const int DefaultLimit = 50;
    private const int MaxLimit = 200;

    private static readonly ErrorCode[] Errors = [ErrorCode.RequestInvalid, ErrorCode.UserInvalid, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable];
    private static readonly ErrorCode[] BodyErrors = [.. Errors, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported];

    public static void MapInboxApi(this IEndpointRouteBuilder endpoints)
    {
        var inbox = endpoints.MapGroup("/inbox").WithTags("Inbox").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        inbox.MapMethods("", ReadMethods.All, ReadAsync)
            .WithSummary("A page of the inbox, the newest first, with the number of unread ones and the position from which to subscribe to user:{id}.")
            .Produces<InboxPage>()
            .WithErrors(Errors);
        inbox.MapMethods("/unread", ReadMethods.All, CountAsync)
            .WithSummary("How many are unread.")
            .Produces<UnreadReply>()
            .WithErrors(Errors);
        inbox.MapPost("/read", ReadAllAsync)
            .WithSummary("Marks all as read, or all up to one, on every device.")
            .WithBody<InboxReadRequest>()
            .Produces<InboxChange>()
            .WithErrors([.. BodyErrors, ErrorCode.ConsumerInvalid]);
        inbox.MapPost("/{id}/read", ReadOneAsync)
            .WithSummary("Marks one as read, on every device.")
            .Produces<InboxChange>()
            .WithErrors([.. Errors, ErrorCode.ConsumerInvalid, ErrorCode.NotFound]);
        inbox.MapDelete("/{id}", RemoveAsync)
            .WithSummary("Takes one out of the inbox.")
            .Produces<InboxChange>()
            .WithErrors(Errors);
        inbox.MapMethods("/preferences", ReadMethods.All, ReadPreferencesAsync)
            .WithSummary("What the user is told of, and how.")
            .Produces<PreferencesReply>()
            .WithErrors(Errors);
        inbox.MapPut("/preferences", WritePreferencesAsync)
            .WithSummary("Replaces all that was chosen. What is missing is as its kind has it.")
            .WithBody<Preferences>()
            .Produces<PreferencesReply>()
            .WithErrors([.. BodyErrors, ErrorCode.KindUnknown]);
        inbox.MapMethods("/devices", ReadMethods.All, ListDevicesAsync)
            .WithSummary("The devices that Web Push reaches, and the key with which browsers subscribe.")
            .Produces<DeviceList>()
            .WithErrors(Errors);
        inbox.MapPut("/devices/{device}", SetDeviceAsync)
            .WithSummary("Lets Web Push reach a device.")
            .WithBody<DeviceRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. BodyErrors, ErrorCode.ConsumerInvalid, ErrorCode.QuotaExceeded]);
        inbox.MapDelete("/devices/{device}", RemoveDeviceAsync)
            .WithSummary("Web Push does not reach a device any more.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. Errors, ErrorCode.ConsumerInvalid]);
    }

    private static async Task<JsonHttpResult<InboxPage>> ReadAsync(
        HttpContext context,
        InboxStore store,
        NotificationRights rights,
        RequestLimiter limits,
        [Description("Those before this offset.")] long? before,
        [Description("The most of them, 1 to 200. Default: 50.")] int? limit,
        [Description("Whether only unread ones are wanted. Default: no.")] bool? unread)
    {
        if (limit < 1 || before < 0)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "'limit' is 1 or more, 'before' an offset.");
        }

        var most = Math.Min(limit ?? DefaultLimit, MaxLimit);
        var caller = Enter(context, rights, caller => limits.AdmitPage(caller, most));
        var page = await limits.ReadInTurnAsync(caller, () => store.ReadAsync(caller, before ?? long.MaxValue, most, unread ?? false, context.RequestAborted), context.RequestAborted);
        return TypedResults.Json(page, NotificationJson.Default.InboxPage);
    }

    private static async Task<JsonHttpResult<UnreadReply>> CountAsync(HttpContext context, InboxStore store, NotificationRights rights, RequestLimiter limits) =>
        TypedResults.Json(new UnreadReply(await store.CountUnreadAsync(Enter(context, rights, limits.Admit), context.RequestAborted)), NotificationJson.Default.UnreadReply);

    private static async Task<JsonHttpResult<InboxChange>> ReadAllAsync(
        HttpContext context, InboxStore store, NotificationRights rights, RequestLimiter limits, [Description("On which device, as in acknowledges.")] string? device)
    {
        var caller = Enter(context, rights, limits.Admit);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, NotificationJson.Default.InboxReadRequest);
        return request.UpTo < 0
            ? throw new RealtimeException(ErrorCode.RequestInvalid, "'upTo' is an offset.")
            : Change(await store.MarkReadAsync(caller, id: null, request.UpTo ?? long.MaxValue, OptionalDevice(device), context.RequestAborted));
    }

    private static async Task<JsonHttpResult<InboxChange>> ReadOneAsync(
        string id, HttpContext context, InboxStore store, NotificationRights rights, RequestLimiter limits, [Description("On which device, as in acknowledges.")] string? device) =>
        Change(await store.MarkReadAsync(Enter(context, rights, limits.Admit), id, upTo: null, OptionalDevice(device), context.RequestAborted));

    private static async Task<JsonHttpResult<InboxChange>> RemoveAsync(string id, HttpContext context, InboxStore store, NotificationRights rights, RequestLimiter limits) =>
        Change(await store.RemoveAsync(Enter(context, rights, limits.Admit), id, context.RequestAborted));

    private static async Task<JsonHttpResult<PreferencesReply>> ReadPreferencesAsync(HttpContext context, RecipientStore store, NotificationRights rights, RequestLimiter limits) =>
        TypedResults.Json(await store.ReadPreferencesAsync(Enter(context, rights, limits.Admit), context.RequestAborted), NotificationJson.Default.PreferencesReply);

    private static async Task<JsonHttpResult<PreferencesReply>> WritePreferencesAsync(HttpContext context, RecipientStore store, NotificationRights rights, RequestLimiter limits)
    {
        var caller = Enter(context, rights, limits.Admit);
        using var body = await JsonBody.ReadAsync(context.Request);
        var wanted = JsonBody.To(body.RootElement, NotificationJson.Default.Preferences);
        return TypedResults.Json(await store.WritePreferencesAsync(caller, wanted, context.RequestAborted), NotificationJson.Default.PreferencesReply);
    }

    private static async Task<JsonHttpResult<DeviceList>> ListDevicesAsync(HttpContext context, RecipientStore store, NotificationRights rights, RequestLimiter limits) =>
        TypedResults.Json(await store.ListDevicesAsync(Enter(context, rights, limits.Admit), context.RequestAborted), NotificationJson.Default.DeviceList);

    private static async Task<NoContent> SetDeviceAsync(
        [Description("A name of 1 to 64 visible ASCII characters, as in acknowledges.")] string device, HttpContext context, RecipientStore store, NotificationRights rights, RequestLimiter limits)
    {
        var caller = Enter(context, rights, limits.Admit);
        using var body = await JsonBody.ReadAsync(context.Request);
        var request = JsonBody.To(body.RootElement, NotificationJson.Default.DeviceRequest);
        await store.SetDeviceAsync(caller, SubscribeForm.RequireConsumer(device), request, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> RemoveDeviceAsync(
        [Description("Its name.")] string device, HttpContext context, RecipientStore store, NotificationRights rights, RequestLimiter limits)
    {
        await store.RemoveDeviceAsync(Enter(context, rights, limits.Admit), SubscribeForm.RequireConsumer(device), context.RequestAborted);
        return TypedResults.NoContent();
    }

    /// <summary>Who may have an inbox, within his limits. Nobody keeps what it answers.</summary>
    private static Caller Enter(HttpContext context, NotificationRights rights, Action<Caller> admit)
    {
        var caller = Caller.From(context.User);
        admit(caller);
        rights.RequireInbox(caller);
        context.Response.Headers.CacheControl = "no-store";
        return caller;
    }

    private static string? OptionalDevice(string? device) => device is null ? null : SubscribeForm.RequireConsumer(device);

    private static JsonHttpResult<InboxChange> Change(InboxChange change) => TypedResults.Json(change, NotificationJson.Default.InboxChange);
}
