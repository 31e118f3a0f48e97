using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What people see of commands and bots on the room's page.</summary>
[Collection(PageTopology.Name)]
public sealed class BotPageScenarios(Topology topology, Browser browser)
{
    private readonly string _room = WebPages.NewName("weather");

    [Fact]
    public async Task A_command_is_completed_and_its_bot_answers_everybody_or_who_asked_alone()
    {
        using var bot = await BotAsync();
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", _room);
        var (grace, others) = await browser.EnterAsync(topology, "grace", _room, isPhone: true);

        // A room's own command: its answer stays until it was read.
        await ada.GetByTestId("composer").PressSequentiallyAsync("/hel");
        await Expect(ada.GetByTestId("completions")).ToContainTextAsync("help");
        await ada.Keyboard.PressAsync("Enter");
        await ada.GetByTestId("composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("aside")).ToContainTextAsync("/forecast");
        await ada.GetByTestId("aside").GetByLabel("I have read it").ClickAsync();
        await Expect(ada.GetByTestId("aside")).ToHaveCountAsync(0);
        await Expect(ada.GetByTestId("composer")).ToBeFocusedAsync();

        await ada.SayAsync("/forecast Berlin");
        var command = await CommandAsync(bot);
        await PostAsync(bot, "/bots/weather/replies", new { command, text = "Take an **umbrella**." }, HttpStatusCode.NoContent);
        await PostAsync(bot, $"/topics/room:{_room}/events", new { @event = "chat:message", payload = new { text = "Rain in Berlin." } }, HttpStatusCode.Created);

        await Expect(ada.GetByTestId("aside")).ToContainTextAsync("weather to you alone");
        await Expect(ada.GetByTestId("aside").Locator("strong")).ToHaveTextAsync("umbrella");
        foreach (var page in new[] { ada, grace })
        {
            await Expect(page.Message("Rain in Berlin.")).ToBeVisibleAsync();
            await Expect(page.Message("Rain in Berlin.").Locator(".byline b")).ToHaveTextAsync("weather");
        }

        // Neither the command nor what was said to her is anybody else's business.
        await Expect(grace.Stored()).ToHaveCountAsync(1);
        await Expect(grace.GetByTestId("aside")).ToHaveCountAsync(0);
        await ada.ShotAsync("bot-desktop");
        await grace.ShotAsync("bot-phone");

        Assert.Empty(complaints);
        Assert.Empty(others);

        // What could not be done is there to be sent again.
        await ada.RouteAsync("**/commands", route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = """{"code":"log_unavailable","detail":"The log is away.","retryable":true}""" }));
        await ada.SayAsync("/forecast Paris");
        await Expect(ada.GetByTestId("aside").Filter(new() { HasText = "The log is away." })).ToHaveCountAsync(1);
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("/forecast Paris");
    }

    private async Task<HttpClient> BotAsync()
    {
        var nodes = topology.Nodes();
        using var manager = new HttpClient { BaseAddress = nodes[0].Address };
        using var token = await manager.PostAsJsonAsync(
            "/auth/token", new { user = "manager", grants = JsonElement.Parse("""[{"topic":"system:keys","operations":["manage"]},{"topic":"*","operations":["*"]}]""") }, Topology.Cancelled);
        manager.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString());
        var grants = JsonElement.Parse($$"""[{"topic":"bot:weather","operations":["subscribe","history"]},{"topic":"room:{{_room}}","operations":["publish"]}]""");
        using var made = await manager.PostAsJsonAsync("/keys", new { name = "weather bot", grants }, Topology.Cancelled);
        var key = (await made.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("key").GetString();
        var bot = new HttpClient { BaseAddress = nodes[^1].Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };
        using var registered = await bot.PutAsJsonAsync("/bots/weather/commands/forecast", new { description = "How the weather will be.", usage = "place", room = _room }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, registered.StatusCode);
        return bot;
    }

    /// <summary>The id of the command that was given in this room.</summary>
    private async Task<string> CommandAsync(HttpClient bot)
    {
        string? id = null;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                var page = await bot.GetFromJsonAsync<JsonElement>("/topics/bot:weather/events", Topology.Cancelled);
                id = page.GetProperty("events").EnumerateArray()
                    .Where(told => told.GetProperty("data").GetProperty("payload").GetProperty("room").GetString() == $"room:{_room}")
                    .Select(told => told.GetProperty("offset").GetRawText()).FirstOrDefault();
                return id is not null;
            },
            "the bot was not told");
        return id!;
    }

    private static async Task PostAsync(HttpClient http, string path, object body, HttpStatusCode expected)
    {
        using var answer = await http.PostAsJsonAsync(path, body, Topology.Cancelled);
        Assert.Equal(expected, answer.StatusCode);
    }
}
