using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using RealtimeAspire.Tests.Server;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What people do to messages on the room's page, and what others see of it.</summary>
[Collection(PageTopology.Name)]
public sealed class ChatPageScenarios(Topology topology, Browser browser)
{
    private const int Said = 130;

    [Fact]
    public async Task A_reaction_an_edit_and_a_delete_are_seen_by_others_and_are_there_after_a_reload()
    {
        var room = WebPages.NewName("salon");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        await ada.SayAsync("teh first");
        await ada.SayAsync("the second");
        await Expect(ada.Stored()).ToHaveCountAsync(2);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);

        // On a phone a message is tapped first.
        await grace.ToolAsync("teh first", "React with 👍");
        await Expect(ada.GetByTestId("reaction")).ToHaveTextAsync("👍 1");
        await ada.GetByTestId("reaction").ClickAsync();
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 2");
        await ada.ShotAsync("chat-desktop");
        await grace.ShotAsync("chat-phone");
        await ada.GetByTestId("reaction").ClickAsync();
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 1");

        // Only one's own can be edited; what had been typed before is there again after it.
        await Expect(grace.GetByTestId("tools").GetByRole(AriaRole.Button, new() { Name = "Edit this message" })).ToHaveCountAsync(0);
        await ada.GetByTestId("composer").FillAsync("half a thought");
        await ada.ToolAsync("teh first", "Edit this message");
        await Expect(ada.GetByTestId("editing")).ToBeVisibleAsync();
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("teh first");
        await ada.SayAsync("the first");
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("half a thought");
        await Expect(grace.GetByTestId("message-text").First).ToHaveTextAsync("the first (edited)");

        await ada.MoreAsync("the second", "Delete");
        await ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(grace.GetByTestId("message-deleted")).ToHaveTextAsync("This message was deleted");

        await grace.ReloadAsync();
        await Expect(grace.GetByTestId("message-text")).ToHaveTextAsync(["the first (edited)"]);
        await Expect(grace.GetByTestId("message-deleted")).ToHaveCountAsync(1);
        await Expect(grace.GetByTestId("reaction")).ToHaveTextAsync("👍 1");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task What_a_message_said_before_is_read_from_its_mark_and_by_keyboard()
    {
        var room = WebPages.NewName("draft");
        await using (var bob = await topology.ConnectAsync("bob"))
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = "meet at **six**" }, cancellationToken: Topology.Cancelled);
            await bob.PublishAsync($"room:{room}", "chat:edit", new { text = "<img src=x onerror=alert(1)> at seven" }, entityId: "1", cancellationToken: Topology.Cancelled);
            await bob.PublishAsync($"room:{room}", "chat:edit", new { text = "meet at eight" }, entityId: "1", cancellationToken: Topology.Cancelled);
        }

        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await Expect(grace.GetByTestId("message-text")).ToHaveTextAsync("meet at eight (edited)");
        await grace.GetByTestId("edited").ClickAsync();
        await Expect(grace.GetByTestId("edit").Locator(".bubble")).ToHaveTextAsync(["<img src=x onerror=alert(1)> at seven", "meet at six"]);
        await Expect(grace.GetByTestId("edit").Locator("strong")).ToHaveTextAsync(["six"]);
        await Expect(grace.GetByTestId("edit").Locator("time")).ToHaveCountAsync(2);
        await Expect(grace.GetByTestId("edits").Locator("img")).ToHaveCountAsync(0);
        await grace.ShotAsync("edits-phone");
        await grace.GetByTestId("edits").GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await Expect(grace.GetByTestId("edits")).ToHaveCountAsync(0);

        await ada.Locator("li.message[tabindex='0']").FocusAsync();
        await ada.Keyboard.PressAsync("Enter");
        await ada.Keyboard.PressAsync("End");
        await ada.Keyboard.PressAsync("Enter");
        await ada.Keyboard.PressAsync("ArrowDown");
        await Expect(ada.GetByRole(AriaRole.Menuitem, new() { Name = "What it said before" })).ToBeFocusedAsync();
        await ada.Keyboard.PressAsync("Enter");
        await Expect(ada.GetByTestId("edit")).ToHaveCountAsync(2);
        await ada.ShotAsync("edits-desktop");
        await ada.Keyboard.PressAsync("Escape");
        await Expect(ada.GetByTestId("edits")).ToHaveCountAsync(0);
        await Expect(ada.GetByTestId("tools").GetByRole(AriaRole.Button, new() { Name = "More to do" })).ToBeFocusedAsync();
        Assert.Empty(complaints);

        // What cannot be read now is asked for again; of what is not kept there is nothing to show.
        await ada.RouteAsync("**/edits", route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = """{"code":"log_unavailable","detail":"The log is away.","retryable":true}""" }));
        await ada.GetByTestId("edited").ClickAsync();
        await Expect(ada.GetByTestId("edits")).ToContainTextAsync("The log is away.");
        await ada.ShotAsync("edits-failed-desktop");
        await ada.UnrouteAsync("**/edits");
        await ada.GetByTestId("edits").GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(ada.GetByTestId("edit")).ToHaveCountAsync(2);
        await ada.Keyboard.PressAsync("Escape");
        await ada.RouteAsync("**/edits", route => route.FulfillAsync(new() { ContentType = "application/json", Body = """{"edits":[]}""" }));
        await ada.GetByTestId("edited").ClickAsync();
        await Expect(ada.GetByTestId("edits")).ToContainTextAsync("Nothing is kept of what it said before.");
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
        var (page, _) = await browser.EnterAsync(topology, "ada", room);
        await Expect(page.GetByText($"message {Said}", new() { Exact = true })).ToBeVisibleAsync();
        Assert.True(await page.Stored().CountAsync() < Said);

        // What is looked at stays in sight while older messages come before it.
        var scroller = page.Locator("[data-part=room] [data-part=scroller]");
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
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await Expect(ada.GetByTestId("people")).ToHaveTextAsync("2 here");

        await grace.GetByTestId("composer").PressSequentiallyAsync("hello");
        await Expect(ada.GetByTestId("typing")).ToHaveTextAsync("grace is typing…");
        await ada.ShotAsync("typing-desktop");
        await grace.GetByTestId("composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("message-text")).ToHaveTextAsync(["hello"]);
        await Expect(ada.GetByTestId("typing")).ToHaveTextAsync("");
        await Expect(ada.Locator("[data-part=room] [data-part=heard]")).ToHaveTextAsync("grace: hello");

        // What she has seen is read; what is said when she has left is not.
        using var http = await topology.HttpAsync("ada");
        await Eventually.BecomesTrueAsync(
            async () => (await http.GetStringAsync($"/rooms/{room}/positions", Topology.Cancelled)).Contains("\"ada\"", StringComparison.Ordinal), "what is on the screen is not read");
        await ada.GotoAsync(topology.Web.ToString());
        await Expect(grace.GetByTestId("people")).ToHaveTextAsync("1 here");
        await grace.SayAsync("are you there?");
        await grace.SayAsync("well then");
        await Expect(grace.Stored()).ToHaveCountAsync(3);
        await ada.ReloadAsync();
        await Expect(ada.Locator($"[data-room='{room}']").GetByTestId("unread")).ToHaveTextAsync("2 unread");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task What_came_while_somebody_was_further_up_is_read_when_he_comes_down_and_a_tab_counts_it_once()
    {
        var room = WebPages.NewName("stairs");
        await using var bob = await topology.ConnectAsync("bob");
        for (var i = 1; i <= Said / 2; i++)
        {
            await SayAsync($"message {i}");
        }

        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        using var http = await topology.HttpAsync("ada");
        await Eventually.BecomesTrueAsync(
            async () => (await http.GetStringAsync($"/rooms/{room}/positions", Topology.Cancelled)).Contains("\"ada\"", StringComparison.Ordinal), "what is on the screen is not read");
        var scroller = ada.Locator("[data-part=room] [data-part=scroller]");
        (string Text, Func<Task> Down)[] ways =
        [
            ("read by the pill", () => ada.GetByTestId("new-messages").ClickAsync()),
            ("read by scrolling", () => scroller.EvaluateAsync("scroller => scroller.scrollTop = scroller.scrollHeight")),
        ];
        foreach (var (text, down) in ways)
        {
            await scroller.EvaluateAsync("scroller => scroller.scrollTop = 0");
            await Expect(ada.GetByTestId("new-messages")).ToBeVisibleAsync();
            await SayAsync(text);
            await Expect(ada.GetByTestId("new-messages")).ToHaveTextAsync("1 new message");
            await Eventually.BecomesTrueAsync(async () => await UnreadAsync() == 1, "what nobody has seen is read");
            await down();
            await Eventually.BecomesTrueAsync(async () => await UnreadAsync() == 0, $"it is not {text}");
        }

        // Beside an open thread, too, a message is one.
        await ada.ToolAsync("read by scrolling", "Open its thread");
        await Expect(ada.GetByTestId("thread").GetByTestId("message-text")).ToHaveTextAsync(["read by scrolling"]);
        await ada.EvaluateAsync("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }");
        await SayAsync("are you there?");
        await Expect(ada.Message("are you there?")).ToHaveCountAsync(1);
        await SayAsync("well then");
        await Expect(ada.Message("well then")).ToHaveCountAsync(1);
        await Expect(ada).ToHaveTitleAsync($"(2) #{room} · RealtimeAspire");
        Assert.Empty(complaints);

        Task SayAsync(string text) => bob.PublishAsync($"room:{room}", "chat:message", new { text }, cancellationToken: Topology.Cancelled);

        async Task<int> UnreadAsync() => (await http.GetFromJsonAsync<JsonElement>($"/rooms/{room}", Topology.Cancelled)).GetProperty("unread").GetInt32();
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
        await phone.ShotAsync("bell-phone");
        await desk.GetByTestId("bell-button").ClickAsync();
        await desk.ShotAsync("bell-desktop");

        // Whatever is read, the keyboard stays where it was.
        var newest = desk.GetByTestId("notification").First.GetByRole(AriaRole.Link);
        await newest.FocusAsync();
        await phone.GetByTestId("bell-read").ClickAsync();
        await Expect(desk.GetByTestId("bell-count")).ToBeHiddenAsync();
        await Expect(phone.GetByTestId("bell-count")).ToBeHiddenAsync();
        await Expect(phone.GetByTestId("bell-read")).ToBeFocusedAsync();
        await Expect(newest).ToHaveAttributeAsync("data-read", "true");
        await Expect(newest).ToBeFocusedAsync();

        // And what it leads to is not under the panel.
        await desk.Keyboard.PressAsync("Enter");
        await Expect(desk).ToHaveURLAsync(new Uri(topology.Web, "/rooms/general").ToString());
        await Expect(desk.GetByTestId("bell-preferences")).ToBeHiddenAsync();
        Assert.Empty(complaints);

        // An inbox that cannot be had now is asked for again.
        await desk.RouteAsync("**/inbox", route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = """{"code":"log_unavailable","detail":"The log is away.","retryable":true}""" }));
        await desk.RunAndWaitForResponseAsync(() => desk.ReloadAsync(), response => response.Url.EndsWith("/inbox", StringComparison.Ordinal) && response.Status == 503);
        await Expect(desk.GetByTestId("bell-button")).ToBeHiddenAsync();
        await desk.UnrouteAsync("**/inbox");
        await Expect(desk.GetByTestId("bell-button")).ToBeVisibleAsync();
    }
}
