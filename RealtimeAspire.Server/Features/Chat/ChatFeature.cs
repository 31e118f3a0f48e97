using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Rooms: messages on <c>room:*</c>, and the list of rooms.</summary>
public static class ChatFeature
{
    internal const string MessageEvent = "chat:message";

    /// <summary>Lets clients publish <c>chat:message</c> with <c>{ "text": … }</c> on <c>room:*</c>.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddChat(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        return realtime.AddEvent(TopicCatalog.Room, MessageEvent, ChatEventJson.Default.ChatMessage, fromClients: true);
    }

    /// <summary>Maps <c>GET /rooms</c>.</summary>
    /// <param name="endpoints">The application.</param>
    public static IEndpointRouteBuilder MapChat(this IEndpointRouteBuilder endpoints)
    {
        var rooms = endpoints.MapGroup("/rooms").WithTags("Chat").RequireAuthorization().WithProblems();
        rooms.MapGet("", ChatApi.ListRoomsAsync)
            .WithSummary("The rooms, the one with the latest event first.")
            .Produces<RoomList>()
            .WithErrors(ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable);
        return endpoints;
    }
}
