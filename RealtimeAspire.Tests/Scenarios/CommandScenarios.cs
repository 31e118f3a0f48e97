using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Commands in rooms: a user at one node, a bot with a service key at another.</summary>
[Collection(SharedTopology.Name)]
public sealed class CommandScenarios(NotificationScenarios.Nodes nodes) : IClassFixture<NotificationScenarios.Nodes>
{
    private const string Rights = """[{"topic":"bot:weather","operations":["subscribe","history"]},{"topic":"room:*","operations":["publish"]}]""";

    private readonly string _tenant = $"t{Guid.NewGuid():n}";
    private readonly string _room = $"r{Guid.NewGuid():n}";

    [Fact]
    public async Task A_bot_at_another_node_is_told_once_and_answers_in_the_room_or_the_user_alone()
    {
        using var bot = await BotAsync(Rights);
        await DoneAsync(bot.PutAsJsonAsync("/bots/weather/commands/forecast", new { description = "How the weather will be.", usage = "place" }, Topology.Cancelled));

        var listed = await AskAsync("ada", HttpMethod.Get, "commands");
        Assert.Equal(["forecast", "help", "invite", "me", "mute", "slow", "topic", "unmute"], listed.GetProperty("commands").EnumerateArray().Select(command => command.GetProperty("name").GetString()));
        var speaker = Assert.Single(listed.GetProperty("bots").EnumerateArray());
        Assert.Equal("weather", speaker.GetProperty("name").GetString());

        var outcome = await AskAsync("ada", HttpMethod.Post, "commands", new { text = "/forecast  Berlin, tomorrow ", id = "c1" });
        Assert.Equal(outcome.ToString(), (await AskAsync("ada", HttpMethod.Post, "commands", new { text = "/forecast  Berlin, tomorrow ", id = "c1" })).ToString());
        Assert.Equal(("weather", "1"), (outcome.GetProperty("bot").GetString(), outcome.GetProperty("command").GetString()));
        var told = Assert.Single((await bot.GetFromJsonAsync<JsonElement>("/topics/bot:weather/events", Topology.Cancelled)).GetProperty("events").EnumerateArray()).GetProperty("data").GetProperty("payload");
        Assert.Equal(
            ($"room:{_room}", "forecast", "Berlin, tomorrow", "ada"),
            (told.GetProperty("room").GetString(), told.GetProperty("name").GetString(), told.GetProperty("text").GetString(), told.GetProperty("user").GetString()));

        // To all: a message as any other, by whom the list names.
        using (var said = await bot.PostAsJsonAsync($"/topics/room:{_room}/events", new { @event = "chat:message", payload = new { text = "Rain." } }, Topology.Cancelled))
            Assert.Equal(HttpStatusCode.Created, said.StatusCode);
        var message = Assert.Single((await AskAsync("bob", HttpMethod.Get, "messages")).GetProperty("messages").EnumerateArray());
        Assert.Equal(speaker.GetProperty("user").GetString(), message.GetProperty("author").GetString());

        // To her alone, once.
        for (var i = 0; i < 2; i++)
            await DoneAsync(bot.PostAsJsonAsync("/bots/weather/replies", new { command = "1", text = "Take an umbrella.", id = "a1" }, Topology.Cancelled));
        var reply = Assert.Single(await EventsOfAsync("ada"));
        Assert.Equal(
            ("chat:reply", "Take an umbrella.", "weather", "1"),
            (reply.GetProperty("event").GetString(), Payload("text"), Payload("bot"), Payload("command")));
        Assert.Empty(await EventsOfAsync("bob"));
        Assert.Equal("not_found", await CodeAsync(bot.PostAsJsonAsync("/bots/weather/replies", new { command = "2", text = "Who?" }, Topology.Cancelled)));

        string? Payload(string name) => reply.GetProperty("data").GetProperty("payload").GetProperty(name).GetString();
    }

    [Fact]
    public async Task A_command_is_who_registered_it_and_is_there_where_its_bot_may_speak()
    {
        using var bot = await BotAsync(Rights);
        using var other = await BotAsync("""[{"topic":"bot:news","operations":["subscribe"]},{"topic":"room:elsewhere","operations":["publish"]}]""");
        var text = new { description = "x" };
        await DoneAsync(bot.PutAsJsonAsync("/bots/weather/commands/forecast", text, Topology.Cancelled));

        Assert.Equal("command_taken", await CodeAsync(other.PutAsJsonAsync("/bots/news/commands/forecast", text, Topology.Cancelled)));
        Assert.Equal("command_taken", await CodeAsync(bot.PutAsJsonAsync("/bots/weather/commands/help", text, Topology.Cancelled)));
        Assert.Equal("forbidden", await CodeAsync(other.PutAsJsonAsync("/bots/weather/commands/forecast", text, Topology.Cancelled)));
        Assert.Equal("forbidden", await CodeAsync(other.PutAsJsonAsync("/bots/news/commands/latest", new { description = "x", room = _room }, Topology.Cancelled)));
        Assert.Equal("request_invalid", await CodeAsync(bot.PutAsJsonAsync("/bots/weather/commands/Fore%20cast", text, Topology.Cancelled)));
        using (var user = nodes.One.Http(_tenant, "ada"))
            Assert.Equal("forbidden", await CodeAsync(user.PutAsJsonAsync("/bots/weather/commands/mine", text, Topology.Cancelled)));

        // What another bot has for all rooms is not there in those in which it may not speak.
        await DoneAsync(other.PutAsJsonAsync("/bots/news/commands/latest", text, Topology.Cancelled));
        Assert.Equal("command_unknown", await RefusalAsync("ada", "/latest"));
        Assert.Null(await RefusalAsync("ada", "/latest", "elsewhere"));
        await DoneAsync(bot.DeleteAsync("/bots/weather/commands/forecast", Topology.Cancelled));
        Assert.Equal("command_unknown", await RefusalAsync("ada", "/forecast"));
        Assert.Equal("not_found", await CodeAsync(bot.DeleteAsync("/bots/weather/commands/forecast", Topology.Cancelled)));
        Assert.Equal("request_invalid", await RefusalAsync("ada", "no command"));
    }

    [Fact]
    public async Task What_each_room_can_is_what_there_is_with_the_rights_that_it_needs()
    {
        using (var made = await SendAsync("ada", HttpMethod.Post, "/rooms", new { title = "Talk", name = _room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);

        Assert.Contains("/mute @user 10m", (await AskAsync("bob", HttpMethod.Post, "commands", new { text = "/help" })).GetProperty("reply").GetString(), StringComparison.Ordinal);
        foreach (var command in (string[])["/topic x", "/invite @eve", "/mute @ada 10m", "/unmute @ada", "/slow 30"])
            Assert.Equal((command, "forbidden"), (command, await RefusalAsync("bob", command)));
        foreach (var command in (string[])["/mute", "/mute @bob soon", "/mute @bob 2000d", "/slow never", "/invite", "/me"])
            Assert.Equal((command, "request_invalid"), (command, await RefusalAsync("ada", command)));

        foreach (var command in (string[])["/topic What we talk of", "/invite @eve", "/mute @bob 10m", "/slow 30s"])
            Assert.Equal((command, null), (command, await RefusalAsync("ada", command)));
        var room = await AskAsync("ada", HttpMethod.Get, "");
        Assert.Equal(("What we talk of", 30, 2), (room.GetProperty("description").GetString(), room.GetProperty("slowSeconds").GetInt32(), room.GetProperty("members").GetInt32()));
        Assert.Equal("muted", await RefusalAsync("bob", "/me waves"));
        Assert.Equal((null, null), (await RefusalAsync("ada", "/unmute @bob"), await RefusalAsync("ada", "/slow off")));
        var said = await AskAsync("bob", HttpMethod.Post, "commands", new { text = "/me waves", id = "w" });
        Assert.Equal("_waves_", (await AskAsync("ada", HttpMethod.Get, $"messages/{said.GetProperty("message").GetString()}")).GetProperty("text").GetString());
    }

    private async Task<HttpClient> BotAsync(string grants)
    {
        using var manager = new HttpClient { BaseAddress = nodes.One.Address };
        using var token = await manager.PostAsJsonAsync(
            "/auth/token", new { user = "manager", tenant = _tenant, grants = JsonElement.Parse("""[{"topic":"system:keys","operations":["manage"]},{"topic":"*","operations":["*"]}]""") }, Topology.Cancelled);
        manager.DefaultRequestHeaders.Authorization = new("Bearer", (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString());
        using var made = await manager.PostAsJsonAsync("/keys", new { name = "bot", grants = JsonElement.Parse(grants) }, Topology.Cancelled);
        var key = (await made.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("key").GetString();
        return new HttpClient { BaseAddress = nodes.Other.Address, DefaultRequestHeaders = { Authorization = new("Bearer", key) } };
    }

    private async Task<List<JsonElement>> EventsOfAsync(string user)
    {
        using var answer = await SendAsync(user, HttpMethod.Get, $"/topics/user:{user}/events");
        return [.. (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("events").EnumerateArray()];
    }

    private static async Task DoneAsync(Task<HttpResponseMessage> asked) => Assert.Null(await CodeAsync(asked));

    /// <summary>Null: it was done.</summary>
    private static async Task<string?> CodeAsync(Task<HttpResponseMessage> asked)
    {
        using var answer = await asked;
        return answer.IsSuccessStatusCode ? null : (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
    }

    private Task<string?> RefusalAsync(string user, string text, string? room = null) => CodeAsync(SendAsync(user, HttpMethod.Post, $"/rooms/{room ?? _room}/commands", new { text }));

    private async Task<JsonElement> AskAsync(string user, HttpMethod method, string path, object? body = null)
    {
        using var answer = await SendAsync(user, method, $"/rooms/{_room}/{path}".TrimEnd('/'), body);
        var text = await answer.Content.ReadAsStringAsync(Topology.Cancelled);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonElement.Parse(text);
    }

    private async Task<HttpResponseMessage> SendAsync(string user, HttpMethod method, string path, object? body = null)
    {
        using var http = nodes.One.Http(_tenant, user);
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        return await http.SendAsync(request, Topology.Cancelled);
    }
}
