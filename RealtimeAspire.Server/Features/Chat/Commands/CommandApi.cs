using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>What a user gives a room.</summary>
/// <param name="Text">The slash, the command, and what follows it; up to 4,000 characters.</param>
/// <param name="Id">1 to 128 visible ASCII characters: sent again, it is the same command.</param>
/// <param name="Thread">The message in whose thread it is given.</param>
internal sealed record CommandRequest([property: StringLength(4_000)] string? Text, string? Id = null, string? Thread = null);

/// <summary>What has become of a command.</summary>
/// <param name="Reply">What the user is told, and nobody else.</param>
/// <param name="Message">The id of the message that it has become.</param>
/// <param name="Bot">The bot that was told of it, and answers as it likes.</param>
/// <param name="Command">With a bot, the command's id.</param>
internal sealed record CommandOutcome(string? Reply = null, string? Message = null, string? Bot = null, string? Command = null);

/// <summary>A command.</summary>
/// <param name="Name">Without the slash.</param>
/// <param name="Description">What it does.</param>
/// <param name="Usage">What follows it.</param>
/// <param name="Bot">Whose it is; null: each room has it.</param>
internal sealed record CommandEntry(string Name, string Description, string Usage, string? Bot);

/// <summary>Who speaks for a bot.</summary>
/// <param name="User">The author of its messages.</param>
/// <param name="Name">The bot's name.</param>
internal sealed record BotEntry(string User, string Name);

/// <summary>The commands of a room.</summary>
/// <param name="Commands">By name.</param>
/// <param name="Bots">Those who have some of them.</param>
internal sealed record CommandList(IReadOnlyList<CommandEntry> Commands, IReadOnlyList<BotEntry> Bots);

/// <summary>A command that a bot has.</summary>
/// <param name="Description">What it does, one line.</param>
/// <param name="Usage">What follows it, one line.</param>
/// <param name="Room">In one room only.</param>
internal sealed record CommandRegistration(
    [property: StringLength(CommandRegistration.MaxText)] string? Description, [property: StringLength(CommandRegistration.MaxText)] string? Usage = null, string? Room = null)
{
    public const int MaxText = 200;
}

/// <summary>A bot's answer for who has given a command.</summary>
/// <param name="Command">The command's id.</param>
/// <param name="Text">Markdown source, up to 4,000 characters.</param>
/// <param name="Id">1 to 128 visible ASCII characters: sent again, it is the same answer.</param>
internal sealed record CommandReply(string? Command, [property: StringLength(CommandReply.MaxText)] string? Text, string? Id = null)
{
    public const int MaxText = 4_000;
}

/// <summary>Commands over HTTP: for users in rooms, and for bots.</summary>
internal static class CommandApi
{
    private static readonly ErrorCode[] Errors =
    [
        ErrorCode.RequestInvalid, ErrorCode.TopicInvalid, ErrorCode.TopicTypeUnknown, ErrorCode.Forbidden, ErrorCode.RateLimited, ErrorCode.LogUnavailable, ErrorCode.Overloaded,
    ];

    private static readonly ErrorCode[] WriteErrors = [.. Errors, ErrorCode.PayloadTooLarge, ErrorCode.MediaTypeUnsupported, ErrorCode.EventNotAllowed];

    public static void MapCommands(this RouteGroupBuilder rooms)
    {
        rooms.MapMethods("/{room}/commands", ReadMethods.All, ListAsync)
            .WithSummary("What can be commanded in a room, and which bots have it.")
            .Produces<CommandList>()
            .WithErrors([.. Errors, ErrorCode.Denied, ErrorCode.HookUnavailable]);
        rooms.MapPost("/{room}/commands", RunAsync)
            .WithSummary("Gives a command, as a message of the caller's would be: it is done, or the bot that has it is told.")
            .WithBody<CommandRequest>()
            .Produces<CommandOutcome>()
            .WithErrors([.. WriteErrors, ErrorCode.CommandUnknown, ErrorCode.Muted, ErrorCode.SlowMode, ErrorCode.TextRefused, ErrorCode.IdInvalid, ErrorCode.IdConflict, ErrorCode.PayloadInvalid, ErrorCode.UserInvalid, ErrorCode.AuditUnavailable, ErrorCode.Denied, ErrorCode.HookUnavailable]);
    }

    public static void MapBots(this RouteGroupBuilder bots)
    {
        bots.MapPut("/{bot}/commands/{name}", RegisterAsync)
            .WithSummary("Registers a command of a bot's, or changes it; for service keys that may read the bot's topic.")
            .WithBody<CommandRegistration>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.CommandTaken, ErrorCode.QuotaExceeded]);
        bots.MapDelete("/{bot}/commands/{name}", RemoveAsync)
            .WithSummary("Takes a command of a bot's back.")
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. Errors, ErrorCode.EventNotAllowed, ErrorCode.NotFound]);
        bots.MapPost("/{bot}/replies", ReplyAsync)
            .WithSummary("Answers who has given a command, and nobody else.")
            .WithBody<CommandReply>()
            .Produces(StatusCodes.Status204NoContent)
            .WithErrors([.. WriteErrors, ErrorCode.NotFound, ErrorCode.IdInvalid, ErrorCode.IdConflict, ErrorCode.QuotaExceeded]);
    }

    private static async Task<JsonHttpResult<CommandList>> ListAsync(string room, HttpContext context, RoomDoor door, CommandPath commands)
    {
        var view = await door.EnterAsync(context, room);
        return TypedResults.Json(await commands.ListAsync(view, context.RequestAborted), CommandJson.Default.CommandList);
    }

    private static async Task<JsonHttpResult<CommandOutcome>> RunAsync(string room, HttpContext context, RoomDoor door, CommandPath commands)
    {
        var view = await door.EnterAsync(context, room);
        using var body = await JsonBody.ReadAsync(context.Request);
        return TypedResults.Json(await commands.RunAsync(view, JsonBody.To(body.RootElement, CommandJson.Default.CommandRequest), context.RequestAborted), CommandJson.Default.CommandOutcome);
    }

    private static async Task<NoContent> RegisterAsync(string bot, string name, HttpContext context, RequestLimiter limits, CommandPath commands)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        await commands.RegisterAsync(caller, bot, name, JsonBody.To(body.RootElement, CommandJson.Default.CommandRegistration), context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> RemoveAsync(
        string bot, string name, HttpContext context, RequestLimiter limits, CommandPath commands, [Description("In one room only, as it was registered.")] string? room)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        await commands.RemoveAsync(caller, bot, name, room, context.RequestAborted);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> ReplyAsync(string bot, HttpContext context, RequestLimiter limits, CommandPath commands)
    {
        var caller = Caller.From(context.User);
        limits.Admit(caller);
        using var body = await JsonBody.ReadAsync(context.Request);
        await commands.ReplyAsync(caller, bot, JsonBody.To(body.RootElement, CommandJson.Default.CommandReply), context.RequestAborted);
        return TypedResults.NoContent();
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(CommandList))]
[JsonSerializable(typeof(CommandOutcome))]
[JsonSerializable(typeof(CommandRequest))]
[JsonSerializable(typeof(CommandRegistration))]
[JsonSerializable(typeof(CommandReply))]
internal sealed partial class CommandJson : JsonSerializerContext;
