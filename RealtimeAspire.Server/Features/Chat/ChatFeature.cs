using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Features.Chat.Commands;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Rooms: messages on <c>room:*</c> and what is done to them, what members have read, and who looks after it. <c>docs/chat.md</c> has all of it.</summary>
public static class ChatFeature
{
    internal const string Prefix = "chat:";
    internal const string MessageEvent = "chat:message";
    internal const string EditEvent = "chat:edit";
    internal const string DeleteEvent = "chat:delete";
    internal const string ReactionEvent = "chat:reaction";
    internal const string PinEvent = "chat:pin";
    internal const string ReadEvent = "chat:read";

    private const int BodyBytes = 64 * 1024;

    // Of one reader, who tells with each message that he sees.
    private static readonly TimeSpan ReadPace = TimeSpan.FromSeconds(1);

    /// <summary>Lets clients publish messages, and edit, delete, pin and react to them, on <c>room:*</c>.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddChat(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        var services = realtime.Services;
        services.AddOptions<ChatOptions>().BindConfiguration(ChatOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddHosted<ChatNotices>();
        services.AddHosted<ChatProjector>();
        services.AddHosted<ChatRules>();
        services.AddSingleton(static provider => new ListenedChannel(ChatRules.Channel, payload => provider.GetRequiredService<ChatRules>().Hear(payload)));
        services.AddSingleton<ChatAdmission>();
        services.AddSingleton(provider => new Hook<PublishContext>(
            provider.GetRequiredService<ChatAdmission>().AdmitAsync, ChatAdmission.Covers, static name => name.StartsWith(Prefix, StringComparison.Ordinal)));
        services.AddSingleton(new ReservedTopics(RoomApi.IsDirect));
        services.AddSingleton<RoomDoor>();
        services.AddSingleton<RoomStore>();
        services.AddSingleton<RoomDetails>();
        services.AddSingleton<MessageReader>();
        services.AddSingleton<MessageSearch>();
        services.AddSingleton<ReadPositions>();
        services.AddSingleton<ChatModeration>();
        services.AddSingleton<CommandStore>();
        services.AddSingleton<BuiltInCommands>();
        services.AddSingleton<CommandPath>();
        // What bots are told, and what they tell users, is the server's to publish.
        services.PostConfigure<RealtimeOptions>(static options =>
        {
            options.TopicTypes.TryAdd(CommandPath.BotType, new TopicTypeOptions { Publishers = Publishers.Servers, Open = false });
            options.TopicTypes.TryAdd(TopicCatalog.User, new TopicTypeOptions { Publishers = Publishers.Servers });
        });
        services.AddSingleton<IFileStore>(provider => provider.GetRequiredService<IOptions<ChatOptions>>().Value.FileFolder is { } folder
            ? new FolderFileStore(folder)
            : new PostgresFileStore(provider.GetRequiredService<Database>()));
        services.AddSingleton<ChatFiles>();
        services.AddHosted<FileSweep>();
        return realtime
            .AddEvent(TopicCatalog.Room, MessageEvent, ChatEventJson.Default.ChatMessage, fromClients: true)
            .AddEvent(TopicCatalog.Room, EditEvent, ChatEventJson.Default.ChatEdit, fromClients: true)
            .AddEvent(TopicCatalog.Room, DeleteEvent, ChatEventJson.Default.ChatDelete, fromClients: true)
            .AddEvent(TopicCatalog.Room, ReactionEvent, ChatEventJson.Default.ChatReaction, fromClients: true)
            .AddEvent(TopicCatalog.Room, PinEvent, ChatEventJson.Default.ChatPin, fromClients: true)
            .AddEvent(CommandPath.BotType, CommandPath.CommandEvent, CommandEventJson.Default.ChatCommand)
            .AddEvent(TopicCatalog.User, CommandPath.ReplyEvent, CommandEventJson.Default.ChatReply)
            .AddRule(new EventRule(TopicCatalog.Room, ReadEvent, PayloadSchema.Of(ChatEventJson.Default.ChatRead), FromClients: false) { Pace = ReadPace });
    }

    /// <summary>Has every text looked at before it is said: answer what is said instead, mostly the same, or null to refuse it with <c>text_refused</c>.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    /// <param name="filter">Is given each message and edit of users; those of backends pass it by.</param>
    /// <example><code>builder.AddRealtime().AddChat().AddChatFilter(text => ValueTask.FromResult(text.Text.Contains("spam") ? null : text.Text));</code></example>
    public static RealtimeBuilder AddChatFilter(this RealtimeBuilder realtime, Func<ChatText, ValueTask<string?>> filter)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        ArgumentNullException.ThrowIfNull(filter);
        realtime.Services.AddSingleton(new ChatFilter(filter));
        return realtime;
    }

    /// <summary>Maps <c>/rooms</c>, <c>/bots</c>, <c>/attachments</c> and <c>/search</c>.</summary>
    /// <param name="endpoints">The application.</param>
    public static IEndpointRouteBuilder MapChat(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var rooms = endpoints.MapGroup("/rooms").WithTags("Chat").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes);
        rooms.MapRooms();
        rooms.MapMessages();
        rooms.MapReads();
        rooms.MapSearch();
        rooms.MapModeration();
        rooms.MapUploads();
        rooms.MapCommands();
        endpoints.MapGroup("/bots").WithTags("Chat").RequireAuthorization().WithProblems().WithBodyLimit(BodyBytes).MapBots();
        endpoints.MapGroup("/attachments").WithTags("Chat").RequireAuthorization().WithProblems().MapFiles();
        endpoints.MapGroup("/search").WithTags("Chat").RequireAuthorization().WithProblems().MapSearchOfAll();
        return endpoints;
    }
}
