using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// Three people on two nodes, two at a desk and one on a phone: all that rooms offer, once and as they see it. What each thing does in
/// detail is tried where it is at home.
/// </summary>
[Collection(PageTopology.Name)]
public sealed class ThreePeopleScenarios(Topology topology, Browser browser) : IAsyncLifetime
{
    private readonly (string Ada, string Grace, string Joan) _names = (WebPages.NewName("ada"), WebPages.NewName("grace"), WebPages.NewName("joan"));
    private readonly List<List<string>> _complaints = [];
    private TcpProxy _one = null!;
    private TcpProxy _two = null!;
    private IPage _ada = null!;
    private IPage _grace = null!;
    private IPage _joan = null!;

    public async ValueTask InitializeAsync()
    {
        var nodes = topology.Nodes();
        (_one, _two) = (TcpProxy.Start(nodes[0].Address.Port), TcpProxy.Start(nodes[1].Address.Port));
        _ada = await OpenAsync(_names.Ada, _one);
        _grace = await OpenAsync(_names.Grace, _two);
        _joan = await OpenAsync(_names.Joan, _two, isPhone: true);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var page in (IPage[])[_ada, _grace, _joan])
        {
            await page.Context.CloseAsync();
        }

        await _two.DisposeAsync();
        await _one.DisposeAsync();
    }

    [Fact]
    public async Task They_talk()
    {
        await EnterAsync(WebPages.NewName("kitchen"));

        await _joan.SayAsync("Anybody up?");
        await Expect(_grace.Message("Anybody up?")).ToBeVisibleAsync();

        // Markdown, and somebody who is mentioned: he is offered, and told.
        var composer = _grace.GetByTestId("composer");
        await composer.PressSequentiallyAsync($"**Morning** @{_names.Joan[..7]}");
        await Expect(_grace.GetByTestId("completion")).ToHaveTextAsync([_names.Joan]);
        await composer.PressAsync("Enter");
        await composer.PressSequentiallyAsync("is there coffee?");
        await Expect(_ada.GetByTestId("typing")).ToHaveTextAsync($"{_names.Grace} is typing…");
        await Expect(_joan.GetByTestId("typing")).ToHaveTextAsync($"{_names.Grace} is typing…");
        await ShootAsync("typing");
        await composer.PressAsync("Enter");
        await Expect(_ada.Message("Morning").Locator("strong")).ToHaveTextAsync("Morning");
        await Expect(_joan.Locator(".mention.me")).ToHaveTextAsync($"@{_names.Joan}");
        await Expect(_joan.GetByTestId("bell-count")).ToHaveTextAsync("1");
        await ShootAsync("mention");

        await _joan.ToolAsync("Morning", "Reply to this message");
        await _joan.SayAsync("In ten minutes");
        await Expect(_ada.GetByTestId("quote")).ToContainTextAsync("is there coffee?");
        await _ada.ToolAsync("ten minutes", "Open its thread");
        await _ada.GetByTestId("thread-composer").FillAsync("I have cake");
        await _ada.GetByTestId("thread-composer").PressAsync("Enter");
        await _joan.GetByTestId("replies").ClickAsync();
        await _joan.GetByTestId("thread-composer").FillAsync("Even better");
        await _joan.GetByTestId("thread-composer").PressAsync("Enter");
        await Expect(_ada.GetByTestId("thread").GetByText("Even better")).ToBeVisibleAsync();
        await Expect(_grace.GetByTestId("replies")).ToHaveTextAsync("2 replies");
        await ShootAsync("thread");
        Assert.Equal(0, await CountTooWideAsync(_ada));
        Assert.Equal(0, await CountTooWideAsync(_joan));
        await _ada.GetByTestId("side-close").ClickAsync();
        await _joan.GetByTestId("side-close").ClickAsync();

        await _ada.SayAsync("teh plan for today");
        await _ada.ToolAsync("teh plan", "Edit this message");
        await _ada.SayAsync("the plan for today");
        foreach (var page in (IPage[])[_grace, _joan])
        {
            await Expect(page.Message("the plan for today (edited)")).ToBeVisibleAsync();
            await page.ToolAsync("the plan", "React with 👍");
        }

        await Expect(_ada.GetByTestId("reaction")).ToHaveTextAsync("👍 2");
        await _joan.Message("the plan").GetByTestId("edited").ClickAsync();
        await Expect(_joan.GetByTestId("edit").Locator(".bubble")).ToHaveTextAsync(["teh plan for today"]);
        await Expect(_ada.GetByTestId("messages").GetByTestId("status")).ToContainTextAsync("Read by 2");
        await _ada.GetByRole(AriaRole.Button, new() { Name = "Read by 2: show who" }).ClickAsync();
        await Expect(_ada.GetByTestId("reader")).ToHaveTextAsync([$"G{_names.Grace}Read", $"J{_names.Joan}Read"]);
        await ShootAsync("history");
        await _ada.Keyboard.PressAsync("Escape");
        await _joan.Keyboard.PressAsync("Escape");

        await _grace.SayAsync("nonsense");
        await Expect(_ada.Message("nonsense")).ToBeVisibleAsync();
        await _grace.MoreAsync("nonsense", "Delete");
        await _grace.GetByTestId("dialog-act").ClickAsync();
        await Expect(_ada.GetByTestId("message-deleted")).ToHaveCountAsync(1);
        await Expect(_joan.GetByTestId("message-deleted")).ToHaveCountAsync(1);

        await _ada.MoreAsync("the plan", "Pin to this room");
        await Expect(_joan.Message("the plan")).ToContainTextAsync("Pinned");
        var picture = Convert.FromBase64String(await _joan.EvaluateAsync<string>(RoomPanelScenarios.Picture));
        await _joan.GetByTestId("picker").SetInputFilesAsync(new FilePayload { Name = "cake.png", MimeType = "image/png", Buffer = picture });
        await Expect(_joan.Locator("[data-testid=upload][data-state=done]")).ToHaveCountAsync(1);
        await _joan.SayAsync("look at it");
        await Eventually.BecomesTrueAsync(async () => await _ada.EvaluateAsync<bool>("() => document.querySelector('.picture img')?.naturalWidth > 0"), "the picture is not there");
        await ShootAsync("messages");
        Assert.Equal(0, await CountTooWideAsync(_joan));

        await _joan.GotoAsync(topology.Web.ToString());
        await _joan.GetByTestId("bell-button").ClickAsync();
        await Expect(_joan.GetByTestId("notification")).ToContainTextAsync($"{_names.Grace} mentioned you");
        await _joan.ShotAsync("three-bell-phone");
        await _joan.GetByTestId("bell-read").ClickAsync();
        await Expect(_joan.GetByTestId("bell-count")).ToBeHiddenAsync();
        Assert.Empty(_complaints.SelectMany(complaint => complaint));
    }

    [Fact]
    public async Task They_find_what_was_said_and_lose_nothing_when_they_are_away()
    {
        var room = WebPages.NewName("attic");
        await EnterAsync(room);
        await using (var client = await topology.ConnectAsync(_names.Grace))
        {
            for (var i = 1; i <= 80; i++)
            {
                await client.PublishAsync($"room:{room}", "chat:message", new { text = i == 5 ? "the old **violin** is here" : $"box {i}" }, cancellationToken: Topology.Cancelled);
            }
        }

        await Expect(_ada.Message("box 80")).ToBeVisibleAsync();
        await Expect(_joan.Message("box 80")).ToBeVisibleAsync();
        await _ada.MoreAsync("box 80", "Pin to this room");
        await _ada.GetByTestId("open-pins").ClickAsync();
        await _joan.RoomItemAsync("Pinned messages");
        foreach (var page in (IPage[])[_ada, _joan])
        {
            await Expect(page.GetByTestId("found")).ToContainTextAsync("box 80");
        }

        await ShootAsync("pins");
        await _joan.GetByTestId("side-close").ClickAsync();
        foreach (var page in (IPage[])[_ada, _joan])
        {
            await page.GetByTestId("open-search").ClickAsync();
            await page.GetByTestId("search").FillAsync("violin");
            await Expect(page.GetByTestId("found")).ToHaveCountAsync(1);
        }

        await ShootAsync("search");
        await _joan.GetByTestId("found").ClickAsync();
        await Expect(_joan.Locator("li[data-offset='5']")).ToBeInViewportAsync();
        await _ada.GetByTestId("side-close").ClickAsync();
        await _ada.RoomItemAsync("Jump to a date");
        await _ada.GetByTestId("field-date").FillAsync("2020-01-01");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(_ada.Locator("li[data-offset='1']")).ToBeInViewportAsync();
        await ShootAsync("past");
        // A link to a message leads somebody else to it.
        await _grace.GotoAsync(new Uri(topology.Web, $"/rooms/{room}?at=5").ToString());
        await Expect(_grace.Locator("li[data-offset='5']")).ToBeFocusedAsync();
        await _joan.GetByTestId("new-messages").ClickAsync();
        await Expect(_joan.Message("box 80")).ToBeInViewportAsync();

        // One goes; what is said meanwhile is counted in the list of rooms, and where it begins is shown.
        using var http = await topology.HttpAsync(_names.Joan);
        await Eventually.BecomesTrueAsync(
            async () => (await http.GetStringAsync($"/rooms/{room}", Topology.Cancelled)).Contains("\"unread\":0", StringComparison.Ordinal), "what is on the screen is not read");
        await _joan.GotoAsync(topology.Web.ToString());
        await Expect(_ada.GetByTestId("people")).ToHaveTextAsync("2 here");
        await _ada.GetByTestId("composer").FillAsync("half a thought");

        // Another has no connection, and writes all the same; what he had begun to write is kept.
        _one.BeginRefusing();
        _one.Cut();
        await _ada.BecomesAsync("reconnecting");
        await _ada.SayAsync("from the train");
        await Expect(_ada.Locator("[data-testid=message][data-state=waiting]")).ToHaveCountAsync(1);
        await _ada.GetByTestId("composer").FillAsync("half a thought");
        await ShootAsync("offline");
        await _grace.SayAsync("she is on the train");
        await _ada.ReloadAsync();
        await Expect(_ada.GetByTestId("composer")).ToHaveValueAsync("half a thought");
        _one.EndRefusing();
        await _ada.BecomesAsync("connected");
        await Expect(_grace.Message("from the train")).ToHaveCountAsync(1);

        await _joan.ReloadAsync();
        await Expect(_joan.Locator($"[data-room='{room}']").GetByTestId("unread")).ToHaveTextAsync("2 unread");
        await ShootAsync("unread");
        await _joan.OpenRoomAsync(topology, room);
        await Expect(_joan.GetByTestId("unread-line")).ToBeVisibleAsync();
        await Expect(_joan.Message("from the train")).ToHaveCountAsync(1);
        await Expect(_joan.Message("she is on the train")).ToHaveCountAsync(1);
        // One of them had no connection, of which the browser's console tells.
        Assert.Empty(_complaints[1]);
        Assert.Empty(_complaints[2]);
    }

    [Fact]
    public async Task They_make_rooms_and_keep_order_in_them()
    {
        // A private one at the desk, a group on the phone, and one of two.
        var title = WebPages.NewName("Workshop");
        await MakeAsync(_ada, title, "private", $"{_names.Grace}, {_names.Joan}");
        var address = _ada.Url;
        await MakeAsync(_joan, WebPages.NewName("Friends"), "group", _names.Grace);
        await _joan.SayAsync("just us two");
        await _grace.GotoAsync(topology.Web.ToString());
        await _grace.GetByTestId("new-room").ClickAsync();
        await _grace.GetByRole(AriaRole.Menuitem, new() { Name = "Write to somebody" }).ClickAsync();
        await _grace.GetByTestId("field-user").FillAsync(_names.Joan);
        await _grace.GetByTestId("dialog-act").ClickAsync();
        await Expect(_grace.GetByTestId("room-title")).ToHaveTextAsync(_names.Joan);
        await _grace.BecomesAsync("connected");
        await _grace.SayAsync("see you in the workshop");
        await Expect(_grace.Stored()).ToHaveCountAsync(1);
        await _joan.GotoAsync(topology.Web.ToString());
        foreach (var room in (string[])[title, "Friends", _names.Grace])
        {
            await Expect(_joan.GetByTestId("room-list")).ToContainTextAsync(room);
        }

        await ShootAsync("rooms");
        foreach (var page in (IPage[])[_grace, _joan])
        {
            await page.GotoAsync(address);
            await page.BecomesAsync("connected");
        }

        await Expect(_ada.GetByTestId("people")).ToHaveTextAsync("3 here");
        await _grace.SayAsync("buy cheap seeds");
        await _joan.MoreAsync("buy cheap", "Report");
        await _joan.GetByTestId("field-reason").FillAsync("spam");
        await _joan.GetByTestId("dialog-act").ClickAsync();
        await Expect(_joan.GetByTestId("room-said")).ToHaveTextAsync("Reported. Thank you.");
        await _ada.RoomItemAsync("Reports");
        await Expect(_ada.GetByTestId("report")).ToContainTextAsync("spam");
        await ShootAsync("report");
        await _ada.GetByRole(AriaRole.Button, new() { Name = "Resolve the report" }).ClickAsync();
        await _ada.GetByTestId("field-resolution").FillAsync("told her");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(_ada.GetByTestId("side")).ToContainTextAsync("Nothing has been reported");

        // Before the mute: a node that knows of that knows of this.
        await _ada.RoomItemAsync("Edit this room");
        await _ada.GetByTestId("field-slow").SelectOptionAsync("30");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(_ada.GetByTestId("dialog")).ToHaveCountAsync(0);
        var name = new Uri(address).Segments[^1];
        await _ada.GetByTestId("people").ClickAsync();
        await Expect(_ada.GetByTestId("person")).ToHaveCountAsync(3);
        await AboutAsync(_names.Grace, "Mute");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await Expect(_ada.GetByTestId("mute")).ToContainTextAsync(_names.Grace);
        await topology.IsMutedEverywhereAsync(name, _names.Grace);
        await _grace.SayAsync("but why?");
        await Expect(_grace.Locator("[data-state=failed]")).ToHaveCountAsync(1);
        await _ada.GetByRole(AriaRole.Button, new() { Name = $"Unmute {_names.Grace}" }).ClickAsync();
        await Expect(_ada.GetByTestId("room-said")).ToHaveTextAsync($"{_names.Grace} may write.");
        await topology.IsMutedEverywhereAsync(name, _names.Grace, isMuted: false);
        await _grace.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(_joan.Message("but why?")).ToBeVisibleAsync();

        await _joan.ReloadAsync();
        await _joan.BecomesAsync("connected");
        await _joan.SayAsync("slowly");
        await Expect(_ada.Message("slowly")).ToBeVisibleAsync();
        await _joan.SayAsync("word by word");
        await Expect(_joan.GetByText("Waits its turn: one message every 30 seconds")).ToBeVisibleAsync();
        await ShootAsync("slow");
        await Expect(_ada.Message("word by word")).ToBeVisibleAsync();
        await _joan.GetByTestId("composer").PressSequentiallyAsync("/hel");
        await Expect(_joan.GetByTestId("completions")).ToContainTextAsync("help");
        await _joan.Keyboard.PressAsync("Enter");
        await _joan.Keyboard.PressAsync("Enter");
        await Expect(_joan.GetByTestId("aside")).ToContainTextAsync("/help");

        await AboutAsync(_names.Joan, "Remove from this room");
        await ShootAsync("kick");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await _joan.IsOutAsync();
        await Expect(_joan.GetByTestId("people")).ToBeHiddenAsync();
        await AboutAsync(_names.Grace, "Ban from this room");
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await _grace.IsOutAsync();
        await Expect(_ada.Locator($"[data-testid=person][data-user='{_names.Grace}']")).ToContainTextAsync("banned");
        await ShootAsync("out");
        await _ada.RoomItemAsync("Add somebody");
        await _ada.GetByTestId("field-user").FillAsync(_names.Joan);
        await _ada.GetByTestId("dialog-act").ClickAsync();
        await _joan.BecomesAsync("connected");
        await Expect(_joan.GetByTestId("people")).ToBeVisibleAsync();
        await _ada.SayAsync("welcome back");
        await Expect(_joan.Message("welcome back")).ToBeVisibleAsync();
        await Expect(_grace.Message("welcome back")).ToHaveCountAsync(0);
        Assert.Empty(_complaints[0]);
    }

    [Fact]
    public async Task They_see_how_each_of_them_is()
    {
        var room = WebPages.NewName("hall");
        await _joan.GetByTestId("own-status-button").ClickAsync();
        await _joan.GetByTestId("own-status-panel").GetByRole(AriaRole.Radio, new() { Name = "Do not disturb" }).CheckAsync();
        await _joan.GetByTestId("own-text").FillAsync("Reading");
        await _ada.GetByTestId("own-status-button").ClickAsync();
        await ShootAsync("status");
        await _joan.GetByTestId("own-save").ClickAsync();
        await EnterAsync(room);
        await _joan.SayAsync("hello");
        foreach (var page in (IPage[])[_ada, _grace])
        {
            await Expect(page.Message("hello").Locator(".status-dot")).ToHaveAttributeAsync("data-status", "dnd");
        }

        await _ada.SayAsync("and I");
        await _ada.MoreAsync("hello", $"Who is {_names.Joan}");
        await Expect(_ada.GetByTestId("person-card")).ToContainTextAsync("Do not disturb");
        await Expect(_ada.GetByTestId("person-card")).ToContainTextAsync("Reading");
        await _joan.MoreAsync("and I", $"Who is {_names.Ada}");
        await Expect(_joan.GetByTestId("person-card")).ToContainTextAsync("Online");
        await ShootAsync("person");
        await _ada.Keyboard.PressAsync("Escape");
        await _joan.Keyboard.PressAsync("Escape");

        // Who has gone was here until then.
        await _ada.Context.CloseAsync();
        await Expect(_joan.GetByTestId("people")).ToHaveTextAsync("2 here");
        await _joan.MoreAsync("and I", $"Who is {_names.Ada}");
        await _grace.MoreAsync("and I", $"Who is {_names.Ada}");
        await Expect(_joan.GetByTestId("person-card")).ToContainTextAsync("Last seen");
        await Expect(_grace.GetByTestId("person-card")).ToContainTextAsync("Last seen");
        await _grace.ShotAsync("three-last-seen-desktop");
        await _joan.ShotAsync("three-last-seen-phone");
        Assert.Empty(_complaints.SelectMany(complaint => complaint));
    }

    private async Task<IPage> OpenAsync(string user, TcpProxy node, bool isPhone = false)
    {
        var (page, complaints) = await (isPhone ? browser.OpenAsync(width: 390, height: 844, isFree: true) : browser.OpenAsync(isFree: true));
        _complaints.Add(complaints);
        await page.SignInAsync(topology, user);
        await page.GoThroughAsync(node);
        return page;
    }

    private async Task EnterAsync(string room)
    {
        foreach (var page in (IPage[])[_ada, _grace, _joan])
        {
            await page.OpenRoomAsync(topology, room);
        }

        foreach (var page in (IPage[])[_ada, _grace, _joan])
        {
            await Expect(page.GetByTestId("people")).ToHaveTextAsync("3 here");
        }
    }

    private async Task MakeAsync(IPage page, string title, string kind, string members)
    {
        await page.GotoAsync(topology.Web.ToString());
        await page.GetByTestId("new-room").ClickAsync();
        await page.GetByRole(AriaRole.Menuitem, new() { Name = "New room" }).ClickAsync();
        await page.GetByTestId("field-title").FillAsync(title);
        await page.GetByTestId("field-kind").SelectOptionAsync(kind);
        await page.GetByTestId("field-members").FillAsync(members);
        await page.ShotAsync($"three-new-room-{(page == _joan ? "phone" : "desktop")}");
        await page.GetByTestId("dialog-act").ClickAsync();
        await Expect(page.GetByTestId("room-title")).ToHaveTextAsync(title);
        await page.BecomesAsync("connected");
    }

    private async Task AboutAsync(string user, string item)
    {
        await _ada.GetByRole(AriaRole.Button, new() { Name = $"More about {user}" }).ClickAsync();
        await _ada.GetByRole(AriaRole.Menuitem, new() { Name = item }).ClickAsync();
    }

    /// <summary>Lists of messages that scroll sideways.</summary>
    private static Task<int> CountTooWideAsync(IPage page) => page.EvaluateAsync<int>(
        "() => [...document.querySelectorAll('[data-part=scroller]')].filter(one => one.scrollWidth > one.clientWidth).length");

    private async Task ShootAsync(string name)
    {
        await _ada.ShotAsync($"three-{name}-desktop");
        await _joan.ShotAsync($"three-{name}-phone");
    }
}
