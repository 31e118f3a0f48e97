using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>The TypeScript client in a page of a real Chromium, with the stores of browsers.</summary>
internal sealed class BrowserAgent : IAgent
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly IPage _page;
    private readonly List<string> _complaints;
    private readonly Uri _address;

    private BrowserAgent(IPage page, List<string> complaints, Uri address) => (_page, _complaints, _address) = (page, complaints, address);

    /// <param name="browser">The browser; the page has a profile of its own.</param>
    /// <param name="origin">Where the page comes from: an origin that the server lets in.</param>
    public static async Task<BrowserAgent> StartAsync(Browser browser, Uri origin)
    {
        var (page, complaints) = await browser.OpenAsync(isFree: true);
        var agent = new BrowserAgent(page, complaints, new Uri(origin, "/alive"));
        await agent.LoadAsync();
        return agent;
    }

    /// <summary>The page ends, and another takes its place, in the same tab.</summary>
    public Task ReloadAsync() => LoadAsync();

    public async Task<JsonNode?> DoAsync(string command, JsonNode? members)
    {
        var order = new JsonObject { ["command"] = command };
        foreach (var (name, value) in members?.AsObject() ?? [])
        {
            order[name] = value?.DeepClone();
        }

        var answering = _page.EvaluateAsync<string>("async order => JSON.stringify(await obey(JSON.parse(order)))", order.ToJsonString());
        if (await Task.WhenAny(answering, Task.Delay(Patience, TimeProvider.System, Topology.Cancelled)) != answering)
        {
            throw new TimeoutException($"The page does not answer. {string.Join(' ', _complaints)}");
        }

        var answer = JsonNode.Parse(await answering)!;
        return answer["error"] is { } error ? throw new AgentException((string)error["code"]!, (string)error["message"]!) : answer["result"];
    }

    public async ValueTask DisposeAsync()
    {
        await _page.Context.CloseAsync();
        // The browser itself complains about each socket and request that a network of the scenario has broken.
        Assert.DoesNotContain(_complaints, complaint => complaint.Contains("Uncaught", StringComparison.Ordinal));
    }

    private async Task LoadAsync()
    {
        await _page.GotoAsync(_address.ToString());
        await _page.EvaluateAsync(await File.ReadAllTextAsync(Repository.PathOf("clients/typescript/node_modules/.cache/agent.browser.js"), Topology.Cancelled));
    }
}
