using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>Who is on topics, how he is, whether he types and where he points.</summary>
public static class PresenceFeature
{
    internal const string MembersEvent = "presence:members";
    internal const string JoinEvent = "presence:join";
    internal const string UpdateEvent = "presence:update";
    internal const string LeaveEvent = "presence:leave";
    internal const string OccupancyEvent = "presence:occupancy";
    internal const string TypingEvent = "typing";
    internal const string CursorEvent = "cursor";

    private const int BodyBytes = 16 * 1024;

    private static readonly TimeSpan TypingPace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CursorPace = TimeSpan.FromMilliseconds(25);

    /// <summary>
    /// Offers presence on topics whose type has it: <c>room</c>, and those with <c>Realtime:TopicTypes:{type}:Presence</c>. Clients may
    /// publish <c>typing</c> and <c>cursor</c> there.
    /// </summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddPresence(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        var services = realtime.Services;
        services.AddOptions<PresenceOptions>().BindConfiguration(PresenceOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<PresenceOffer>();
        services.AddSingleton<PresenceInstruments>();
        if (services.Any(static service => service.ServiceType == typeof(RedisLink)))
        {
            services.AddSingleton<RedisPresence>();
        }

        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<PresenceTracker>(provider));
        services.AddHostedService(provider => provider.GetRequiredService<PresenceTracker>());
        services.AddSingleton<IPresence>(provider => provider.GetRequiredService<PresenceTracker>());
        return realtime.PresenceTypes().Aggregate(realtime, static (builder, type) => AddEventsOf(builder, type));
    }

    /// <summary>Maps <c>GET /topics/{topic}/presence</c>, <c>PUT /presence</c> and <c>GET /users/{user}/presence</c>.</summary>
    /// <param name="endpoints">The application.</param>
    public static IEndpointRouteBuilder MapPresence(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var topics = endpoints.MapGroup("/topics/{topic}/presence").WithTags("Presence").RequireAuthorization().WithProblems();
        topics.MapMethods("", ReadMethods.All, PresenceApi.ListAsync)
            .WithSummary("Who is on a topic, by user, with all his connections, and how many there are.")
            .Produces<PresencePage>()
            .WithErrors(
                ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.PresenceNotOffered, ErrorCode.Forbidden, ErrorCode.RateLimited,
                ErrorCode.Overloaded, ErrorCode.NodesUnreachable);
        var own = endpoints.MapGroup("/presence").WithTags("Presence").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        own.MapPut("", PresenceApi.SetAsync)
            .WithSummary("What the caller chooses to be, on all topics and devices: a status, a text.")
            .WithBody<PresenceRequest>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors(ErrorCode.RequestInvalid, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.RateLimited, ErrorCode.NodesUnreachable);
        var users = endpoints.MapGroup("/users/{user}/presence").WithTags("Presence").RequireAuthorization().WithProblems();
        users.MapMethods("", ReadMethods.All, PresenceApi.FindAsync)
            .WithSummary("How a user is, and when he was last on a topic.")
            .Produces<UserPresence>()
            .WithErrors(ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.NodesUnreachable);
        return endpoints;
    }

    private static RealtimeBuilder AddEventsOf(RealtimeBuilder builder, string type)
    {
        var json = RealtimeJson.Default;
        return builder
            .AddRule(new EventRule(type, MembersEvent, PayloadSchema.Of(json.PresentMembers), FromClients: false))
            .AddRule(new EventRule(type, JoinEvent, PayloadSchema.Of(json.ChangedMembers), FromClients: false))
            .AddRule(new EventRule(type, UpdateEvent, PayloadSchema.Of(json.ChangedMembers), FromClients: false))
            .AddRule(new EventRule(type, LeaveEvent, PayloadSchema.Of(json.LeftMembers), FromClients: false))
            .AddRule(new EventRule(type, OccupancyEvent, PayloadSchema.Of(json.Occupancy), FromClients: false))
            .AddRule(new EventRule(type, TypingEvent, PayloadSchema.Of(json.Typing), FromClients: true) { Pace = TypingPace })
            .AddRule(new EventRule(type, CursorEvent, PayloadSchema.Of(json.Cursor), FromClients: true) { Pace = CursorPace });
    }

    /// <summary>As <see cref="TopicCatalog"/> will have it.</summary>
    private static string[] PresenceTypes(this RealtimeBuilder realtime)
    {
        var types = realtime.Configuration.GetSection($"{RealtimeOptions.Section}:{nameof(RealtimeOptions.TopicTypes)}").GetChildren()
            .ToDictionary(static type => type.Key, static type => bool.TryParse(type[nameof(TopicTypeOptions.Presence)], out var on) ? on : (bool?)null, StringComparer.Ordinal);
        types.TryAdd(TopicCatalog.Room, null);
        return [.. types.Where(static type => type.Value ?? type.Key == TopicCatalog.Room).Select(static type => type.Key)];
    }
}
