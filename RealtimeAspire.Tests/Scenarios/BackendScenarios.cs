using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A backend with a service key asks one node, and what it asks for is done on both.</summary>
[Collection(SharedTopology.Name)]
public sealed class BackendScenarios(Topology topology)
{
    private const int CloseMessage = 7;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly string _topic = $"room:{Guid.NewGuid():N}";
    private readonly string _user = $"u{Guid.NewGuid():N}";

    [Fact]
    public async Task A_backend_sees_and_changes_what_is_on_every_node()
    {
        var nodes = topology.Nodes();
        using var backend = await BackendAsync(nodes[0]);
        using var here = await ConnectAsync(nodes[0]);
        using var there = await ConnectAsync(nodes[1]);

        var subscribed = await SendAsync(backend, HttpMethod.Post, $"/users/{_user}/subscriptions", new { topic = _topic });
        await Task.WhenAll(here.ControlAsync(Control.Subscribed), there.ControlAsync(Control.Subscribed));
        var published = await SendAsync(backend, HttpMethod.Post, "/events", new { topics = new[] { _topic }, @event = "app:x", payload = 1 });
        await Task.WhenAll(here.EventsAsync(1), there.EventsAsync(1));
        var connections = await SendAsync(backend, HttpMethod.Get, $"/connections?user={_user}");
        var topic = await SendAsync(backend, HttpMethod.Get, $"/topics/{_topic}");
        var subscribers = await SendAsync(backend, HttpMethod.Get, $"/topics/{_topic}/subscribers");
        var topics = await SendAsync(backend, HttpMethod.Get, $"/topics?prefix={_topic}");
        var unsubscribed = await SendAsync(backend, HttpMethod.Delete, $"/users/{_user}/subscriptions/{_topic}");
        await Task.WhenAll(here.ControlAsync(Control.Unsubscribed), there.ControlAsync(Control.Unsubscribed));

        Assert.Equal((2, 2), (subscribed.GetProperty("connections").GetInt32(), unsubscribed.GetProperty("connections").GetInt32()));
        Assert.Equal(1, published[0].GetProperty("reply").GetProperty("position").GetProperty("offset").GetInt32());
        Assert.All([connections, topic, subscribers, topics], answer => Assert.True(answer.GetProperty("complete").GetBoolean()));
        Assert.Equal([_topic, _topic], connections.GetProperty("connections").EnumerateArray().Select(connection => connection.GetProperty("topics")[0].GetString()));
        Assert.Equal("""{"connections":2,"users":1}""", topic.GetProperty("occupancy").GetRawText());
        Assert.Equal($$"""[{"user":"{{_user}}","connections":2}]""", subscribers.GetProperty("subscribers").GetRawText());
        Assert.Equal($$"""[{"topic":"{{_topic}}","connections":2}]""", topics.GetProperty("topics").GetRawText());
    }

    [Fact]
    public async Task What_a_backend_closes_is_closed_on_every_node_within_a_second()
    {
        var nodes = topology.Nodes();
        using var backend = await BackendAsync(nodes[0]);
        using var here = await ConnectAsync(nodes[0]);
        using var there = await ConnectAsync(nodes[1]);

        var started = TimeProvider.System.GetTimestamp();
        var closed = await SendAsync(backend, HttpMethod.Delete, $"/users/{_user}/connections");
        var farewells = await Task.WhenAll(here.ReadAsync(CloseMessage), there.ReadAsync(CloseMessage));
        var took = TimeProvider.System.GetElapsedTime(started);

        Assert.Equal(2, closed.GetProperty("connections").GetInt32());
        Assert.All(farewells, farewell => Assert.Contains("connection_closed", farewell!.Value.GetProperty("error").GetString(), StringComparison.Ordinal));
        Assert.True(took < Second, $"It took {took.TotalMilliseconds} ms.");
    }

    private static async Task<JsonElement> SendAsync(HttpClient http, HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        using var answer = await http.SendAsync(request, Topology.Cancelled);
        Assert.True(answer.IsSuccessStatusCode, $"{method} {path}: {answer.StatusCode}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
    }

    private async Task<RawHub> ConnectAsync(Node node) => await RawHub.ConnectAsync(node.Address, await topology.TokenAsync(_user, node.Address));

    /// <summary>By a service key, as backends do.</summary>
    private static async Task<HttpClient> BackendAsync(Node node)
    {
        using var anybody = new HttpClient { BaseAddress = node.Address };
        using var token = await anybody.PostAsJsonAsync(
            "/auth/token", new { user = "ada", grants = new[] { new { topic = "system:keys", operations = new[] { "manage" } } } }, Topology.Cancelled);
        using var admin = With(node, (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString()!);
        var key = await SendAsync(admin, HttpMethod.Post, "/keys", new { name = "backend", grants = new[] { new { topic = "*", operations = new[] { "*" } } } });
        return With(node, key.GetProperty("key").GetString()!);
    }

    private static HttpClient With(Node node, string token) => new() { BaseAddress = node.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
}
