using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

[Collection(PageTopology.Name)]
public sealed class BrowserScenarios(Topology topology, Browser browser)
{
    [Fact]
    public async Task A_message_typed_in_one_page_appears_in_another()
    {
        var room = WebPages.NewName("lobby");
        var (ada, adaComplaints) = await browser.OpenAsync();
        var (grace, graceComplaints) = await browser.OpenAsync(width: 390, height: 844);
        await EnterAsync(ada, "ada", room);
        await EnterAsync(grace, "grace", room);

        await ada.SayAsync("Hello from the desktop");
        await Expect(grace.GetByTestId("message")).ToHaveCountAsync(1);
        await Expect(grace.GetByTestId("message").First).ToContainTextAsync("Hello from the desktop");

        await grace.SayAsync("Hello from the phone");
        await Expect(ada.GetByTestId("message")).ToHaveCountAsync(2);
        await Expect(ada.GetByTestId("message").Nth(1)).ToContainTextAsync("Hello from the phone");

        await ada.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "room-desktop.png") });
        await grace.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "room-phone.png") });
        Assert.Empty(adaComplaints);
        Assert.Empty(graceComplaints);
    }

    [Fact]
    public async Task A_reloaded_page_shows_the_rooms_history_once()
    {
        var room = WebPages.NewName("attic");
        var (page, _) = await browser.OpenAsync();
        await EnterAsync(page, "ada", room);
        foreach (var text in (string[])["one", "two", "three"])
            await page.SayAsync(text);
        await Expect(page.GetByTestId("message")).ToHaveCountAsync(3);
        await Expect(page.Locator("[data-testid=message][data-offset]")).ToHaveCountAsync(3);

        await page.ReloadAsync();
        await Expect(page.GetByTestId("message")).ToHaveCountAsync(3);
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync(["one", "two", "three"]);
    }

    [Fact]
    public async Task What_a_user_writes_is_text_and_nothing_else()
    {
        var room = WebPages.NewName("cellar");
        const string Hostile = "<img src=x onerror=\"document.title='broken in'\"><script>alert(1)</script>";
        var (page, _) = await browser.OpenAsync();
        await EnterAsync(page, "mallory", room);
        await page.SayAsync(Hostile);
        await Expect(page.GetByTestId("message-text").First).ToHaveTextAsync(Hostile);
        Assert.NotEqual("broken in", await page.TitleAsync());
    }

    [Fact]
    public async Task A_page_without_a_user_asks_for_one_and_a_bad_name_is_explained()
    {
        var (page, _) = await browser.OpenAsync();
        await page.GotoAsync(new Uri(topology.Web, "/rooms/general").ToString());
        await Expect(page.GetByTestId("sign-in-form")).ToBeVisibleAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "sign-in.png") });
        await page.GetByTestId("name").FillAsync("not a name!");
        await page.GetByTestId("sign-in").ClickAsync();
        await Expect(page.GetByTestId("sign-in-problem")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task The_dashboard_lists_the_resources_behind_its_token()
    {
        var (page, _) = await browser.OpenAsync(1400, 850);
        await page.GotoAsync(topology.DashboardLogin);
        foreach (var name in (string[])["redis", "postgres", "realtime", "web"])
            await Expect(page.GetByText(name, new() { Exact = true }).First).ToBeVisibleAsync();
        foreach (var node in topology.Nodes())
            await Expect(page.GetByText(node.ResourceId, new() { Exact = true }).First).ToBeVisibleAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "dashboard.png") });
    }

    private async Task EnterAsync(IPage page, string user, string room)
    {
        await page.SignInAsync(topology, user);
        await page.OpenRoomAsync(topology, room);
    }
}
