using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>The commands that each room has: operations that there are, with the rights that they have.</summary>
internal sealed class BuiltInCommands(PublishPath publish, MembershipPath membership, ChatModeration moderation, ChatProjector projector)
{
    private const int MaxMuteSeconds = 31_536_000;
    private const int MaxSlowSeconds = 86_400;
    private const int DefaultMuteSeconds = 600;
    private const int MaxUser = 255;
    private const int MaxTopic = 1_000;

    public static readonly IReadOnlyList<CommandEntry> All =
    [
        new("help", "Which commands there are.", "", Bot: null),
        new("invite", "Makes somebody a member; for moderators.", "@user", Bot: null),
        new("me", "Says what you do.", "does something", Bot: null),
        new("mute", "Has somebody write nothing for a time; for moderators.", "@user 10m", Bot: null),
        new("slow", "How long members wait between two messages; for moderators.", "30s", Bot: null),
        new("topic", "What the room is for; for moderators.", "text", Bot: null),
        new("unmute", "Lets somebody write again; for moderators.", "@user", Bot: null),
    ];

    public static bool Has(string name) => All.Any(command => command.Name == name);

    /// <param name="room">As who gives it sees it; it is admitted as a message of his.</param>
    /// <param name="command">One that <see cref="Has"/>.</param>
    /// <param name="request">Its id and thread.</param>
    /// <param name="available">What <c>/help</c> tells of.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<CommandOutcome> RunAsync(RoomView room, CommandText command, CommandRequest request, IReadOnlyList<CommandEntry> available, CancellationToken cancellationToken)
    {
        switch (command.Name)
        {
            case "help":
                return new CommandOutcome(string.Join('\n', available.Select(static one => $"/{one.Name} {one.Usage}".TrimEnd() + $" – {one.Description}")));
            case "me":
                return await SayAsync(room, Require(command.Rest, command), request);
            case "topic":
                TopicAccess.RequireManage(room.Caller, room.Topic.Name);
                await moderation.ChangeAsync(room, new RoomChange(Description: command.Rest.Length <= MaxTopic ? command.Rest : throw Wrong(command)), cancellationToken);
                return new CommandOutcome("The room says now what it is for.");
            case "invite":
                await membership.SetAsync(room.Caller, room.Topic.Name.Value, UserOf(command), "member", cancellationToken);
                return new CommandOutcome($"{UserOf(command)} is a member.");
            case "mute":
                TopicAccess.RequireManage(room.Caller, room.Topic.Name);
                var seconds = command.Words.Length > 1 ? CommandText.ToSeconds(command.Words[1]) : DefaultMuteSeconds;
                await moderation.MuteAsync(room, UserOf(command), TimeSpan.FromSeconds(seconds is >= 1 and <= MaxMuteSeconds ? seconds.Value : throw Wrong(command)), cancellationToken);
                return new CommandOutcome($"{UserOf(command)} is muted.");
            case "unmute":
                TopicAccess.RequireManage(room.Caller, room.Topic.Name);
                await moderation.UnmuteAsync(room, UserOf(command), cancellationToken);
                return new CommandOutcome($"{UserOf(command)} may write again.");
            default:
                TopicAccess.RequireManage(room.Caller, room.Topic.Name);
                var slow = command.Rest == "off" ? 0 : CommandText.ToSeconds(command.Rest);
                await moderation.ChangeAsync(room, new RoomChange(SlowSeconds: slow is >= 0 and <= MaxSlowSeconds ? slow : throw Wrong(command)), cancellationToken);
                return new CommandOutcome(slow == 0 ? "The room is not slow." : $"Members wait {slow} s between two messages.");
        }
    }

    private async Task<CommandOutcome> SayAsync(RoomView room, string text, CommandRequest request)
    {
        var payload = JsonSerializer.SerializeToElement(new ChatMessage($"_{text}_", Thread: request.Thread), ChatEventJson.Default.ChatMessage);
        var reply = await publish.PublishAsync(room.Caller, room.Topic.Name, new PublishRequest { Event = ChatFeature.MessageEvent, Payload = payload, Id = request.Id });
        projector.Signal(room.Topic);
        return new CommandOutcome(Message: reply.Position is { } position ? MessageEntry.ToId(position.Offset) : null);
    }

    private static string UserOf(CommandText command) => command.User is { Length: > 0 and <= MaxUser } user ? user : throw Wrong(command);

    private static string Require(string text, CommandText command) => text.Length > 0 ? text : throw Wrong(command);

    private static RealtimeException Wrong(CommandText command) =>
        new(ErrorCode.RequestInvalid, $"It is written /{command.Name} {All.First(one => one.Name == command.Name).Usage}");
}
