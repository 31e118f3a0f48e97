using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace RealtimeAspire.Tests.Support;

/// <summary>What somebody does in the web client.</summary>
internal static class WebPages
{
    public static async Task SignInAsync(this IPage page, Topology topology, string user)
    {
        await page.GotoAsync(topology.Web.ToString());
        await page.GetByTestId("name").FillAsync(user);
        await page.GetByTestId("sign-in").ClickAsync();
        await Expect(page.GetByTestId("open-room")).ToBeVisibleAsync();
    }

    public static async Task OpenRoomAsync(this IPage page, Topology topology, string room)
    {
        await page.GotoAsync(new Uri(topology.Web, $"/rooms/{room}").ToString());
        await page.BecomesAsync("connected");
    }

    public static async Task SayAsync(this IPage page, string text)
    {
        await page.GetByTestId("composer").FillAsync(text);
        await page.GetByTestId("composer").PressAsync("Enter");
    }

    /// <summary>The connection's state, as the page shows it.</summary>
    public static Task BecomesAsync(this IPage page, string state, float within = 30_000) =>
        Expect(page.GetByTestId("connection-state")).ToHaveAttributeAsync("data-state", state, new() { Timeout = within });

    /// <summary>Messages that the topic has, beside those that wait.</summary>
    public static ILocator Stored(this IPage page) => page.Locator("[data-testid=message][data-offset]");

    public static async Task<long[]> OffsetsAsync(this IPage page) =>
        await page.Stored().EvaluateAllAsync<long[]>("all => all.map(one => Number(one.dataset.offset))");

    /// <summary>From now on the pages that are loaded reach the API through a network of their own. Wants a page that is free.</summary>
    public static Task GoThroughAsync(this IPage page, TcpProxy network) => page.AddInitScriptAsync($$"""
        // The page is there, and its modules have not run yet.
        document.addEventListener("readystatechange", () => {
          for (const part of document.querySelectorAll("[api]")) part.setAttribute("api", "http://127.0.0.1:{{network.Port}}");
        });
        """);

    /// <summary>A name that no other scenario has.</summary>
    public static string NewName(string prefix) => $"{prefix}-{Guid.NewGuid():n}"[..14];
}
