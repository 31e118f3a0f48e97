namespace RealtimeAspire.Tests.Conformance;

/// <summary>
/// The scenarios of <c>clients/conformance</c>, each with each SDK, on two nodes behind a round robin: over WebSockets, and in the
/// long tier over each of the others too. In a browser those that are about what browsers have of their own, in the long tier all.
/// </summary>
[Collection(SharedTopology.Name)]
public sealed class ConformanceTests(Topology topology, Browser browser, ConformanceTally tally) : IClassFixture<Browser>, IClassFixture<ConformanceTally>
{
    private const string WebSocket = "webSocket";

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1";
    private static readonly string[] Transports = IsLong ? [WebSocket, "stream", "poll"] : [WebSocket];

    public static TheoryData<string, string> Scenarios() =>
        [.. from scenario in Scenario.All() from transport in Transports where scenario.RunsOver(transport) select (scenario.Name, transport)];

    public static TheoryData<string> BrowserScenarios() =>
        [.. from scenario in Scenario.All() where IsLong || scenario.Group is "stores" or "fallback" select scenario.Name];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public Task TypeScript(string scenario, string transport) => RunAsync("TypeScript", TypeScriptAgent.Start(), scenario, transport);

    [Theory]
    [MemberData(nameof(Scenarios))]
    public Task DotNet(string scenario, string transport) => RunAsync(".NET", new DotNetAgent(), scenario, transport);

    [Theory]
    [MemberData(nameof(BrowserScenarios))]
    public async Task TypeScriptInChromium(string scenario) => await RunAsync("TypeScript in Chromium", await BrowserAgent.StartAsync(browser, topology.Web), scenario, WebSocket);

    /// <summary>What a tab keeps, and what all tabs of a profile do, outlives the page.</summary>
    [Fact]
    public async Task A_page_that_is_reloaded_goes_on_where_it_was_and_sends_what_waited()
    {
        await using var agent = await BrowserAgent.StartAsync(browser, topology.Web);
        await using var run = new ConformanceRun(topology, agent, WebSocket);
        await run.RunAsync(Scenario.Parse("before", """
            [
              { "open": { "name": "a", "user": "ada", "store": "profile" } },
              { "subscribe": { "client": "a", "topic": "room:reload", "as": "s", "positions": "tab" } },
              { "publish": { "topic": "room:reload", "payload": 1 } },
              { "expect": { "subscriptions": { "s": { "payloads": [1] } } } },
              { "network": { "client": "a", "does": "refuse" } },
              { "network": { "client": "a", "does": "cut" } },
              { "expect": { "clients": { "a": { "state": "reconnecting" } } } },
              { "publish": { "topic": "room:reload", "payload": 2 } },
              { "publish": { "client": "a", "topic": "room:reload", "payload": 3, "as": "p" } },
              { "publish": { "client": "a", "topic": "room:reload", "payload": 4, "as": "q" } },
              { "expect": { "clients": { "a": { "waiting": 2 } } } }
            ]
            """));

        await agent.ReloadAsync();

        await run.RunAsync(Scenario.Parse("after", """
            [
              { "open": { "name": "b", "user": "ada", "store": "profile" } },
              { "subscribe": { "client": "b", "topic": "room:reload", "as": "t", "positions": "tab" } },
              { "expect": { "clients": { "b": { "waiting": 0 } }, "subscriptions": { "t": { "payloads": [2, 3, 4] } } } }
            ]
            """));
    }

    private async Task RunAsync(string sdk, IAgent started, string scenario, string transport)
    {
        await using (var agent = started)
        {
            await using var run = new ConformanceRun(topology, agent, transport);
            await run.RunAsync(Scenario.Load(scenario));
        }

        tally.Passed(sdk, transport);
    }
}
