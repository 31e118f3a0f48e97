using System.Text.Json;
using Microsoft.Playwright;
using RealtimeAspire.Client;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Two tabs of one user, and what browsers and networks do to tabs.</summary>
[Collection(PageTopology.Name)]
public sealed class TwoTabScenarios(Topology topology, Browser browser, ITestOutputHelper output)
{
    private const int Burst = 150;
    private const int Window = 50;

    private static readonly TimeSpan Offline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Frozen = TimeSpan.FromSeconds(30);
    private static readonly string[] Written = [.. Enumerable.Range(1, 5).Select(i => $"written offline {i}")];

    [Fact]
    public async Task Tabs_that_are_reloaded_cut_off_and_frozen_end_with_every_message_once_and_in_order()
    {
        var room = WebPages.NewName("tabs");
        var user = WebPages.NewName("ada");
        await using var network = TcpProxy.Start(topology.Api.Port);
        var context = await browser.OpenPlainAsync();
        var first = await context.NewPageAsync();
        await first.SignInAsync(topology, user);
        await first.OpenRoomAsync(topology, room);
        var second = await context.NewPageAsync();
        var behindSecond = await context.NewCDPSessionAsync(second);
        await behindSecond.SendAsync("Page.setBypassCSP", new() { ["enabled"] = true });
        await second.GoThroughAsync(network);
        await second.OpenRoomAsync(topology, room);

        await using var bob = await topology.ConnectAsync("bob");
        var isMiddle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var published = PublishAsync(bob, room, isMiddle);
        var disturbed = Task.WhenAll(ReloadAndFreezeAsync(first, isMiddle.Task), WriteOfflineAsync(second, behindSecond, network, isMiddle.Task));
        await Task.WhenAll(published, disturbed);
        var count = await published;
        await bob.PublishAsync($"room:{room}", "chat:message", new { text = "the last" }, cancellationToken: Topology.Cancelled);

        var history = await HistoryAsync(room);
        Assert.Equal(count + Written.Length + 1, history.Length);
        Assert.Equal(Written, history.Where(Written.Contains));
        Assert.Equal(Enumerable.Range(0, count).Select(i => $"bob {i}"), history.Where(text => text.StartsWith("bob", StringComparison.Ordinal)));
        await RequireAsync(first, history, atLeast: Window);
        await RequireAsync(second, history, atLeast: history.Length);
        output.WriteLine($"{history.Length} messages, each once and in order in both tabs");
    }

    /// <summary>A burst, and then now and then one, so that something happens while a tab is frozen.</summary>
    /// <returns>How many.</returns>
    private static async Task<int> PublishAsync(RealtimeClient bob, string room, TaskCompletionSource isMiddle)
    {
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; ; i++)
        {
            await bob.PublishAsync($"room:{room}", "chat:message", new { text = $"bob {i}" }, cancellationToken: Topology.Cancelled);
            if (i == Burst / 2)
            {
                isMiddle.SetResult();
            }
            else if (i >= Burst && TimeProvider.System.GetElapsedTime(started) > Frozen)
            {
                return i + 1;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(i < Burst ? 10 : 500), TimeProvider.System, Topology.Cancelled);
        }
    }

    private static async Task ReloadAndFreezeAsync(IPage page, Task isMiddle)
    {
        await isMiddle;
        await page.ReloadAsync();
        await page.BecomesAsync("connected");
        await Expect(page.Stored().First).ToBeVisibleAsync();

        await page.EvaluateAsync("() => { window.beats = 0; setInterval(() => window.beats++, 100); }");
        var behind = await page.Context.NewCDPSessionAsync(page);
        await behind.SendAsync("Page.setWebLifecycleState", new() { ["state"] = "frozen" });
        await Task.Delay(Frozen, TimeProvider.System, Topology.Cancelled);
        await behind.SendAsync("Page.setWebLifecycleState", new() { ["state"] = "active" });
        var beats = await page.EvaluateAsync<int>("() => window.beats");
        Assert.True(beats < 100, $"The tab was to be frozen, and its clock has ticked {beats} times.");
    }

    private static async Task WriteOfflineAsync(IPage page, ICDPSession behind, TcpProxy network, Task isMiddle)
    {
        await isMiddle;
        await behind.SendAsync("Network.enable");
        await behind.SendAsync("Network.emulateNetworkConditions", Conditions(isOffline: true));
        // Emulation leaves WebSockets alone that are open.
        network.BeginRefusing();
        network.Cut();
        await page.BecomesAsync("reconnecting");
        foreach (var text in Written)
        {
            await page.SayAsync(text);
        }

        await Task.Delay(Offline, TimeProvider.System, Topology.Cancelled);
        await Expect(page.Locator("[data-testid=message][data-state=waiting]")).ToHaveCountAsync(Written.Length);
        network.EndRefusing();
        await behind.SendAsync("Network.emulateNetworkConditions", Conditions(isOffline: false));
        await page.BecomesAsync("connected");
        await Expect(page.Locator("[data-testid=message]:not([data-offset])")).ToHaveCountAsync(0);

        static Dictionary<string, object> Conditions(bool isOffline) =>
            new() { ["offline"] = isOffline, ["latency"] = 0, ["downloadThroughput"] = -1, ["uploadThroughput"] = -1 };
    }

    private static async Task RequireAsync(IPage page, string[] history, int atLeast)
    {
        await Expect(page.Locator($"[data-testid=message][data-offset='{history.Length}']")).ToBeVisibleAsync();
        await Expect(page.Locator("[data-testid=message]:not([data-offset])")).ToHaveCountAsync(0);
        var offsets = await page.OffsetsAsync();
        Assert.True(offsets.Length >= atLeast, $"{offsets.Length} of at least {atLeast} messages are shown.");
        Assert.Equal(Enumerable.Range(history.Length - offsets.Length + 1, offsets.Length).Select(i => (long)i), offsets);
        Assert.Equal(history[^offsets.Length..], await page.Stored().GetByTestId("message-text").AllTextContentsAsync());
    }

    private async Task<string[]> HistoryAsync(string room)
    {
        using var http = await topology.HttpAsync("bob");
        using var page = JsonDocument.Parse(await http.GetStringAsync($"/topics/room:{room}/events?limit=1000", Topology.Cancelled));
        return [.. page.RootElement.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("data").GetProperty("payload").GetProperty("text").GetString()!)];
    }
}
