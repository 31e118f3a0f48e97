using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A backend with a service key asks one node, and what it asks for is done on both.</summary>
[Collection(WithTheMachineToThemselves.Name)]
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

    [Fact]
    public async Task What_backends_and_operators_have_done_is_on_record_for_who_may_read_it()
    {
        var node = topology.Nodes()[0];
        using var backend = await BackendAsync(node);
        var tenant = $"t{Guid.NewGuid():N}";
        await SendAsync(backend, HttpMethod.Put, $"/tenants/{tenant}", new { });
        await SendAsync(backend, HttpMethod.Put, $"/tenants/{tenant}", new { suspended = true });
        await SendAsync(backend, HttpMethod.Put, $"/tenants/{tenant}", new { suspended = false });
        await SendAsync(backend, HttpMethod.Post, $"/users/{_user}/subscriptions", new { topic = _topic });
        using var nobody = With(node, await topology.TokenAsync(_user, node.Address));

        using var refused = await nobody.GetAsync("/audit", Topology.Cancelled);
        var entries = new List<(string? Action, string? Target)>();
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                entries = await ReadAuditAsync(backend);
                return entries.Contains(("admin.act", _topic)) && entries.Exists(entry => entry.Action == "key.used");
            },
            "it is not on record");

        Assert.Equal(System.Net.HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal(
            ["tenant.changed", "tenant.suspended", "tenant.resumed"], entries.Where(entry => entry.Target == $"tenant:{tenant}").Select(entry => entry.Action));
        Assert.Contains(entries, entry => entry.Action == "key.created");
    }

    private static async Task<List<(string? Action, string? Target)>> ReadAuditAsync(HttpClient http)
    {
        var entries = new List<(string?, string?)>();
        for (var (after, more) = (0L, true); more;)
        {
            var page = await SendAsync(http, HttpMethod.Get, $"/audit?after={after}&limit=1000");
            foreach (var entry in page.GetProperty("entries").EnumerateArray())
            {
                entries.Add((entry.GetProperty("action").GetString(), entry.TryGetProperty("target", out var target) ? target.GetString() : null));
                after = entry.GetProperty("seq").GetInt64();
            }

            more = page.GetProperty("entries").GetArrayLength() > 0;
        }

        return entries;
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
