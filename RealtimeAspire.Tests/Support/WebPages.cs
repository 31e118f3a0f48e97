using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Support;

/// <summary>What somebody does in the web client.</summary>
internal static class WebPages
{
    public static async Task SignInAsync(this IPage page, Topology topology, string user)
    {
        await page.GotoAsync(topology.Web.ToString());
        await page.GetByTestId("name").FillAsync(user);
        await page.GetByTestId("sign-in").ClickAsync();
        await Expect(page.GetByTestId("open-room")).ToBeVisibleAsync();
    }

    public static async Task OpenRoomAsync(this IPage page, Topology topology, string room)
    {
        await page.GotoAsync(new Uri(topology.Web, $"/rooms/{room}").ToString());
        await page.BecomesAsync("connected");
    }

    /// <summary>Somebody in a room, at a desk or on a phone, in a profile of his own; what the page's scripts complain about fails the test that asserts on it.</summary>
    public static async Task<(IPage Page, List<string> Complaints)> EnterAsync(this Browser browser, Topology topology, string user, string room, bool isPhone = false)
    {
        var (page, complaints) = await (isPhone ? browser.OpenAsync(width: 390, height: 844) : browser.OpenAsync());
        await page.SignInAsync(topology, user);
        await page.OpenRoomAsync(topology, room);
        return (page, complaints);
    }

    public static async Task SayAsync(this IPage page, string text)
    {
        await page.GetByTestId("composer").FillAsync(text);
        await page.GetByTestId("composer").PressAsync("Enter");
    }

    /// <summary>The connection's state, as the page shows it.</summary>
    public static Task BecomesAsync(this IPage page, string state, float? within = null) =>
        Expect(page.GetByTestId("connection-state")).ToHaveAttributeAsync("data-state", state, new() { Timeout = within });

    /// <summary>Messages that the topic has, beside those that wait.</summary>
    public static ILocator Stored(this IPage page) => page.Locator("[data-testid=message][data-offset]");

    public static async Task<long[]> OffsetsAsync(this IPage page) =>
        await page.Stored().EvaluateAllAsync<long[]>("all => all.map(one => Number(one.dataset.offset))");

    /// <summary>The room's message that has a text.</summary>
    public static ILocator Message(this IPage page, string text) => page.GetByTestId("messages").GetByTestId("message").Filter(new() { HasText = text });

    /// <summary>Chooses something of a message's toolbar, which comes to the message that is tapped.</summary>
    public static async Task ToolAsync(this IPage page, string text, string tool)
    {
        var message = page.Message(text).First;
        // Another tap would take it away again.
        if (!await message.GetByTestId("tools").IsVisibleAsync())
        {
            await message.GetByTestId("message-text").ClickAsync();
        }

        await message.GetByTestId("tools").GetByRole(AriaRole.Button, new() { Name = tool }).ClickAsync();
    }

    /// <summary>The same of what else there is to do.</summary>
    public static async Task MoreAsync(this IPage page, string text, string item)
    {
        await page.ToolAsync(text, "More to do with this message");
        await page.GetByRole(AriaRole.Menuitem, new() { Name = item, Exact = true }).ClickAsync();
    }

    /// <summary>Chooses something of what there is to do with the room.</summary>
    public static async Task RoomItemAsync(this IPage page, string item)
    {
        await page.GetByTestId("room-menu").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = item }).ClickAsync();
    }

    /// <summary>The connection is there, and the room is not for whoever looks at the page.</summary>
    public static async Task IsOutAsync(this IPage page)
    {
        await page.BecomesAsync("reconnecting");
        await Expect(page.GetByTestId("retry-now")).ToBeVisibleAsync();
    }

    public static Task ShotAsync(this IPage page, string name) => page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, $"{name}.png") });

    /// <summary>From now on the pages that are loaded reach the API through a network of their own. Wants a page that is free.</summary>
    public static Task GoThroughAsync(this IPage page, TcpProxy network) => page.AddInitScriptAsync($$"""
        // The page is there, and its modules have not run yet.
        document.addEventListener("readystatechange", () => {
          for (const part of document.querySelectorAll("[api]")) part.setAttribute("api", "http://127.0.0.1:{{network.Port}}");
        });
        """);

    /// <summary>Every node knows that somebody is muted in a room where he may write, or that he is no longer: they are told beside what pages show.</summary>
    public static async Task IsMutedEverywhereAsync(this Topology topology, string room, string user, bool isMuted = true)
    {
        foreach (var node in topology.Nodes())
        {
            using var http = await topology.HttpAsync(user, node.Address);
            await Eventually.BecomesTrueAsync(
                async () =>
                {
                    // One way or the other it is refused: there is no such message.
                    var reaction = new { @event = "chat:reaction", entityId = "999999", payload = new { emoji = "👍", on = true } };
                    using var answer = await http.PostAsJsonAsync($"/topics/room:{room}/events", reaction, Topology.Cancelled);
                    return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString() == (isMuted ? "muted" : "message_not_found");
                },
                "a node does not know who is muted");
        }
    }

    /// <summary>A name that no other scenario has.</summary>
    public static string NewName(string prefix) => $"{prefix}-{Guid.NewGuid():n}"[..14];
}
