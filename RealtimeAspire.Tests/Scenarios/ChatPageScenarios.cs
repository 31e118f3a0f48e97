using System.Net.Http.Json;
using Microsoft.Playwright;
using RealtimeAspire.Tests.Server;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What people do to messages on the room's page, and what others see of it.</summary>
[Collection(SharedTopology.Name)]
public sealed class ChatPageScenarios(Topology topology, Browser browser) : IClassFixture<Browser>
{
    private const int Said = 130;

    [Fact]
    public async Task A_reaction_an_edit_and_a_delete_are_seen_by_others_and_are_there_after_a_reload()
    {
        var room = WebPages.NewName("salon");
        var (ada, complaints) = await browser.OpenAsync();
        await ada.SignInAsync(topology, "ada");
        await ada.OpenRoomAsync(topology, room);
        await ada.SayAsync("teh first");
        await ada.SayAsync("the second");
        await Expect(ada.Stored()).ToHaveCountAsync(2);
        var (grace, _) = await browser.OpenAsync(width: 390, height: 844);
        await grace.SignInAsync(topology, "grace");
        await grace.OpenRoomAsync(topology, room);

        // On a phone a message is tapped first.
        await grace.GetByText("teh first").ClickAsync();
        await ToolOf(grace, "teh first", "React with 👍").ClickAsync();
        await Expect(ada.GetByTestId("reaction")).ToHaveTextAsync("👍 1");
        await ada.GetByTestId("reaction").ClickAsync();
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 2");
        await ada.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "chat-desktop.png") });
        await grace.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "chat-phone.png") });
        await ada.GetByTestId("reaction").ClickAsync();
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 1");

        // Only one's own can be edited; what had been typed before is there again after it.
        await Expect(ToolOf(grace, "teh first", "Edit this message")).ToHaveCountAsync(0);
        await ada.GetByTestId("composer").FillAsync("half a thought");
        await ada.GetByText("teh first").HoverAsync();
        await ToolOf(ada, "teh first", "Edit this message").ClickAsync();
        await Expect(ada.GetByTestId("editing")).ToBeVisibleAsync();
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("teh first");
        await ada.SayAsync("the first");
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("half a thought");
        await Expect(grace.GetByTestId("message-text").First).ToHaveTextAsync("the first (edited)");

        ada.Dialog += (_, dialog) => dialog.AcceptAsync();
        await ada.GetByText("the second").HoverAsync();
        await ToolOf(ada, "the second", "Delete this message").ClickAsync();
        await Expect(grace.GetByTestId("message-deleted")).ToHaveTextAsync("This message was deleted");

        await grace.ReloadAsync();
        await Expect(grace.GetByTestId("message-text")).ToHaveTextAsync(["the first (edited)"]);
        await Expect(grace.GetByTestId("message-deleted")).ToHaveCountAsync(1);
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 1");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task Who_scrolls_up_finds_everything_that_was_said_as_it_is_now_and_keeps_his_place()
    {
        var room = WebPages.NewName("archive");
        await using var bob = await topology.ConnectAsync("bob");
        for (var i = 1; i <= Said; i++)
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = $"message {i}" }, cancellationToken: Topology.Cancelled);
        }

        await bob.PublishAsync($"room:{room}", "chat:edit", new { text = "edited since" }, entityId: "3", cancellationToken: Topology.Cancelled);
        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        await page.OpenRoomAsync(topology, room);
        await Expect(page.GetByText($"message {Said}", new() { Exact = true })).ToBeVisibleAsync();
        Assert.True(await page.Stored().CountAsync() < Said);

        // What is looked at stays in sight while older messages come before it.
        var scroller = page.Locator("[data-part=scroller]");
        while (await page.Stored().CountAsync() is var count && count < Said)
        {
            var oldest = page.Locator($"li[data-offset='{(await page.OffsetsAsync())[0]}']");
            await scroller.EvaluateAsync("scroller => scroller.scrollTop = 0");
            await Expect(page.Stored()).Not.ToHaveCountAsync(count);
            await Expect(oldest).ToBeInViewportAsync();
        }

        var offsets = await page.OffsetsAsync();
        Assert.Equal(Enumerable.Range(1, Said).Select(i => (long)i), offsets);
        await Expect(page.GetByTestId("message-text").Nth(2)).ToHaveTextAsync("edited since (edited)");
        await Expect(page.GetByText("The beginning of this room")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Who_is_here_who_types_and_what_is_unread_is_seen()
    {
        var room = WebPages.NewName("lounge");
        var (ada, complaints) = await browser.OpenAsync();
        await ada.SignInAsync(topology, "ada");
        await ada.OpenRoomAsync(topology, room);
        var (grace, _) = await browser.OpenAsync(width: 390, height: 844);
        await grace.SignInAsync(topology, "grace");
        await grace.OpenRoomAsync(topology, room);
        await Expect(ada.GetByTestId("people")).ToHaveTextAsync("2 here");

        await grace.GetByTestId("composer").PressSequentiallyAsync("hello");
        await Expect(ada.GetByTestId("typing")).ToHaveTextAsync("grace is typing…");
        await ada.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "typing-desktop.png") });
        await grace.GetByTestId("composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("message-text")).ToHaveTextAsync(["hello"]);
        await Expect(ada.GetByTestId("typing")).ToHaveTextAsync("");

        // What she has seen is read; what is said when she has left is not.
        using var http = await topology.HttpAsync("ada");
        await Eventually.BecomesTrueAsync(
            async () => (await http.GetStringAsync($"/rooms/{room}/positions", Topology.Cancelled)).Contains("\"ada\"", StringComparison.Ordinal), "what is on the screen is not read");
        await ada.GotoAsync(topology.Web.ToString());
        await Expect(grace.GetByTestId("people")).ToHaveTextAsync("1 here", new() { Timeout = 30_000 });
        await grace.SayAsync("are you there?");
        await grace.SayAsync("well then");
        await Expect(grace.Stored()).ToHaveCountAsync(3);
        await ada.ReloadAsync();
        await Expect(ada.Locator($"[data-room='{room}']").GetByTestId("unread")).ToHaveTextAsync("2 unread");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_notification_rings_on_every_device_and_what_is_read_on_one_is_read_on_all()
    {
        var user = WebPages.NewName("iris");
        var (desk, complaints) = await browser.OpenAsync();
        await desk.SignInAsync(topology, user);
        await Expect(desk.GetByTestId("bell-button")).ToBeVisibleAsync();
        var (phone, _) = await browser.OpenAsync(width: 390, height: 844);
        await phone.SignInAsync(topology, user);

        using var backend = new HttpClient { BaseAddress = topology.Api };
        backend.DefaultRequestHeaders.Authorization = new("Bearer", TestServer.Token("backend", tenant: null, """[{"topic":"*","operations":["*"]}]"""));
        foreach (var title in (string[])["A build has failed", "Ada mentioned you"])
        {
            using var sent = await backend.PostAsJsonAsync(
                "/notifications", new { to = new { user }, kind = "mention", title, body = "In #general, a minute ago", link = "/rooms/general" }, Topology.Cancelled);
            Assert.Equal(201, (int)sent.StatusCode);
        }

        await Expect(desk.GetByTestId("bell-count")).ToHaveTextAsync("2");
        await Expect(phone.GetByTestId("bell-count")).ToHaveTextAsync("2");
        await phone.GetByTestId("bell-button").ClickAsync();
        await Expect(phone.GetByTestId("notification")).ToHaveCountAsync(2);
        await Expect(phone.GetByTestId("notification").First).ToContainTextAsync("Ada mentioned you");
        await phone.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "bell-phone.png") });
        await desk.GetByTestId("bell-button").ClickAsync();
        await desk.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "bell-desktop.png") });

        await phone.GetByTestId("bell-read").ClickAsync();
        await Expect(desk.GetByTestId("bell-count")).ToBeHiddenAsync();
        await Expect(phone.GetByTestId("bell-count")).ToBeHiddenAsync();
        Assert.Empty(complaints);
    }

    private static ILocator ToolOf(IPage page, string text, string label) =>
        page.GetByTestId("message").Filter(new() { HasText = text }).GetByRole(AriaRole.Button, new() { Name = label });
}
