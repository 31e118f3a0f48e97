using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>How people are, where one writes to them: in the list of rooms, and at what they have written.</summary>
[Collection(PageTopology.Name)]
public sealed class PeopleInRoomsScenarios(Topology topology, Browser browser)
{
    [Fact]
    public async Task The_list_of_rooms_says_how_those_are_with_whom_one_shares_one_and_nothing_moves_when_it_is_known()
    {
        var (ada, bob) = (WebPages.NewName("ada"), WebPages.NewName("bob"));
        using var http = await topology.HttpAsync(ada);
        using var made = await http.PutAsync(new Uri($"/rooms/direct/{bob}", UriKind.Relative), null, Topology.Cancelled);
        made.EnsureSuccessStatusCode();
        // Of many rooms the list has those with the latest events.
        var direct = (await made.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("topic").GetString();
        using var said = await http.PostAsJsonAsync($"/topics/{direct}/events", new { @event = "chat:message", payload = new { text = "hello" } }, Topology.Cancelled);
        said.EnsureSuccessStatusCode();

        // More than are in sight at once.
        for (var i = 0; i < 40; i++)
        {
            using var other = await http.PostAsJsonAsync($"/topics/room:{WebPages.NewName("many")}/events", new { @event = "chat:message", payload = new { text = "hello" } }, Topology.Cancelled);
            other.EnsureSuccessStatusCode();
        }

        // What is known of him comes when it is let through.
        var isAsked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var mayAnswer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (desk, complaints) = await browser.OpenAsync();
        await desk.RouteAsync("**/users/*/presence", async route =>
        {
            if (route.Request.Url.Contains(bob, StringComparison.Ordinal))
            {
                isAsked.TrySetResult();
                await mayAnswer.Task;
            }

            await route.ContinueAsync();
        });
        await desk.SignInAsync(topology, ada);
        var room = desk.GetByTestId("room").Filter(new() { HasText = bob });
        // Only who is in sight is asked for, and other rooms may be before his.
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                await ScrollToAsync(desk, bob);
                return isAsked.Task.IsCompleted;
            },
            "nobody asks how he is");
        Assert.Null(await StatusOf(desk, bob).GetAttributeAsync("data-status"));
        var before = await ShapeAsync(desk, bob);
        Assert.NotNull(before);
        mayAnswer.SetResult();
        await Expect(StatusOf(desk, bob)).ToHaveAttributeAsync("data-status", "offline");
        Assert.Equal(before, await ShapeAsync(desk, bob));

        // He is somewhere, then does not want to be disturbed: asked for again.
        var (his, _) = await browser.EnterAsync(topology, bob, WebPages.NewName("elsewhere"), isPhone: true);
        await Expect(StatusOf(desk, bob)).ToHaveAttributeAsync("data-status", "online");
        using var bobs = await topology.HttpAsync(bob);
        await ChooseAsync(bobs, "dnd");
        await Expect(StatusOf(desk, bob)).ToHaveAttributeAsync("data-status", "dnd");
        await Expect(desk.GetByRole(AriaRole.Link, new() { Name = $"{bob} Do not disturb" })).ToBeVisibleAsync();
        await desk.ShotAsync("people-list-desktop");

        // Both are in their room: it tells at once, and nobody asks.
        await desk.UnrouteAsync("**/users/*/presence");
        var address = await room.GetAttributeAsync("href");
        await his.GotoAsync(new Uri(topology.Web, address!).ToString());
        await his.BecomesAsync("connected");
        await room.ClickAsync();
        await Expect(desk.GetByTestId("people")).ToHaveTextAsync("2 here");
        var asked = 0;
        desk.Request += (_, request) => asked += request.Url.EndsWith("/presence", StringComparison.Ordinal) && request.Url.Contains(bob, StringComparison.Ordinal) ? 1 : 0;
        await ChooseAsync(bobs, "away");
        await IsAsync(desk, bob, "away");
        Assert.Equal(0, asked);

        var (phone, _) = await browser.OpenAsync(width: 390, height: 844);
        await phone.SignInAsync(topology, ada);
        await IsAsync(phone, bob, "away");
        await phone.ShotAsync("people-list-phone");

        await his.Context.CloseAsync();
        await IsAsync(desk, bob, "offline");
        await Expect(StatusOf(desk, bob)).ToContainTextAsync("Last seen");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_picture_in_a_room_says_how_its_author_is_and_no_row_is_drawn_again_for_it()
    {
        var (room, bob) = (WebPages.NewName("studio"), WebPages.NewName("bob"));
        var (his, _) = await browser.EnterAsync(topology, bob, room, isPhone: true);
        await his.SayAsync("good morning");
        await his.SayAsync("is anybody there?");
        var (ada, complaints) = await browser.EnterAsync(topology, "ada", room);
        var dot = ada.Message("good morning").Locator(".status-dot");
        await Expect(dot).ToHaveAttributeAsync("data-status", "online");
        await Expect(dot).ToBeVisibleAsync();
        await Expect(ada.Locator("[data-part=room] .status-dot")).ToHaveCountAsync(1);
        await ada.SayAsync("I am");
        await Expect(his.Message("I am").Locator(".status-dot")).ToHaveAttributeAsync("data-status", "online");
        await his.ShotAsync("authors-phone");

        // What is there now is there afterwards, and what is read out stays as it was.
        await Expect(ada.GetByTestId("status")).ToContainTextAsync("Read by 1");
        await ada.EvaluateAsync("() => { for (const one of document.querySelectorAll('.message .content')) one.wasThere = true; }");
        var before = (await BoxAsync(ada.Message("good morning")), await BoxAsync(ada.Message("I am")), await ada.GetByTestId("messages").InnerTextAsync());
        using var bobs = await topology.HttpAsync(bob);
        await ChooseAsync(bobs, "dnd");
        await Expect(dot).ToHaveAttributeAsync("data-status", "dnd");
        await ada.ShotAsync("authors-desktop");
        await his.Context.CloseAsync();
        await Expect(dot).ToBeHiddenAsync();
        Assert.Equal(before, (await BoxAsync(ada.Message("good morning")), await BoxAsync(ada.Message("I am")), await ada.GetByTestId("messages").InnerTextAsync()));
        Assert.Equal(0, await ada.EvaluateAsync<int>("() => [...document.querySelectorAll('.message .content')].filter(one => !one.wasThere).length"));
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task A_keyboard_shows_who_has_written_a_message_and_comes_back_to_it()
    {
        var (room, bob) = (WebPages.NewName("parlour"), WebPages.NewName("bob"));
        await using (var client = await topology.ConnectAsync(bob))
        {
            await client.PublishAsync($"room:{room}", "chat:message", new { text = "one" }, cancellationToken: Topology.Cancelled);
            await client.PublishAsync($"room:{room}", "chat:message", new { text = "two" }, cancellationToken: Topology.Cancelled);
        }

        var (page, complaints) = await browser.EnterAsync(topology, "ada", room);
        var card = page.GetByTestId("person-card");
        await page.SayAsync("mine");
        await Expect(page.Stored()).ToHaveCountAsync(3);
        await page.Locator("li.message[tabindex='0']").FocusAsync();
        // Of oneself there is nothing to say.
        await page.Keyboard.PressAsync("w");
        await page.Keyboard.PressAsync("ArrowUp");
        await Expect(page.Message("two")).ToBeFocusedAsync();
        await Expect(card).ToHaveCountAsync(0);

        await page.Keyboard.PressAsync("w");
        await Expect(card).ToBeFocusedAsync();
        await Expect(card).ToContainTextAsync(bob);
        await Expect(card).ToContainTextAsync("Offline");
        await page.ShotAsync("who-desktop");
        await page.Keyboard.PressAsync("Escape");
        await Expect(card).ToHaveCountAsync(0);
        await Expect(page.Message("two")).ToBeFocusedAsync();

        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("End");
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("ArrowDown");
        await Expect(page.GetByRole(AriaRole.Menuitem, new() { Name = $"Who is {bob}" })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(card).ToContainTextAsync("Offline");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.Message("two")).ToBeFocusedAsync();

        var (phone, _) = await browser.EnterAsync(topology, "grace", room, isPhone: true);
        await phone.MoreAsync("one", $"Who is {bob}");
        await Expect(phone.GetByTestId("person-card")).ToContainTextAsync("Offline");
        await phone.ShotAsync("who-phone");
        Assert.Empty(complaints);
    }

    private static ILocator StatusOf(IPage page, string user) => page.Locator($"person-status[user='{user}']");

    /// <summary>Where he is in sight: of who is not nothing is asked.</summary>
    private static Task IsAsync(IPage page, string user, string status) => Eventually.BecomesTrueAsync(
        async () =>
        {
            await ScrollToAsync(page, user);
            return await StatusOf(page, user).GetAttributeAsync("data-status") == status;
        },
        $"the list does not say that he is {status}",
        TimeSpan.FromMinutes(1));

    private static async Task ScrollToAsync(IPage page, string user) =>
        await page.EvaluateAsync("user => document.querySelector(`person-status[user='${user}']`)?.scrollIntoView({ block: 'center' })", user);

    /// <summary>Where in his line in the list what is, whichever element draws it by now: Blazor draws the list anew when its circuit has begun.</summary>
    private static Task<string?> ShapeAsync(IPage page, string user) => page.EvaluateAsync<string?>(
        """
        user => {
          const line = document.querySelector(`person-status[user='${user}']`)?.closest("a");
          const { left, top } = line?.getBoundingClientRect() ?? {};
          return line && [line, ...line.children].map(one => one.getBoundingClientRect()).map(box => [box.left - left, box.top - top, box.width, box.height]).join(" ");
        }
        """,
        user);

    private static async Task<(float X, float Y, float Width, float Height)> BoxAsync(ILocator shown) => await shown.BoundingBoxAsync() is { } box ? (box.X, box.Y, box.Width, box.Height) : default;

    private static async Task ChooseAsync(HttpClient http, string status)
    {
        using var chosen = await http.PutAsJsonAsync("/presence", new { status }, Topology.Cancelled);
        chosen.EnsureSuccessStatusCode();
    }
}
