using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using RealtimeAspire.AppHost.Seed;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What a first run with <c>--seed</c> looks like. It has a topology of its own: it is about one that is new.</summary>
[Collection(PageTopology.Name)]
public sealed class SeedScenarios(Browser browser)
{
    private static readonly string[] Places = ["room:general", "room:launch", "room:code-review", "canvas:main", "user:ada"];

    [Fact]
    public async Task A_place_that_is_new_is_filled_once_and_looks_lived_in()
    {
        await using var app = await Topology.BuildAsync("--seed");
        await app.StartAsync(Topology.Cancelled);
        await Topology.WaitUntilHealthyAsync(app, Topology.Cancelled);
        using var http = new HttpClient { BaseAddress = app.GetEndpoint("api", "http") };
        await Eventually.BecomesTrueAsync(async () => (await PlaceOf(http).OldestAsync("canvas:main", 200)).Contains("seed-end"), "nothing was seeded", TimeSpan.FromMinutes(1));
        // Of a mention the server tells by itself, soon.
        await Eventually.BecomesTrueAsync(async () => await CountAsync(http, "user:ada") == 3, "ada was not told of everything");
        var before = await CountAsync(http, Places);

        // The next run finds it done.
        Assert.Equal(Seeded.Before, await SeedStory.TellAsync(PlaceOf(http)));
        Assert.Equal(before, await CountAsync(http, Places));

        var (page, complaints) = await browser.OpenAsync();
        var web = app.GetEndpoint("web", "http");
        await page.GotoAsync(web.ToString());
        await page.GetByTestId("name").FillAsync("ada");
        await page.GetByTestId("sign-in").ClickAsync();
        await Expect(page.Locator("[data-testid=room]")).ToHaveCountAsync(3);
        await Expect(page.GetByTestId("bell-count")).ToHaveTextAsync("3");
        await page.GotoAsync(new Uri(web, "/rooms/general").ToString());
        await Expect(page.GetByText("Who brings what to the lunch on Friday?")).ToBeVisibleAsync();
        await page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "seed-room-desktop.png") });
        await page.GotoAsync(new Uri(web, "/together").ToString());
        await Expect(page.GetByTestId("note")).ToHaveCountAsync(4);
        await page.ScreenshotAsync(new() { Path = Path.Combine(Browser.Screenshots, "seed-together-desktop.png") });
        Assert.Empty(complaints);
        await app.StopAsync(CancellationToken.None);
    }

    private static SeedPlace PlaceOf(HttpClient http) => new(http, Topology.Cancelled);

    private static async Task<int> CountAsync(HttpClient http, params string[] topics)
    {
        var count = 0;
        foreach (var topic in topics)
        {
            using var token = await http.PostAsJsonAsync("/auth/token", new { user = "ada" }, Topology.Cancelled);
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/topics/{topic}/events?limit=1000");
            request.Headers.Authorization = new("Bearer", (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString());
            using var page = await http.SendAsync(request, Topology.Cancelled);
            count += (await page.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("events").GetArrayLength();
        }

        return count;
    }
}
