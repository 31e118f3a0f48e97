using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Each button of the network lab does what it says, and leads back to a connection that has missed nothing.</summary>
[Collection(PageTopology.Name)]
public sealed class NetworkLabScenarios(Topology topology, Browser browser)
{
    private const int Burst = 50;

    [Fact]
    public async Task A_connection_that_is_dropped_in_a_burst_comes_back_and_each_event_once()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-burst").ClickAsync();
        await page.GetByTestId("lab-drop").ClickAsync();
        await page.GetByTestId("lab-burst").ClickAsync();
        await Expect(page.GetByTestId("lab-log")).ToContainTextAsync("connected → reconnecting");
        await ShowsAsync(page, "connected");
        await RequireAsync(page, room, 2 * Burst);
    }

    [Fact]
    public async Task Without_WebSockets_events_come_as_a_stream_without_streams_by_polls_and_then_over_a_WebSocket_again()
    {
        var (page, room) = await EnterAsync();
        var transport = page.GetByTestId("lab-transport");
        await Expect(transport).ToHaveTextAsync("WebSocket");

        await page.GetByTestId("lab-block-websocket").ClickAsync();
        await Expect(transport).ToContainTextAsync("stream");
        await page.GetByTestId("server-publish").ClickAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 2);

        await page.GetByTestId("lab-block-streams").ClickAsync();
        await Expect(transport).ToContainTextAsync("polls");
        await page.GetByTestId("server-publish").ClickAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 4);

        await page.GetByTestId("lab-block-streams").ClickAsync();
        await page.GetByTestId("lab-block-websocket").ClickAsync();
        await Expect(transport).ToHaveTextAsync("WebSocket");
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 5);
    }

    [Fact]
    public async Task While_the_network_is_cut_the_outbox_fills_and_it_empties_when_it_is_back()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 1);

        await page.GetByTestId("lab-cut").ClickAsync();
        await ShowsAsync(page, "reconnecting");
        await page.GetByTestId("lab-burst").ClickAsync();
        await Expect(page.GetByTestId("lab-waiting-count")).ToContainTextAsync($"{Burst} wait");
        await Expect(page.GetByTestId("lab-waiting").First).ToContainTextAsync("lab message 2");
        await page.GetByTestId("server-publish").ClickAsync();
        await Expect(page.GetByTestId("server-event").First).ToHaveAttributeAsync("data-offset", "2");
        await ShowsAsync(page, "suspended");
        await Expect(page.GetByTestId("lab-next")).ToContainTextAsync("in ");
        await Expect(page.GetByTestId("lab-reason")).Not.ToHaveTextAsync("none");
        await Expect(page.GetByTestId("server-state")).ToHaveAttributeAsync("data-state", "connected");

        await page.GetByTestId("lab-cut").ClickAsync();
        await ShowsAsync(page, "connected");
        await RequireAsync(page, room, Burst + 2);
        await Expect(page.GetByTestId("lab-waiting")).ToHaveCountAsync(0);
        await Expect(page.GetByTestId("lab-outcome").First).ToContainTextAsync($"stored at {Burst + 2}");
        await Expect(page.GetByTestId("lab-recovery")).ToContainTextAsync("recovered");
    }

    [Fact]
    public async Task A_black_hole_is_noticed_though_nobody_says_so()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 1);

        await page.GetByTestId("lab-hole").ClickAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await page.GetByTestId("server-publish").ClickAsync();
        await ShowsAsync(page, "reconnecting");
        await Expect(page.GetByTestId("lab-event")).ToHaveCountAsync(1);

        await page.GetByTestId("lab-hole").ClickAsync();
        await ShowsAsync(page, "connected");
        await RequireAsync(page, room, 3);
        await Expect(page.GetByTestId("lab-recovery")).ToContainTextAsync("recovered");
    }

    [Fact]
    public async Task Latency_is_felt_and_nothing_else()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-latency").SelectOptionAsync("300");
        await page.GetByTestId("lab-burst").ClickAsync();
        await RequireAsync(page, room, Burst);
        var note = await page.GetByTestId("lab-outcome").Last.TextContentAsync();
        Assert.True(AgeOf(note!) is >= 600 and < 10_000, note);
        await ShowsAsync(page, "connected");
        await Expect(page.GetByTestId("lab-log")).Not.ToContainTextAsync("reconnecting");
    }

    [Fact]
    public async Task A_token_that_has_expired_is_replaced_and_where_none_is_good_the_client_closes()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-token-once").ClickAsync();
        await Expect(page.GetByTestId("lab-log")).ToContainTextAsync("another one was handed out");
        await ShowsAsync(page, "connected");
        await page.GetByTestId("lab-publish").ClickAsync();
        await RequireAsync(page, room, 1);

        await page.GetByTestId("lab-token-always").ClickAsync();
        await ShowsAsync(page, "closed");
        await Expect(page.GetByTestId("lab-reason")).ToContainTextAsync("not valid");
        await page.GetByTestId("server-publish").ClickAsync();
        await Expect(page.GetByTestId("server-event")).ToHaveCountAsync(2);

        await page.GetByTestId("lab-start").ClickAsync();
        await ShowsAsync(page, "connected");
        await Expect(page.GetByTestId("lab-position")).ToContainTextAsync(":2");
        await Expect(page.GetByTestId("lab-recovery")).ToContainTextAsync("recovered, 1 event came");
    }

    [Fact]
    public async Task A_client_that_is_disconnected_keeps_what_waits_and_goes_on_as_one_that_is_closed_and_opened()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-disconnect").ClickAsync();
        await ShowsAsync(page, "disconnected");
        await page.GetByTestId("server-publish").ClickAsync();
        await Expect(page.GetByTestId("server-event")).ToHaveCountAsync(1);
        await page.GetByTestId("lab-start").ClickAsync();
        await ShowsAsync(page, "connected");
        await RequireAsync(page, room, 1);

        await page.GetByTestId("lab-close").ClickAsync();
        await ShowsAsync(page, "closed");
        await page.GetByTestId("lab-start").ClickAsync();
        await ShowsAsync(page, "connected");
        await page.GetByTestId("lab-publish").ClickAsync();
        await Expect(page.GetByTestId("lab-position")).ToContainTextAsync(":2");
    }

    [Fact]
    public async Task A_page_that_is_reloaded_goes_on_where_it_was_and_sends_what_waited()
    {
        var (page, _) = await EnterAsync();
        await page.GetByTestId("lab-publish").ClickAsync();
        await Expect(page.GetByTestId("lab-position")).ToContainTextAsync(":1");
        await page.GetByTestId("lab-cut").ClickAsync();
        await ShowsAsync(page, "reconnecting");
        await page.GetByTestId("lab-publish").ClickAsync();
        await page.GetByTestId("server-publish").ClickAsync();
        await Expect(page.GetByTestId("server-event")).ToHaveCountAsync(2);

        await page.ReloadAsync();
        await ShowsAsync(page, "connected");
        await Expect(page.GetByTestId("lab-outcome")).ToContainTextAsync("stored at 3");
        await Expect(page.GetByTestId("lab-recovery")).ToContainTextAsync("recovered");
        await Expect(page.GetByTestId("lab-check")).ToHaveTextAsync("In order, each once: 2 of 2");
    }

    [Fact]
    public async Task Leaving_the_lab_leaves_no_trace_and_nothing_that_the_page_s_policy_forbids_was_done()
    {
        const string IsNative = "() => [WebSocket, fetch].every(one => Function.prototype.toString.call(one).includes('[native code]'))";
        var (page, room) = await EnterAsync(out var complaints);
        Assert.False(await page.EvaluateAsync<bool>(IsNative));
        await page.GetByTestId("lab-cut").ClickAsync();
        await ShowsAsync(page, "reconnecting");

        await page.GetByRole(AriaRole.Link, new() { Name = $"#{room}" }).ClickAsync();
        await page.BecomesAsync("connected");
        Assert.True(await page.EvaluateAsync<bool>(IsNative));
        await page.SayAsync("back in the room");
        await Expect(page.Stored()).ToHaveCountAsync(1);

        await page.GetByTestId("lab-link").ClickAsync();
        await ShowsAsync(page, "connected");
        Assert.DoesNotContain(complaints, complaint => complaint.Contains("Content Security Policy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_room_can_be_put_under_test_and_one_that_cannot_be_is_explained()
    {
        var (page, _) = await EnterAsync();
        var room = WebPages.NewName("bench");
        await page.GetByTestId("lab-room").FillAsync(room);
        await page.GetByTestId("lab-room").PressAsync("Enter");
        await Expect(page.Locator($"network-lab[topic='room:{room}']")).ToHaveCountAsync(1);
        await ShowsAsync(page, "connected");
        await Expect(page.GetByTestId("server-state")).ToHaveAttributeAsync("data-state", "connected");
        await page.GetByTestId("server-publish").ClickAsync();
        await RequireAsync(page, room, 1);

        await page.GetByTestId("lab-room").FillAsync("what?");
        await page.GetByTestId("lab-room").PressAsync("Enter");
        await Expect(page.Locator("#lab-room-hint")).ToContainTextAsync("letters from a to z");
    }

    [Fact]
    public async Task It_fits_a_phone()
    {
        var (page, room) = await EnterAsync();
        await page.GetByTestId("lab-burst").ClickAsync();
        await RequireAsync(page, room, Burst);

        await page.SetViewportSizeAsync(390, 844);

        Assert.InRange(await page.EvaluateAsync<int>("document.documentElement.scrollWidth"), 1, 390);
        await page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "lab-phone.png"), FullPage = true });
    }

    /// <summary>What a page was rendered with goes to its circuit in one message, which has to be taken.</summary>
    [Fact]
    public async Task The_part_that_the_server_draws_lives_with_as_many_rooms_as_a_list_may_have()
    {
        using var http = await topology.HttpAsync("somebody-else");
        var run = Guid.NewGuid().ToString("N");
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 10, CancellationToken = Topology.Cancelled }, async (i, cancelled) =>
        {
            var room = $"{run}-{i}-".PadRight(128, 'x');
            using var published = await http.PostAsJsonAsync($"/topics/room:{room}/events", new { @event = "chat:message", payload = new { text = "hi" } }, cancelled);
            published.EnsureSuccessStatusCode();
        });

        var (page, _) = await EnterAsync();

        await Expect(page.GetByTestId("room")).ToHaveCountAsync(200);
    }

    private Task<(IPage Page, string Room)> EnterAsync() => EnterAsync(out _);

    private Task<(IPage Page, string Room)> EnterAsync(out List<string> complaints)
    {
        var heard = complaints = [];
        return OpenAsync();

        async Task<(IPage Page, string Room)> OpenAsync()
        {
            var user = WebPages.NewName("ada");
            var (page, _) = await browser.OpenAsync();
            page.Console += (_, message) => heard.Add(message.Text);
            await page.SignInAsync(topology, user);
            await page.GetByTestId("lab-link").ClickAsync();
            await ShowsAsync(page, "connected");
            await Expect(page.GetByTestId("server-state")).ToHaveAttributeAsync("data-state", "connected");
            await Expect(page.GetByTestId("server-publish")).ToBeEnabledAsync();
            return (page, $"lab-{user}");
        }
    }

    /// <summary>In the badge and in the diagram.</summary>
    private static async Task ShowsAsync(IPage page, string state)
    {
        await page.BecomesAsync(state);
        await Expect(page.GetByTestId("lab-diagram").Locator(".state.current")).ToHaveAttributeAsync("data-name", state);
    }

    /// <summary>So many events are in the topic, and both readers have each once and in order.</summary>
    private async Task RequireAsync(IPage page, string room, int count)
    {
        await Expect(page.GetByTestId("lab-check")).ToHaveTextAsync($"In order, each once: {count} of {count}");
        await Expect(page.GetByTestId("lab-event").First).ToHaveAttributeAsync("data-offset", $"{count}");
        await Expect(page.GetByTestId("server-event").First).ToHaveAttributeAsync("data-offset", $"{count}");
        var position = await page.GetByTestId("lab-position").TextContentAsync();
        await Expect(page.GetByTestId("server-position")).ToHaveTextAsync(position!);
        var here = await page.GetByTestId("lab-event").AllTextContentsAsync();
        var there = await page.GetByTestId("server-event").AllTextContentsAsync();
        Assert.Equal(here.Select(WithoutSpace), there.Select(WithoutSpace));

        using var http = await topology.HttpAsync("bob");
        using var history = JsonDocument.Parse(await http.GetStringAsync($"/topics/room:{room}/events?limit=1000", Topology.Cancelled));
        var ids = history.RootElement.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("id").GetString()).ToArray();
        Assert.Equal(count, ids.Distinct().Count());
        Assert.Equal(count, ids.Length);
    }

    private static string WithoutSpace(string text) => string.Concat(text.Where(character => !char.IsWhiteSpace(character)));

    /// <summary>Milliseconds; the note ends with `after 1.2 s` or `after 12 ms`.</summary>
    private static double AgeOf(string note)
    {
        var words = note.Split(' ');
        return double.Parse(words[^2], System.Globalization.CultureInfo.InvariantCulture) * (words[^1] == "s" ? 1_000 : 1);
    }
}
