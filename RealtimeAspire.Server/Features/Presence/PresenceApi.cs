using System.ComponentModel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Features.Presence;

internal static class PresenceApi
{
    public static async Task<JsonHttpResult<PresencePage>> ListAsync(
        string topic,
        HttpContext context,
        PresenceTracker presence,
        [Description("Those behind this user.")] string? after,
        [Description("The most of them, 1 to 1,000. Default: 100.")] int? limit) => TypedResults.Json(
            await presence.ListAsync(Caller.From(context.User), new PresencePageRequest { Topic = topic, After = after, Limit = limit }, context.RequestAborted),
            RealtimeJson.Default.PresencePage);

    public static async Task<NoContent> SetAsync(HttpContext context, PresenceTracker presence)
    {
        using var body = await JsonBody.ReadAsync(context.Request);
        await presence.SetAsync(Caller.From(context.User), connection: null, JsonBody.To(body.RootElement, RealtimeJson.Default.PresenceRequest));
        return TypedResults.NoContent();
    }

    public static async Task<JsonHttpResult<UserPresence>> FindAsync(string user, HttpContext context, PresenceTracker presence) =>
        TypedResults.Json(await presence.FindUserAsync(Caller.From(context.User), user), RealtimeJson.Default.UserPresence);
}
