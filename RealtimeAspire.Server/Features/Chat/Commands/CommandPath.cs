using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>
/// Commands in rooms. They are admitted as messages of the user's, and done at once, or told to the bot that has them: as an event on
/// <c>bot:{name}</c>, which keeps it until the bot is there to read it.
/// </summary>
internal sealed class CommandPath(
    CommandStore store, BuiltInCommands builtIn, ServiceKeys keys, TopicAccess access, TopicCatalog topics, ChatRules rules, PublishPath publish, ITopicPublisher publisher, LogCatalog logs, TimeProvider time)
{
    public const string BotType = "bot";
    public const string CommandEvent = "chat:command";
    public const string ReplyEvent = "chat:reply";

    /// <summary>What can be told to whom in a room, by name.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<CommandList> ListAsync(RoomView room, CancellationToken cancellationToken)
    {
        var ofBots = await ListBotsAsync(room, cancellationToken);
        return new CommandList(
            [.. BuiltInCommands.All.Concat(ofBots.Select(static command => new CommandEntry(command.Name, command.Description, command.Usage, command.Bot))).OrderBy(static command => command.Name, StringComparer.Ordinal)],
            [.. ofBots.DistinctBy(static command => command.Key).Select(static command => new BotEntry(command.Key, command.Bot))]);
    }

    /// <param name="room">As who gives it sees it.</param>
    /// <param name="request">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<CommandOutcome> RunAsync(RoomView room, CommandRequest request, CancellationToken cancellationToken)
    {
        var command = CommandText.Parse(request.Text);
        var message = JsonSerializer.SerializeToElement(new ChatMessage(request.Text!, Thread: request.Thread), ChatEventJson.Default.ChatMessage);
        publish.Admit(room.Caller, room.Topic.Name, topics.Get(room.Topic), new PublishRequest { Event = ChatFeature.MessageEvent, Payload = message, Id = request.Id }, connection: null);
        RequireVoice(room);
        if (BuiltInCommands.Has(command.Name))
        {
            return await builtIn.RunAsync(room, command, request, command.Name == "help" ? (await ListAsync(room, cancellationToken)).Commands : [], cancellationToken);
        }

        var own = (await ListBotsAsync(room, cancellationToken)).FirstOrDefault(one => one.Name == command.Name) ?? throw new RealtimeException(ErrorCode.CommandUnknown);
        var payload = JsonSerializer.SerializeToElement(
            new ChatCommand(room.Topic.Name.Value, command.Name, command.Rest, room.Caller.UserId, request.Thread), CommandEventJson.Default.ChatCommand);
        var id = request.Id is { } given ? IdOf(room.Topic.Name.Value, room.Caller.UserId, given) : null;
        var reply = await publisher.PublishAsync($"{BotType}:{own.Bot}", new PublishRequest { Event = CommandEvent, Payload = payload, Id = id }, room.Topic.Tenant);
        return new CommandOutcome(Bot: own.Bot, Command: reply.Position is { } position ? MessageEntry.ToId(position.Offset) : null);
    }

    /// <summary>Registers a command of a bot's.</summary>
    /// <param name="caller">A service key that may read <c>bot:{bot}</c>.</param>
    /// <param name="bot">Untrusted.</param>
    /// <param name="name">Untrusted, without the slash.</param>
    /// <param name="request">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task RegisterAsync(Caller caller, string bot, string name, CommandRegistration request, CancellationToken cancellationToken)
    {
        RequireBot(caller, bot);
        if (!CommandText.IsName(name) || request.Description is not { Length: > 0 and <= CommandRegistration.MaxText } || request.Usage is { Length: > CommandRegistration.MaxText }
            || $"{request.Description}{request.Usage}".Any(char.IsControl))
        {
            throw new RealtimeException(
                ErrorCode.RequestInvalid, $"A command is named by 1 to 32 of a-z, 0-9 and -, and has a description and perhaps a usage, one line of at most {CommandRegistration.MaxText} characters each.");
        }

        if (BuiltInCommands.Has(name))
        {
            throw new RealtimeException(ErrorCode.CommandTaken);
        }

        await store.PutAsync(caller.Tenant, RoomOf(caller, request.Room), new BotCommand(name, bot, caller.UserId, request.Description, request.Usage ?? ""), cancellationToken);
    }

    /// <summary>Takes it back.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task RemoveAsync(Caller caller, string bot, string name, string? room, CancellationToken cancellationToken)
    {
        RequireBot(caller, bot);
        if (!await store.RemoveAsync(caller.Tenant, RoomOf(caller, room), bot, name, cancellationToken))
        {
            throw new RealtimeException(ErrorCode.NotFound, "This bot has no such command there.");
        }
    }

    /// <summary>Answers who has given a command, and nobody else.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task ReplyAsync(Caller caller, string bot, CommandReply request, CancellationToken cancellationToken)
    {
        var topic = new TopicKey(caller.Tenant, RequireBot(caller, bot));
        if (request.Text is not { Length: > 0 and <= CommandReply.MaxText } || request.Text.Contains('\0', StringComparison.Ordinal))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"text is 1 to {CommandReply.MaxText} characters.");
        }

        var given = RoomEvent.ToId(request.Command) is { } offset
            ? (await logs.Of(topic).ReadAsync(topic, new LogRange.After(offset - 1), 1, cancellationToken)).Events.FirstOrDefault(logged => logged.Position.Offset == offset && logged.Event == CommandEvent)
            : null;
        var command = given is null ? null : JsonSerializer.Deserialize(given.Payload, CommandEventJson.Default.ChatCommand);
        if (command is null || !TopicName.TryParse($"{TopicCatalog.User}:{command.User}", out var user))
        {
            throw new RealtimeException(ErrorCode.NotFound, "This bot was given no such command, or by nobody who has a topic of his own.");
        }

        var room = TopicName.Parse(command.Room);
        access.RequirePublish(caller, topics.Get(room), room, ChatFeature.MessageEvent);
        var payload = JsonSerializer.SerializeToElement(new ChatReply(command.Room, bot, request.Command!, request.Text, command.Thread), CommandEventJson.Default.ChatReply);
        await publisher.PublishAsync(
            user.Value, new PublishRequest { Event = ReplyEvent, Payload = payload, Id = request.Id is { } id ? IdOf(topic.Name.Value, request.Command!, id) : null }, caller.Tenant);
    }

    /// <summary>Those whose bots may still speak in the room.</summary>
    private async Task<List<BotCommand>> ListBotsAsync(RoomView room, CancellationToken cancellationToken)
    {
        var may = new Dictionary<string, bool>(StringComparer.Ordinal);
        List<BotCommand> there = [];
        foreach (var command in await store.ListAsync(room.Topic, cancellationToken))
        {
            if (!may.TryGetValue(command.Key, out var speaks))
            {
                may[command.Key] = speaks = await keys.FindAsync(command.Key, cancellationToken) is { } bot && bot.Tenant == room.Topic.Tenant
                    && access.MayPublishAs(bot, topics.Get(room.Topic), room.Topic.Name, ChatFeature.MessageEvent);
            }

            if (speaks)
            {
                there.Add(command);
            }
        }

        return there;
    }

    private TopicName RequireBot(Caller caller, string bot)
    {
        var topic = TopicName.Parse($"{BotType}:{bot}");
        if (!caller.IsService)
        {
            throw new RealtimeException(ErrorCode.Forbidden, "A bot is a service key.");
        }

        access.RequireSubscribe(caller, topics.Get(topic), topic);
        return topic;
    }

    /// <summary>Empty: all rooms, in each of which it counts as far as the bot may speak there.</summary>
    private string RoomOf(Caller caller, string? room)
    {
        if (room is null)
        {
            return "";
        }

        var topic = TopicName.Parse($"{TopicCatalog.Room}:{room}");
        access.RequirePublish(caller, topics.Get(topic), topic, ChatFeature.MessageEvent);
        return topic.Value;
    }

    private void RequireVoice(RoomView room)
    {
        if (rules.Find(room.Topic) is { } rule && rule.Mutes.TryGetValue(room.Caller.UserId, out var until) && until > time.GetUtcNow())
        {
            throw new RealtimeException(ErrorCode.Muted) { RetryAfter = until - time.GetUtcNow() };
        }
    }

    /// <summary>A retry by the same for the same is the same event.</summary>
    private static string IdOf(params ReadOnlySpan<string> facts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', facts))));
}
