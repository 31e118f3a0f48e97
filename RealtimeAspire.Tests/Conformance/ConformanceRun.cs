using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>Takes an SDK through a scenario's steps.</summary>
internal sealed class ConformanceRun(Topology topology, IAgent agent, string transport) : IAsyncDisposable
{
    private const string Manager = """[{"topic":"*","operations":["*"]}]""";

    private readonly Dictionary<string, TcpProxy> _networks = [];
    private readonly Dictionary<string, string> _firstTokens = [];

    public async Task RunAsync(Scenario scenario)
    {
        for (var i = 0; i < scenario.Steps.Count; i++)
        {
            var step = scenario.Steps[i]!.AsObject();
            try
            {
                await TakeAsync(step.First().Key, step.First().Value!, (string?)step["fails"]);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Assert.Fail($"Step {i + 1}, {step.ToJsonString()}: {exception.Message}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, network) in _networks)
        {
            await network.DisposeAsync();
        }
    }

    private async Task TakeAsync(string verb, JsonNode members, string? fails)
    {
        if (fails is not null)
        {
            var failure = await Assert.ThrowsAsync<AgentException>(() => TakeAsync(verb, members));
            Assert.Equal(fails, failure.Code);
            return;
        }

        await TakeAsync(verb, members);
    }

    private Task TakeAsync(string verb, JsonNode members) => verb switch
    {
        "open" => OpenAsync(members),
        "publish" when members["client"] is null => PublishAsync(members),
        "publishUntil" => PublishUntilAsync(members),
        "connect" or "disconnect" or "close" or "retryNow" or "registerKey" or "revokeKey" => agent.DoAsync(verb, new JsonObject { ["client"] = members.DeepClone() }),
        "unhandle" => agent.DoAsync(verb, new JsonObject { ["handling"] = members.DeepClone() }),
        "callUntil" => CallUntilAsync(members),
        "acknowledgeAt" => AcknowledgeAsync(members),
        "expectLast" => ExpectLastAsync(members),
        "revokeToken" => PostAsync("/auth/revoke", new { token = _firstTokens[(string)members!] }),
        "subscribeUser" => PostAsync($"/users/{(string)members["user"]!}/subscriptions", new { topic = (string)members["topic"]! }),
        "leave" => agent.DoAsync(verb, new JsonObject { ["subscription"] = members.DeepClone() }),
        "network" => DisturbAsync(_networks[(string)members["client"]!], (string)members["does"]!),
        "expect" => ExpectAsync(members),
        _ => agent.DoAsync(verb, members),
    };

    private async Task OpenAsync(JsonNode members)
    {
        var name = (string)members["name"]!;
        var network = _networks[name] = TcpProxy.Start(topology.Api.Port);
        var user = (string?)members["user"] ?? name;
        var tokens = new JsonArray();
        foreach (var kind in members["tokens"]?.AsArray() ?? ["good"])
        {
            tokens.Add((string)kind! switch
            {
                "good" => await topology.TokenAsync(user),
                "short" => TestServer.Token(user, TimeSpan.FromSeconds(3)),
                "late" => TestServer.Token(user, TimeSpan.FromSeconds(-1)),
                "expired" => TestServer.Token(user, TimeSpan.FromHours(-1)),
                var other => other,
            });
        }

        _firstTokens[name] = (string)tokens[0]!;
        var options = members["options"]?.DeepClone().AsObject() ?? [];
        if (transport != "webSocket")
        {
            options.TryAdd("transports", new JsonArray(transport));
        }

        await agent.DoAsync("open", new JsonObject
        {
            ["name"] = name,
            ["url"] = $"http://127.0.0.1:{network.Port}",
            ["tokens"] = tokens,
            ["options"] = options,
            ["store"] = members["store"]?.DeepClone(),
            ["signs"] = members["signs"]?.DeepClone(),
        });
    }

    /// <summary>Somebody else, over HTTP.</summary>
    private async Task PublishAsync(JsonNode members)
    {
        using var http = await topology.HttpAsync("somebody-else");
        var body = new JsonObject { ["event"] = (string?)members["event"] ?? "app:note", ["payload"] = members["payload"]?.DeepClone() };
        using var response = await http.PostAsJsonAsync($"/topics/{Uri.EscapeDataString((string)members["topic"]!)}/events", body, Topology.Cancelled);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>A backend that may do all.</summary>
    private async Task PostAsync(string path, object body)
    {
        using var http = new HttpClient { BaseAddress = topology.Api };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token("backend", tenant: null, Manager));
        using var response = await http.PostAsJsonAsync(path, body, Topology.Cancelled);
        response.EnsureSuccessStatusCode();
    }

    private static Task DisturbAsync(TcpProxy network, string does)
    {
        Action disturb = does switch
        {
            "cut" => network.Cut,
            "swallow" => network.BlackHole,
            "deafen" => network.Deafen,
            "refuse" => network.BeginRefusing,
            "pass" => network.EndRefusing,
            "blockWebSockets" => network.BlockWebSockets,
            "letWebSocketsThrough" => network.LetWebSocketsThrough,
            "holdStreams" => network.HoldStreams,
            _ => throw new ArgumentException($"A network does not know how to {does}.", nameof(does)),
        };
        disturb();
        return Task.CompletedTask;
    }

    /// <summary>Calls, again where the outcome is one of those that pass.</summary>
    private Task CallUntilAsync(JsonNode members)
    {
        var passing = members["not"]!.AsArray().Select(code => (string?)code).ToArray();
        var name = (string)members["as"]!;
        return Eventually.BecomesTrueAsync(
            async () =>
            {
                await agent.DoAsync("call", members);
                JsonNode? outcome = null;
                await Eventually.BecomesTrueAsync(async () => (outcome = (await agent.DoAsync("look", null))!["calls"]?[name]) is not null, "the call has no outcome");
                return (string?)outcome!["code"] is not { } code || !passing.Contains(code);
            },
            "the call is never answered otherwise");
    }

    /// <summary>Publishes, again until it is answered so: every node hears of a change within a second.</summary>
    private Task PublishUntilAsync(JsonNode members)
    {
        var code = (string?)members["code"];
        return Eventually.BecomesTrueAsync(
            async () =>
            {
                try
                {
                    await agent.DoAsync("publish", members);
                    return code is null;
                }
                catch (AgentException exception)
                {
                    return exception.Code == code;
                }
            },
            $"publishing is never answered with {code ?? "success"}");
    }

    /// <summary>Everything up to where a subscription is.</summary>
    private async Task AcknowledgeAsync(JsonNode members)
    {
        var subscription = (string)members["subscription"]!;
        var request = members.DeepClone().AsObject();
        request["position"] = (await agent.DoAsync("look", null))!["subscriptions"]![subscription]!["position"]!.DeepClone();
        await agent.DoAsync("acknowledge", request);
    }

    /// <summary>What came before the last is left open.</summary>
    private Task ExpectLastAsync(JsonNode members) => Eventually.BecomesTrueAsync(
        async () =>
        {
            var seen = (await agent.DoAsync("look", null))!["subscriptions"]![(string)members["subscription"]!]!;
            return JsonNode.DeepEquals(seen["payloads"]!.AsArray().LastOrDefault(), members["payload"]) && Matches(members["recoveries"], seen["recoveries"]);
        },
        "the last event is another one");

    private async Task ExpectAsync(JsonNode expected)
    {
        JsonNode? seen = null;
        try
        {
            await Eventually.BecomesTrueAsync(async () => Matches(expected, seen = await agent.DoAsync("look", null)), "it is not as expected");
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message}, but {seen?.ToJsonString(new JsonSerializerOptions { WriteIndented = true })}", exception);
        }
    }

    /// <summary>Objects have at least these members; all else is equal.</summary>
    private static bool Matches(JsonNode? expected, JsonNode? seen) => expected switch
    {
        JsonObject members => seen is JsonObject other && members.All(member => other.ContainsKey(member.Key) && Matches(member.Value, other[member.Key])),
        JsonArray elements => seen is JsonArray others && elements.Count == others.Count && elements.Zip(others).All(pair => Matches(pair.First, pair.Second)),
        _ => JsonNode.DeepEquals(expected, seen),
    };
}
