using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>
/// Ten publishers and twenty subscribers, each behind a network of its own that does what bad ones do, at random: what was
/// acknowledged is there, once, and in order, for everybody.
/// </summary>
[Collection(SharedTopology.Name)]
public sealed class WeakNetworkTests(Topology topology, ITestOutputHelper output)
{
    private const int Publishers = 10;
    private const int Subscribers = 20;
    private const int PerSecond = 5;

    private static readonly TimeSpan Duration = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? TimeSpan.FromSeconds(60) : TimeSpan.FromSeconds(8);
    private static readonly string[] Topics = [.. Enumerable.Range(0, 2).Select(i => $"room:weak-{Guid.NewGuid():N}-{i}")];

    // Not for security: for what a network does.
#pragma warning disable CA5394
    private readonly Random _random = new();

    [Fact]
    public Task Nothing_is_lost_or_handled_twice_with_TypeScript() => RunAsync(TypeScriptAgent.Start());

    [Fact]
    public Task Nothing_is_lost_or_handled_twice_with_DotNet() => RunAsync(new DotNetAgent());

    private async Task RunAsync(IAgent sdk)
    {
        var networks = new List<TcpProxy>();
        try
        {
            await using var agent = sdk;
            for (var i = 0; i < Subscribers; i++)
            {
                networks.Add(await OpenAsync(agent, $"s{i}"));
                await agent.DoAsync("subscribe", new JsonObject { ["client"] = $"s{i}", ["topic"] = TopicOf(i), ["as"] = $"s{i}" });
            }

            for (var i = 0; i < Publishers; i++)
            {
                networks.Add(await OpenAsync(agent, $"p{i}"));
            }

            var published = await PublishAsync(agent, networks);
            networks.ForEach(network => network.Weaken(TimeSpan.Zero));
            networks.ForEach(network => network.EndRefusing());
            await ArriveAsync(agent, published);
            Require(await agent.DoAsync("look", null), published);
        }
        finally
        {
            foreach (var network in networks)
            {
                await network.DisposeAsync();
            }
        }
    }

    private async Task<TcpProxy> OpenAsync(IAgent agent, string name)
    {
        var network = TcpProxy.Start(topology.Api.Port);
        await agent.DoAsync("open", new JsonObject
        {
            ["name"] = name,
            ["url"] = $"http://127.0.0.1:{network.Port}",
            ["tokens"] = new JsonArray(await topology.TokenAsync(name)),
            ["options"] = new JsonObject
            {
                ["heartbeat"] = 1_000,
                ["silence"] = 3_000,
                ["answerTimeout"] = 3_000,
                ["reconnect"] = new JsonObject { ["first"] = 100, ["longest"] = 1_000 },
            },
        });
        return network;
    }

    /// <returns>How many publishes each publisher has made.</returns>
    private async Task<int> PublishAsync(IAgent agent, List<TcpProxy> networks)
    {
        var (started, rounds) = (TimeProvider.System.GetTimestamp(), 0);
        for (; TimeProvider.System.GetElapsedTime(started) < Duration; rounds++)
        {
            for (var i = 0; i < Publishers; i++)
            {
                await agent.DoAsync("publish", new JsonObject { ["client"] = $"p{i}", ["topic"] = TopicOf(i), ["payload"] = $"p{i}:{rounds}", ["as"] = $"p{i}:{rounds}" });
            }

            Disturb(networks[_random.Next(networks.Count)]);
            Disturb(networks[_random.Next(networks.Count)]);
            await Task.Delay(TimeSpan.FromSeconds(1) / PerSecond, TimeProvider.System, Topology.Cancelled);
        }

        return rounds;
    }

    private void Disturb(TcpProxy network)
    {
        Action disturb = _random.Next(8) switch
        {
            0 or 1 => network.Cut,
            2 => network.BlackHole,
            3 => network.Deafen,
            4 => () => network.Weaken(TimeSpan.FromMilliseconds(_random.Next(200))),
            5 => () => network.Weaken(TimeSpan.FromMilliseconds(20), bytesPerSecond: 2_000),
            6 => network.BeginRefusing,
            _ => network.EndRefusing,
        };
        disturb();
    }
#pragma warning restore CA5394

    private static async Task ArriveAsync(IAgent agent, int published)
    {
        JsonNode? seen = null;
        try
        {
            await Eventually.BecomesTrueAsync(async () => IsComplete(seen = await agent.DoAsync("look", null), published), "not everything has arrived", TimeSpan.FromMinutes(1));
        }
        catch (TimeoutException exception)
        {
            var subscribers = Enumerable.Range(0, Subscribers).Select(i => $"s{i} {PayloadsOf(seen, i).Length} ended {seen!["subscriptions"]![$"s{i}"]!["ended"]} at {seen["subscriptions"]![$"s{i}"]!["position"]}");
            var clients = seen!["clients"]!.AsObject().Select(client => $"{client.Key} {client.Value!["state"]} {client.Value["transport"]} waiting {client.Value["waiting"]}");
            throw new TimeoutException($"{exception.Message}: of {published} each {string.Join(", ", subscribers)}; {string.Join(", ", clients)}", exception);
        }
    }

    private static bool IsComplete(JsonNode? seen, int published)
    {
        var publishes = seen!["publishes"]!.AsObject();
        return publishes.Count == Publishers * published
            && Enumerable.Range(0, Subscribers).All(i => PayloadsOf(seen, i).Length >= Publishers / Topics.Length * published);
    }

    private void Require(JsonNode? seen, int published)
    {
        var acknowledged = seen!["publishes"]!.AsObject().Where(publish => publish.Value!["code"] is null).Select(publish => publish.Key).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(Publishers * published, acknowledged.Count);
        for (var i = 0; i < Subscribers; i++)
        {
            var payloads = PayloadsOf(seen, i);
            Assert.Equal(payloads.Distinct(StringComparer.Ordinal), payloads);
            Assert.Equal(Publishers / Topics.Length * published, payloads.Length);
            Assert.Equal(PayloadsOf(seen, i % Topics.Length), payloads);
            foreach (var publisher in payloads.GroupBy(payload => payload.Split(':')[0]))
            {
                Assert.Equal(Enumerable.Range(0, published).Select(n => $"{publisher.Key}:{n}"), publisher);
            }
        }

        var reconnects = Enumerable.Range(0, Subscribers).Sum(i => seen["clients"]![$"s{i}"]!["states"]!.AsArray().Count(state => (string?)state == "reconnecting"));
        output.WriteLine($"{acknowledged.Count} publishes acknowledged, each once and in order for {Subscribers} subscribers, who lost their connection {reconnects} times");
    }

    private static string[] PayloadsOf(JsonNode? seen, int subscriber) => [.. seen!["subscriptions"]![$"s{subscriber}"]!["payloads"]!.AsArray().Select(payload => (string)payload!)];

    private static string TopicOf(int i) => Topics[i % Topics.Length];
}
