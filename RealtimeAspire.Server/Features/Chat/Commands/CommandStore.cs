using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat.Commands;

/// <summary>A command of a bot's.</summary>
/// <param name="Name">Without the slash.</param>
/// <param name="Bot">Which bot.</param>
/// <param name="Key">The subject of its service key.</param>
/// <param name="Description">What it does.</param>
/// <param name="Usage">What follows it.</param>
internal sealed record BotCommand(string Name, string Bot, string Key, string Description, string Usage);

/// <summary>What bots can be told to do, in all rooms of a tenant or in one.</summary>
internal sealed class CommandStore(Database database)
{
    // One of a room's own stands before one of all rooms.
    private const string List = """
        select distinct on (name) name, bot, key_id, description, usage from realtime.chat_commands where tenant = $1 and topic in ('', $2) order by name, topic desc limit 1000
        """;

    // Whoever has it keeps it: another bot does not take it away.
    private const string Put = """
        insert into realtime.chat_commands as c (tenant, topic, name, bot, key_id, description, usage)
        select $1, $2, $3, $4, $5, $6, $7 where (select count(*) from realtime.chat_commands where tenant = $1 and bot = $4) < $8
            or exists (select from realtime.chat_commands where tenant = $1 and topic = $2 and name = $3)
            on conflict (tenant, topic, name) do update set key_id = excluded.key_id, description = excluded.description, usage = excluded.usage where c.bot = excluded.bot
        returning 1
        """;

    private const string FindBot = "select bot from realtime.chat_commands where tenant = $1 and topic = $2 and name = $3";

    private const string Drop = "delete from realtime.chat_commands where tenant = $1 and topic = $2 and name = $3 and bot = $4";

    private const int MostOfBot = 100;

    /// <summary>By name.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<BotCommand>> ListAsync(TopicKey room, CancellationToken cancellationToken) => database.ReadAsync(
        List,
        static reader => new BotCommand(reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4)),
        cancellationToken,
        room.Tenant,
        room.Name.Value);

    /// <param name="tenant">Whose rooms.</param>
    /// <param name="room">The topic of one of them; empty: all.</param>
    /// <param name="command">What it is.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>command_taken</c>, <c>quota_exceeded</c>, <c>log_unavailable</c>.</exception>
    public async Task PutAsync(string tenant, string room, BotCommand command, CancellationToken cancellationToken)
    {
        var put = await database.ReadAsync(
            Put, static _ => true, cancellationToken, tenant, room, command.Name, command.Bot, command.Key, command.Description, command.Usage, (long)MostOfBot);
        if (put.Count == 0)
        {
            var other = await database.ReadAsync(FindBot, static reader => reader.GetString(0), cancellationToken, tenant, room, command.Name);
            throw other.Count > 0 ? new RealtimeException(ErrorCode.CommandTaken) : new RealtimeException(ErrorCode.QuotaExceeded, $"A bot has at most {MostOfBot} commands.");
        }
    }

    /// <returns>Whether it was there.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> RemoveAsync(string tenant, string room, string bot, string name, CancellationToken cancellationToken) =>
        await database.RunAsync(Drop, cancellationToken, tenant, room, name, bot) > 0;
}
