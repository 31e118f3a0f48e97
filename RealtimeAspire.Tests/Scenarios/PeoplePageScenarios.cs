using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>How people are, as they say it and as others see it; and what they want to be told of.</summary>
[Collection(PageTopology.Name)]
public sealed class PeoplePageScenarios(Topology topology, Browser browser)
{
    [Fact]
    public async Task A_status_is_chosen_once_for_all_devices_and_seen_by_others_and_who_looks_away_is_away()
    {
        var user = WebPages.NewName("ada");
        var canvas = WebPages.NewName("status");
        var (desk, complaints) = await OpenAsync(user, $"/together/{canvas}");
        var (phone, _) = await OpenAsync(user, "/rooms", width: 390, height: 844);
        var (bob, _) = await OpenAsync("bob", $"/together/{canvas}");
        var seen = bob.Locator($"[data-testid=together-people] [data-user={user}]");
        await Expect(seen).ToHaveAttributeAsync("data-status", "online");

        await desk.GetByTestId("own-status-button").ClickAsync();
        await ChoiceOf(desk, "Do not disturb").CheckAsync();
        await desk.GetByTestId("own-text").FillAsync("Writing until four");
        await ShootAsync(desk, "status-desktop");
        await desk.GetByTestId("own-save").ClickAsync();
        await Expect(desk.GetByTestId("own-how")).ToHaveTextAsync("Writing until four");
        await Expect(seen).ToHaveAttributeAsync("data-status", "dnd");
        await phone.GetByTestId("own-status-button").ClickAsync();
        await Expect(ChoiceOf(phone, "Do not disturb")).ToBeCheckedAsync();
        await ShootAsync(phone, "status-phone");

        await seen.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(bob.GetByTestId("person-card")).ToContainTextAsync("Do not disturb");
        await Expect(bob.GetByTestId("person-card")).ToContainTextAsync("Writing until four");
        await ShootAsync(bob, "person-desktop");
        await bob.Keyboard.PressAsync("Escape");
        await Expect(bob.GetByTestId("person-card")).ToHaveCountAsync(0);

        // Online again, however late the answer comes that was asked for when the form was opened; then nobody looks at the page any more.
        await phone.Keyboard.PressAsync("Escape");
        await Expect(phone.GetByTestId("own-status-panel")).ToBeHiddenAsync();
        var mayAnswer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await phone.RouteAsync($"**/users/{user}/presence", async route =>
        {
            await mayAnswer.Task;
            await route.ContinueAsync();
        });
        await phone.GetByTestId("own-status-button").ClickAsync();
        await ChoiceOf(phone, "Online").CheckAsync();
        await phone.GetByTestId("own-text").FillAsync("");
        await phone.RunAndWaitForResponseAsync(
            () =>
            {
                mayAnswer.SetResult();
                return Task.CompletedTask;
            },
            response => response.Url.EndsWith($"/users/{user}/presence", StringComparison.Ordinal));
        await Expect(ChoiceOf(phone, "Online")).ToBeCheckedAsync();
        await phone.GetByTestId("own-save").ClickAsync();
        await Expect(seen).ToHaveAttributeAsync("data-status", "online");
        await HideAsync(desk, true);
        await Expect(seen).ToHaveAttributeAsync("data-status", "away");
        await HideAsync(desk, false);
        await Expect(seen).ToHaveAttributeAsync("data-status", "online");

        // When he has gone, those who look see since when.
        var name = $"[data-person={user}]";
        await bob.Locator(name).EvaluateAsync("one => document.querySelector('h1').append(one.cloneNode(true))");
        await phone.Context.CloseAsync();
        await desk.Context.CloseAsync();
        await Expect(seen).ToHaveCountAsync(0);
        await bob.Locator(name).ClickAsync();
        await Expect(bob.GetByTestId("person-card")).ToContainTextAsync("Last seen");
        await ShootAsync(bob, "last-seen-desktop");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task What_a_user_wants_to_be_told_of_is_kept_and_is_the_same_on_another_device()
    {
        var user = WebPages.NewName("iris");
        await using var push = await PushService.StartAsync();
        await using var node = await ProofNode.StartAsync(topology, push.Settings(("Realtime:TopicTypes:user:Publishers", "Servers"), ("Realtime:AllowedOrigins:0", topology.Web.GetLeftPart(UriPartial.Authority))));
        await using var network = TcpProxy.Start(node.Address.Port);
        var (desk, complaints) = await OpenAsync(user, "/rooms", network);
        await desk.GetByTestId("bell-button").ClickAsync();
        await desk.GetByTestId("bell-preferences").ClickAsync();
        await Expect(desk.GetByTestId("preferences")).ToHaveAttributeAsync("data-loaded", "true");
        await Expect(desk.GetByTestId("preferences")).ToHaveAttributeAsync("data-push", "off");
        await Expect(desk.GetByText("The browser will ask you first")).ToBeVisibleAsync();

        await Expect(desk.GetByLabel("Somebody mentions you: by push")).ToBeCheckedAsync();
        await desk.GetByLabel("Somebody mentions you: by push").UncheckAsync();
        await Expect(desk.GetByTestId("preferences-said")).ToHaveTextAsync("Saved");
        await desk.GetByLabel("News of the server: in the bell").UncheckAsync();
        await Expect(desk.GetByLabel("News of the server: by push")).ToBeDisabledAsync();
        await desk.GetByTestId("quiet").CheckAsync();
        await desk.GetByTestId("quiet-from").FillAsync("21:30");
        await desk.GetByTestId("quiet-zone").SelectOptionAsync("Asia/Tokyo");
        await Eventually.BecomesTrueAsync(async () => await PreferencesAsync(user) is var kept
            && kept.GetProperty("quietHours") is { ValueKind: JsonValueKind.Object } quiet
            && quiet.GetProperty("from").GetString() == "21:30" && quiet.GetProperty("to").GetString() == "07:00" && quiet.GetProperty("timeZone").GetString() == "Asia/Tokyo"
            && !kept.GetProperty("kinds").GetProperty("mention").GetProperty("push").GetBoolean()
            && !kept.GetProperty("kinds").GetProperty("system").GetProperty("inbox").GetBoolean(), "what was chosen is not kept");
        await ShootAsync(desk, "preferences-desktop");

        var (phone, _) = await OpenAsync(user, "/notifications", width: 390, height: 844);
        await Expect(phone.GetByTestId("preferences")).ToHaveAttributeAsync("data-loaded", "true");
        await Expect(phone.GetByTestId("quiet")).ToBeCheckedAsync();
        await Expect(phone.GetByTestId("quiet-zone")).ToHaveValueAsync("Asia/Tokyo");
        await Expect(phone.GetByLabel("Somebody mentions you: in the bell")).ToBeCheckedAsync();
        // The nodes of the topology have no keys for it.
        await Expect(phone.GetByTestId("preferences")).ToHaveAttributeAsync("data-push", "none");
        await ShootAsync(phone, "preferences-phone");
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task The_worker_shows_what_is_pushed_while_no_page_of_it_is_looked_at()
    {
        var user = WebPages.NewName("push");
        var (page, _) = await OpenAsync(user, "/notifications");
        await page.Context.GrantPermissionsAsync(["notifications"], new() { Origin = topology.Web.GetLeftPart(UriPartial.Authority) });
        var behind = await page.Context.NewCDPSessionAsync(page);
        var registration = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        behind.Event("ServiceWorker.workerRegistrationUpdated").OnEvent += (_, told) =>
        {
            if (told is { } value && value.GetProperty("registrations").EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } first)
            {
                registration.TrySetResult(first.GetProperty("registrationId").GetString()!);
            }
        };
        await behind.SendAsync("ServiceWorker.enable");
        await page.EvaluateAsync("async () => { await navigator.serviceWorker.register('/push-worker.js'); await navigator.serviceWorker.ready; }");

        var message = JsonSerializer.Serialize(new { id = "n1", kind = "mention", title = "Ada mentioned you", body = "In #general", link = "/rooms/general?at=17" });
        await behind.SendAsync("ServiceWorker.deliverPushMessage", new()
        {
            ["origin"] = topology.Web.GetLeftPart(UriPartial.Authority), ["registrationId"] = await registration.Task.WaitAsync(Topology.Cancelled), ["data"] = message,
        });

        await Eventually.BecomesTrueAsync(
            async () => await page.EvaluateAsync<string>("async () => (await (await navigator.serviceWorker.getRegistration()).getNotifications()).map(one => `${one.title}|${one.body}|${one.data.link}`).join()")
                == "Ada mentioned you|In #general|/rooms/general?at=17",
            "what was pushed is not shown");

        // Who signs out is shown nothing any more, and the server is told. This browser has no push service, so the subscription is made up.
        await page.EvaluateAsync("() => { PushManager.prototype.getSubscription = async () => ({ unsubscribe: async () => localStorage.setItem('has-left', 'yes') }); }");
        await page.RunAndWaitForRequestAsync(
            () => page.GetByTestId("sign-out").ClickAsync(), request => request.Method == "DELETE" && request.Url.Contains("/inbox/devices/", StringComparison.Ordinal));
        await Expect(page.GetByTestId("sign-in-form")).ToBeVisibleAsync();
        Assert.Equal("yes", await page.EvaluateAsync<string>("() => localStorage.getItem('has-left')"));
    }

    private async Task<(IPage Page, List<string> Complaints)> OpenAsync(string user, string path, TcpProxy? network = null, int width = 1280, int height = 800)
    {
        var (page, complaints) = await browser.OpenAsync(width, height, isFree: network is not null);
        await page.SignInAsync(topology, user);
        if (network is not null)
        {
            await page.GoThroughAsync(network);
        }

        await page.GotoAsync(new Uri(topology.Web, path).ToString());
        return (page, complaints);
    }

    private static ILocator ChoiceOf(IPage page, string status) => page.GetByTestId("own-status-panel").GetByRole(AriaRole.Radio, new() { Name = status });

    /// <summary>As if another tab were in front.</summary>
    private static Task<JsonElement?> HideAsync(IPage page, bool isHidden) => page.EvaluateAsync(
        "isHidden => { Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }", isHidden);

    private async Task<JsonElement> PreferencesAsync(string user)
    {
        using var http = await topology.HttpAsync(user);
        return JsonDocument.Parse(await http.GetStringAsync("/inbox/preferences", Topology.Cancelled)).RootElement;
    }

    private static Task<byte[]> ShootAsync(IPage page, string name) => page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, $"{name}.png") });
}
