using System.Net.Http.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The room's page when its connection, its session or its user goes away.</summary>
[Collection(PageTopology.Name)]
public sealed class RoomPageScenarios(Topology topology, Browser browser)
{
    private const string CountWaiting = """
        async () => {
          let count = 0;
          for (const { name } of await indexedDB.databases()) {
            const database = await new Promise(resolve => { indexedDB.open(name).onsuccess = event => resolve(event.target.result); });
            count += await new Promise(resolve => { database.transaction("items").objectStore("items").count().onsuccess = event => resolve(event.target.result); });
            database.close();
          }
          return count;
        }
        """;

    [Fact]
    public async Task What_is_written_without_a_connection_survives_a_reload_and_is_sent_once()
    {
        var room = WebPages.NewName("porch");
        await using var network = TcpProxy.Start(topology.Api.Port);
        var (page, _) = await browser.OpenAsync(isFree: true);
        await EnterAsync(page, network, "ada", room);
        await CutAsync(page, network);

        await page.SayAsync("one");
        await page.SayAsync("two");
        await Expect(page.GetByTestId("message")).ToHaveCountAsync(2);
        await page.ReloadAsync();
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync(["one", "two"]);
        await Expect(page.Stored()).ToHaveCountAsync(0);

        network.EndRefusing();
        await Expect(page.Stored()).ToHaveCountAsync(2);
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync(["one", "two"]);
        var offsets = await page.OffsetsAsync();
        Assert.Equal([1, 2], offsets);
        Assert.Equal(0, await page.EvaluateAsync<int>(CountWaiting));
    }

    [Fact]
    public async Task Signing_out_forgets_what_waits()
    {
        var room = WebPages.NewName("hall");
        await using var network = TcpProxy.Start(topology.Api.Port);
        var (page, _) = await browser.OpenAsync(isFree: true);
        await EnterAsync(page, network, "ada", room);
        await CutAsync(page, network);
        await page.SayAsync("not for who comes next");
        await page.GetByTestId("composer").FillAsync("nor this");
        await Eventually.BecomesTrueAsync(async () => await page.EvaluateAsync<int>(CountWaiting) == 1, "what waits is not kept");

        await page.GetByTestId("sign-out").ClickAsync();
        await Expect(page.GetByTestId("sign-in-form")).ToBeVisibleAsync();
        Assert.Equal(0, await page.EvaluateAsync<int>(CountWaiting));
        Assert.Equal("", await page.EvaluateAsync<string>("() => Object.keys(sessionStorage).join()"));

        network.EndRefusing();
        await EnterAsync(page, network, "ada", room);
        await Expect(page.GetByTestId("room-empty")).ToBeVisibleAsync();
        await Expect(page.GetByTestId("composer")).ToHaveValueAsync("");
    }

    [Fact]
    public async Task A_room_that_is_left_and_entered_again_at_once_is_live_on_the_same_connection()
    {
        var (room, other) = (WebPages.NewName("den"), WebPages.NewName("loft"));
        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        var sockets = 0;
        page.WebSocket += (_, socket) => sockets += socket.Url.Contains("/realtime", StringComparison.Ordinal) ? 1 : 0;
        foreach (var name in (string[])[room, other])
        {
            await page.OpenRoomAsync(topology, name);
            await page.SayAsync($"hello {name}");
            await Expect(page.Stored()).ToHaveCountAsync(1);
        }

        // Links of the list keep the page; without a wait between them one follows the other at once.
        sockets = 0;
        await page.EvaluateAsync("name => document.querySelector(`[data-room='${name}']`).click()", room);
        await page.EvaluateAsync("name => document.querySelector(`[data-room='${name}']`).click()", other);
        await page.GetByTestId("room").Filter(new() { HasText = room }).ClickAsync();
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync([$"hello {room}"]);

        await using var bob = await topology.ConnectAsync("bob");
        await bob.PublishAsync($"room:{room}", "chat:message", new { text = "welcome back" }, cancellationToken: Topology.Cancelled);
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync([$"hello {room}", "welcome back"]);
        Assert.Equal(0, sockets);
    }

    [Fact]
    public async Task A_session_that_has_ended_is_said_and_what_is_written_then_is_kept()
    {
        var room = WebPages.NewName("study");
        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        await page.RouteAsync("**/session/token*", route => route.FulfillAsync(new RouteFulfillOptions { Status = 401 }));
        await page.GotoAsync(new Uri(topology.Web, $"/rooms/{room}").ToString());

        await page.BecomesAsync("closed");
        await Expect(page.GetByTestId("connection-strip")).ToContainTextAsync("Your session has ended");
        await Expect(page.GetByTestId("connection-state").GetByRole(AriaRole.Status)).ToContainTextAsync("Your session has ended");
        await page.SayAsync("for later");
        await Expect(page.GetByTestId("message")).ToHaveAttributeAsync("data-state", "failed");

        await page.UnrouteAllAsync();
        await page.GetByTestId("retry-now").ClickAsync();
        await page.BecomesAsync("connected");
        await page.GetByText("Try again").ClickAsync();
        await Expect(page.Stored()).ToHaveCountAsync(1);
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync(["for later"]);
    }

    [Fact]
    public async Task A_lost_connection_is_counted_down_for_the_eye_and_announced_once()
    {
        await using var network = TcpProxy.Start(topology.Api.Port);
        var (page, _) = await browser.OpenAsync(isFree: true);
        await EnterAsync(page, network, "ada", WebPages.NewName("nook"));
        await page.EvaluateAsync("""
            () => {
              const changes = { childList: true, characterData: true, subtree: true };
              const status = document.querySelector("connection-state [role=status]");
              window.announced = [];
              new MutationObserver(() => window.announced.push(status.textContent)).observe(status, changes);
              const badge = document.querySelector("connection-state .connection-text");
              window.badges = [];
              new MutationObserver(() => { if (window.badges.at(-1) !== badge.textContent) window.badges.push(badge.textContent); }).observe(badge, changes);
            }
            """);

        await CutAsync(page, network);
        // Each is there for a second only, and comes again with the next attempt.
        await Eventually.BecomesTrueAsync(
            async () => await page.EvaluateAsync<bool>("() => window.badges.join().includes('Retry in 2 s,Retry in 1 s')"), "it is not counted down", TimeSpan.FromSeconds(60));
        Assert.Equal(["Connection lost. What you write is kept and sent when it is back."], await page.EvaluateAsync<string[]>("() => window.announced"));

        network.EndRefusing();
        await page.BecomesAsync("connected");
        await Expect(page.GetByTestId("connection-strip")).ToBeHiddenAsync();
        var announced = await page.EvaluateAsync<string[]>("() => window.announced");
        Assert.Equal("Connected", announced[^1]);
        Assert.Equal(2, announced.Length);
    }

    [Fact]
    public async Task A_browser_that_says_it_is_offline_is_believed_long_before_silence_would_tell()
    {
        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        await page.OpenRoomAsync(topology, WebPages.NewName("cabin"));
        await page.Context.SetOfflineAsync(true);
        await page.BecomesAsync("reconnecting", within: 5_000);
        await Expect(page.GetByTestId("connection-state")).ToContainTextAsync("Offline");
        await page.Context.SetOfflineAsync(false);
        await page.BecomesAsync("connected", within: 5_000);
    }

    [Fact]
    public async Task A_room_that_the_server_takes_away_says_why_and_is_asked_for_again()
    {
        var room = WebPages.NewName("attic");
        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, "ada");
        IWebSocketRoute? socket = null;
        var gate = new Lock();
        List<Action>? held = null;
        await page.RouteWebSocketAsync(url => url.Contains("/realtime", StringComparison.Ordinal), route =>
        {
            socket = route;
            var server = route.ConnectToServer();
            route.OnMessage(frame =>
            {
                lock (gate)
                {
                    if (held is null)
                    {
                        server.Send(frame.Text!);
                    }
                    else
                    {
                        held.Add(() => server.Send(frame.Text!));
                    }
                }
            });
        });
        await page.OpenRoomAsync(topology, room);
        await page.SayAsync("one");
        await Expect(page.Stored()).ToHaveCountAsync(1);

        // By itself it asks again after some seconds, and would be let in before anybody has looked: what it says waits until then.
        lock (gate)
        {
            held = [];
        }

        socket!.Send($$$"""{"type":1,"target":"Control","arguments":[{"type":"unsubscribed","topic":"room:{{{room}}}","code":"forbidden","reason":"You have no right to this topic."}]}""" + "");
        await page.BecomesAsync("reconnecting");
        await Expect(page.GetByTestId("connection-strip")).ToContainTextAsync("You have no right to this topic.");

        // The button goes, and the focus is where it was before.
        await page.GetByTestId("retry-now").ClickAsync();
        lock (gate)
        {
            held.ForEach(static send => send());
            held = null;
        }

        await page.BecomesAsync("connected");
        await Expect(page.GetByTestId("composer")).ToBeFocusedAsync();
        await page.SayAsync("two");
        await Expect(page.Stored()).ToHaveCountAsync(2);
        await Expect(page.GetByTestId("message-text")).ToHaveTextAsync(["one", "two"]);
    }

    [Fact]
    public async Task The_open_room_stays_in_sight_in_a_long_list()
    {
        const int Rooms = 30;
        var (user, name) = (WebPages.NewName("owner"), WebPages.NewName("cellar"));
        using var http = await topology.HttpAsync(user);
        foreach (var i in Enumerable.Range(0, Rooms))
        {
            using var made = await http.PostAsJsonAsync("/rooms", new { name = $"{name}-{i}", title = $"Cellar {i}", kind = "private" }, Topology.Cancelled);
            made.EnsureSuccessStatusCode();
        }

        var (page, _) = await browser.OpenAsync();
        await page.SignInAsync(topology, user);
        var last = page.Locator($"[data-testid=room][data-room^='{name}-']").Last;
        var room = await last.GetAttributeAsync("data-room");
        await last.ClickAsync();
        await Expect(page.GetByTestId("composer")).ToBeEditableAsync();
        // The circuit draws the list anew.
        await Expect(page.Locator("[data-testid=room][aria-current=page]")).ToHaveAttributeAsync("data-room", room!);
        await Expect(page.Locator("[data-testid=room][aria-current=page]")).ToBeInViewportAsync();

        await page.ReloadAsync();
        await Expect(page.GetByTestId("composer")).ToBeEditableAsync();
        await Expect(page.Locator("[data-testid=room][aria-current=page]")).ToBeInViewportAsync();
    }

    private async Task EnterAsync(IPage page, TcpProxy network, string user, string room)
    {
        await page.SignInAsync(topology, user);
        await page.GoThroughAsync(network);
        await page.OpenRoomAsync(topology, room);
    }

    private static async Task CutAsync(IPage page, TcpProxy network)
    {
        network.BeginRefusing();
        network.Cut();
        await page.BecomesAsync("reconnecting");
    }
}
