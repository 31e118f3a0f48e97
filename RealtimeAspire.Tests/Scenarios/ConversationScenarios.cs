using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>How people answer one another on the room's page, and find their way in what was said.</summary>
[Collection(PageTopology.Name)]
public sealed class ConversationScenarios(Topology topology, Browser browser)
{
    private const int Said = 260;
    private const string Scroller = "[data-part=room] [data-part=scroller]";

    [Fact]
    public async Task A_keyboard_goes_through_messages_and_one_toolbar_with_two_stops()
    {
        var room = WebPages.NewName("desk");
        await using var bob = await topology.ConnectAsync("bob");
        foreach (var text in (string[])["one", "two", "three"])
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text }, cancellationToken: Topology.Cancelled);
        }

        var (page, complaints) = await browser.EnterAsync(topology, "ada", room);
        await Expect(page.Stored()).ToHaveCountAsync(3);
        Assert.Equal(1, await page.Locator("li.message[tabindex='0']").CountAsync());

        await page.Locator("li.message[tabindex='0']").FocusAsync();
        await page.Keyboard.PressAsync("ArrowUp");
        await Expect(page.Message("two")).ToBeFocusedAsync();
        await Expect(page.GetByTestId("tools")).ToHaveCountAsync(1);
        await Expect(page.Message("two").GetByTestId("tools")).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Message("two").GetByTestId("reaction")).ToHaveTextAsync("❤️ 1");
        // What has changed is drawn again around the toolbar, which keeps the focus.
        await Expect(page.Message("two").GetByRole(AriaRole.Button, new() { Name = "React with ❤️" })).ToBeFocusedAsync();

        await page.Keyboard.PressAsync("End");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Menuitem, new() { Name = "Pin to this room" })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Message("two").GetByRole(AriaRole.Button, new() { Name = "More to do" })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Message("two")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("r");
        await Expect(page.GetByTestId("composer")).ToBeFocusedAsync();
        await Expect(page.GetByTestId("replying")).ToContainTextAsync("In answer to bob: two");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByTestId("replying")).ToBeHiddenAsync();
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_thread_beside_the_room_and_an_answer_in_it_are_live_for_both()
    {
        var room = WebPages.NewName("forum");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        await ada.SayAsync("Shall we ship on **Friday**?");
        await ada.SayAsync("Something else");
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);

        await ada.ToolAsync("ship on", "Open its thread");
        await Expect(ada.GetByTestId("thread").GetByTestId("message-text")).ToHaveTextAsync(["Shall we ship on Friday?"]);
        await ada.GetByTestId("thread-composer").FillAsync("I would wait");
        await ada.GetByTestId("thread-composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("thread").GetByTestId("message-text")).ToHaveTextAsync(["Shall we ship on Friday?", "I would wait"]);
        // It is in the thread and not in the room, which says that there is one.
        await Expect(grace.GetByTestId("replies")).ToHaveTextAsync("1 reply");
        await Expect(grace.GetByTestId("messages").GetByTestId("message-text")).ToHaveTextAsync(["Shall we ship on Friday?", "Something else"]);

        await grace.GetByTestId("replies").ClickAsync();
        await Expect(grace.GetByTestId("thread").GetByText("I would wait")).ToBeVisibleAsync();
        await grace.GetByTestId("thread-composer").FillAsync("Why?");
        await grace.GetByTestId("thread-composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("thread").GetByText("Why?")).ToBeVisibleAsync();
        await Expect(ada.GetByTestId("replies")).ToHaveTextAsync("2 replies");
        await ada.ShotAsync("thread-desktop");
        await grace.ShotAsync("thread-phone");

        // Escape closes it, and the focus goes back.
        await ada.GetByTestId("thread-composer").PressAsync("Escape");
        await Expect(ada.GetByTestId("side")).ToBeHiddenAsync();
        await grace.GetByTestId("side-close").ClickAsync();
        await Expect(grace.GetByTestId("replies")).ToBeFocusedAsync();

        await grace.ToolAsync("Something else", "Reply to this message");
        await grace.SayAsync("Not now");
        await Expect(ada.GetByTestId("quote")).ToHaveTextAsync("ada Something else");
        await ada.ReloadAsync();
        await Expect(ada.GetByTestId("quote")).ToHaveTextAsync("ada Something else");
        await Expect(ada.GetByTestId("replies")).ToHaveTextAsync("2 replies");
        await ada.GetByTestId("quote").ClickAsync();
        await Expect(ada.Message("Something else").First).ToBeFocusedAsync();
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_thread_opened_after_another_has_its_own_messages_and_what_is_written_goes_to_it()
    {
        var room = WebPages.NewName("panel");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        await ada.SayAsync("Who brings the cake?");
        await ada.SayAsync("Who brings the wine?");
        await Expect(ada.Stored()).ToHaveCountAsync(2);
        var messages = ada.GetByTestId("thread").GetByTestId("message-text");

        // From one to the other with the panel open, and once more after it was closed.
        await ada.ToolAsync("cake", "Open its thread");
        await AnswerAsync("I do");
        await Expect(messages).ToHaveTextAsync(["Who brings the cake?", "I do"]);
        await ada.ToolAsync("wine", "Open its thread");
        await Expect(messages).ToHaveTextAsync(["Who brings the wine?"]);
        await AnswerAsync("Not me");
        await Expect(messages).ToHaveTextAsync(["Who brings the wine?", "Not me"]);
        await ada.GetByTestId("side-close").ClickAsync();
        await ada.ToolAsync("cake", "Open its thread");
        await Expect(messages).ToHaveTextAsync(["Who brings the cake?", "I do"]);
        await AnswerAsync("A big one");
        await Expect(messages).ToHaveTextAsync(["Who brings the cake?", "I do", "A big one"]);

        await Expect(ada.Message("cake").GetByTestId("replies")).ToHaveTextAsync("2 replies");
        await Expect(ada.Message("wine").GetByTestId("replies")).ToHaveTextAsync("1 reply");
        using var http = await topology.HttpAsync("ada");
        Assert.Equal(["I do", "A big one"], await ThreadAsync(1));
        Assert.Equal(["Not me"], await ThreadAsync(2));
        Assert.Empty(complaints);

        // One that cannot be read now is asked for again.
        await ada.RouteAsync("**/thread*", route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = """{"code":"log_unavailable","detail":"The log is away.","retryable":true}""" }));
        await ada.ToolAsync("wine", "Open its thread");
        await Expect(ada.GetByTestId("room-said")).ToHaveTextAsync("The log is away.");
        await Expect(messages).ToHaveCountAsync(0);
        await ada.UnrouteAsync("**/thread*");
        await Expect(messages).ToHaveTextAsync(["Who brings the wine?", "Not me"]);

        async Task AnswerAsync(string text)
        {
            await ada.GetByTestId("thread-composer").FillAsync(text);
            await ada.GetByTestId("thread-composer").PressAsync("Enter");
        }

        async Task<IEnumerable<string>> ThreadAsync(int root)
        {
            var thread = await http.GetFromJsonAsync<JsonElement>($"/rooms/{room}/messages/{root}/thread", Topology.Cancelled);
            return thread.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("text").GetString()!);
        }
    }

    [Fact]
    public async Task Whoever_is_mentioned_is_offered_sent_and_stands_out()
    {
        var room = WebPages.NewName("plaza");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await Expect(ada.GetByTestId("people")).ToHaveTextAsync("2 here");

        await ada.GetByTestId("composer").PressSequentiallyAsync("hello @gr");
        await Expect(ada.GetByTestId("completion")).ToHaveTextAsync(["grace"]);
        await Expect(ada.GetByRole(AriaRole.Combobox)).ToHaveAttributeAsync("aria-activedescendant", "completions-0");
        await ada.ShotAsync("mention-desktop");
        await ada.GetByTestId("composer").PressAsync("Enter");
        await Expect(ada.GetByTestId("composer")).ToHaveValueAsync("hello @grace ");
        await Expect(ada.GetByTestId("completion")).ToHaveCountAsync(0);
        await ada.GetByTestId("composer").PressSequentiallyAsync("and @nobody");
        await ada.GetByTestId("composer").PressAsync("Enter");

        await Expect(grace.Locator(".mention.me")).ToHaveTextAsync("@grace");
        await Expect(ada.Locator(".mention")).ToHaveTextAsync(["@grace"]);
        using var http = await topology.HttpAsync("grace");
        Assert.Contains("\"mentions\":[\"grace\"]", await http.GetStringAsync($"/rooms/{room}/messages", Topology.Cancelled), StringComparison.Ordinal);
        await grace.ShotAsync("mention-phone");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task The_writer_sees_to_how_many_a_message_came_and_how_many_have_read_it()
    {
        var room = WebPages.NewName("pier");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        await ada.SayAsync("is anybody there?");
        await Expect(ada.GetByTestId("status")).ToContainTextAsync("Sent");

        using var eve = await topology.HttpAsync("eve");
        using var delivered = await eve.PostAsync(new Uri($"/rooms/{room}/delivered", UriKind.Relative), new StringContent("{\"offset\":1}", System.Text.Encoding.UTF8, "application/json"), Topology.Cancelled);
        Assert.True(delivered.IsSuccessStatusCode);
        await Expect(ada.GetByTestId("status")).ToContainTextAsync("Delivered to 1");
        var (grace, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await Expect(ada.GetByTestId("status")).ToContainTextAsync("Read by 1");
        await ada.SayAsync("good");
        await Expect(ada.GetByTestId("status")).ToContainTextAsync(["Read by 1"]);
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_link_a_date_and_what_is_unread_lead_into_the_past_and_back_without_a_jump_or_a_hole()
    {
        var room = WebPages.NewName("annals");
        await using var bob = await topology.ConnectAsync("bob");
        for (var i = 1; i <= Said; i++)
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = $"message {i}" }, cancellationToken: Topology.Cancelled);
        }

        using var http = await topology.HttpAsync("ada");
        using var read = await http.PostAsync(new Uri($"/rooms/{room}/read", UriKind.Relative), new StringContent("{\"offset\":90}", System.Text.Encoding.UTF8, "application/json"), Topology.Cancelled);
        Assert.True(read.IsSuccessStatusCode);
        var (page, complaints) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        await page.GotoAsync(new Uri(topology.Web, $"/rooms/{room}?at=17").ToString());
        await Expect(page.Locator("li[data-offset='17']")).ToBeFocusedAsync();
        await Expect(page.Locator("li[data-offset='17']")).ToBeInViewportAsync();
        Assert.True(await page.Locator("li[data-offset='260']").CountAsync() == 0);
        await page.ShotAsync("jump-desktop");

        // What is said meanwhile is not lost, and moves nothing.
        await bob.PublishAsync($"room:{room}", "chat:message", new { text = "meanwhile" }, cancellationToken: Topology.Cancelled);
        await page.GetByTestId("new-messages").ClickAsync();
        await Expect(page.GetByText("meanwhile")).ToBeInViewportAsync();

        await page.GetByTestId("to-unread").ClickAsync();
        await Expect(page.Locator("li[data-offset='91']")).ToBeInViewportAsync();
        await Expect(page.GetByTestId("unread-line")).ToBeInViewportAsync();
        await page.ShotAsync("unread-desktop");

        // Scrolled down, everything comes, once and in order, up to what is live.
        await HasNoHoleAsync(page, Said + 1);
        await bob.PublishAsync($"room:{room}", "chat:message", new { text = "live again" }, cancellationToken: Topology.Cancelled);
        await Expect(page.GetByText("live again")).ToHaveCountAsync(1);

        await page.GetByTestId("room-menu").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Jump to a date" }).ClickAsync();
        await page.GetByTestId("field-date").FillAsync("2020-01-01");
        await page.GetByTestId("dialog-act").ClickAsync();
        await Expect(page.Locator("li[data-offset='1']")).ToBeInViewportAsync();
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_page_of_the_past_that_comes_when_the_reader_is_elsewhere_leaves_no_hole()
    {
        var room = WebPages.NewName("pages");
        await using var bob = await topology.ConnectAsync("bob");
        for (var i = 1; i <= Said; i++)
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = $"message {i}" }, cancellationToken: Topology.Cancelled);
        }

        var (page, complaints) = await browser.EnterAsync(topology, "ada", room);
        await Expect(page.Stored()).ToHaveCountAsync(50);
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await page.RouteAsync(IsOlder, async route =>
        {
            await held.Task;
            await route.ContinueAsync();
        });
        await page.RunAndWaitForRequestAsync(
            () => page.Locator(Scroller).EvaluateAsync("scroller => scroller.scrollTop = 0"), request => IsOlder(request.Url));
        await page.GetByTestId("room-menu").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "Jump to a date" }).ClickAsync();
        await page.GetByTestId("field-date").FillAsync("2020-01-01");
        await page.GetByTestId("dialog-act").ClickAsync();
        await Expect(page.Locator("li[data-offset='1']")).ToBeInViewportAsync();

        await page.RunAndWaitForResponseAsync(
            () =>
            {
                held.SetResult();
                return Task.CompletedTask;
            },
            response => IsOlder(response.Url));
        await HasNoHoleAsync(page, Said);
        Assert.Equal(1, (await page.OffsetsAsync())[0]);
        Assert.Empty(complaints);

        static bool IsOlder(string url) => url.Contains("before=", StringComparison.Ordinal);
    }

    /// <summary>Scrolled down, everything comes, once and in order.</summary>
    private static async Task HasNoHoleAsync(IPage page, int to)
    {
        for (var last = 0L; last < to;)
        {
            last = (await page.OffsetsAsync())[^1];
            await page.Locator(Scroller).EvaluateAsync("scroller => scroller.scrollTop = scroller.scrollHeight");
            await page.WaitForFunctionAsync(
                "([last, all]) => last === all || Number([...document.querySelectorAll('[data-part=room] li[data-offset]')].at(-1).dataset.offset) > last", new[] { last, to });
        }

        var offsets = await page.OffsetsAsync();
        Assert.Equal(Enumerable.Range((int)offsets[0], to + 1 - (int)offsets[0]).Select(i => (long)i), offsets);
    }
}
