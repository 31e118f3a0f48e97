using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Server;

/// <summary>What backends see and do over HTTP, on one node; see <c>BackendScenarios</c> for several.</summary>
public sealed class BackendTests
{
    private const int CloseMessage = 7;
    private const string Manager = """[{"topic":"*","operations":["*"]}]""";

    [Fact]
    public async Task Connections_are_listed_found_and_paged()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        using var first = await server.ConnectRawAsync();
        using var second = await server.ConnectRawAsync(TestServer.Token("bob"));
        using var stranger = await server.ConnectRawAsync(TestServer.Token("bob", "acme", null));
        await second.InvokeAsync("Subscribe", new { topic = "room:b" });
        await second.InvokeAsync("Subscribe", new { topic = "room:a" });
        await stranger.InvokeAsync("Subscribe", new { topic = "room:a" });

        var all = await GetAsync(backend, "/connections");
        var page = await GetAsync(backend, $"/connections?limit=1&after={all.GetProperty("connections")[0].GetProperty("id").GetString()}");
        var ofBob = await GetAsync(backend, "/connections?user=bob");
        var ofTopic = await GetAsync(backend, "/connections?topic=room:a");
        var found = await GetAsync(backend, $"/connections/{ofBob.GetProperty("connections")[0].GetProperty("id").GetString()}");

        Assert.Equal(["ada", "bob"], Users(all));
        Assert.True(all.GetProperty("complete").GetBoolean());
        Assert.Equal(["bob"], Users(page));
        Assert.Equal(["bob"], Users(ofBob));
        Assert.Equal(["bob"], Users(ofTopic));
        Assert.Equal(("hub", """["room:a","room:b"]"""), (found.GetProperty("transport").GetString(), found.GetProperty("topics").GetRawText()));
        Assert.InRange(found.GetProperty("openedAt").GetDateTimeOffset(), TimeProvider.System.GetUtcNow().AddMinutes(-1), TimeProvider.System.GetUtcNow());
    }

    [Fact]
    public async Task A_connection_is_closed_for_good_or_asked_to_come_back()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        using var ada = await server.ConnectRawAsync();
        using var bob = await server.ConnectRawAsync(TestServer.Token("bob"));
        var id = (await GetAsync(backend, "/connections?user=ada")).GetProperty("connections")[0].GetProperty("id").GetString();

        var one = await DeleteAsync(backend, $"/connections/{id}");
        var ofBob = await DeleteAsync(backend, "/users/bob/connections?reconnect=true");
        using var gone = await backend.DeleteAsync($"/connections/{Guid.NewGuid()}", TestContext.Current.CancellationToken);

        Assert.Equal((1, 1), (one.GetProperty("connections").GetInt32(), ofBob.GetProperty("connections").GetInt32()));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        var farewell = (await ada.ReadAsync(CloseMessage))!.Value;
        Assert.Contains("connection_closed", farewell.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.False(farewell.TryGetProperty("allowReconnect", out var back) && back.GetBoolean());
        farewell = (await bob.ReadAsync(CloseMessage))!.Value;
        Assert.Contains("connect_again", farewell.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.True(farewell.GetProperty("allowReconnect").GetBoolean());
    }

    [Fact]
    public async Task A_user_is_subscribed_as_far_as_he_may_and_unsubscribed_again()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        using var ada = await server.ConnectRawAsync();
        using var limited = await server.ConnectRawAsync(TestServer.Token("ada", null, """[{"topic":"room:other","operations":["subscribe"]}]"""));
        await backend.PostAsJsonAsync("/topics/room:a/events", new { @event = "app:x", payload = 1 }, TestContext.Current.CancellationToken);

        var outcome = await PostAsync(backend, "/users/ada/subscriptions", new { topic = "room:a" });
        await backend.PostAsJsonAsync("/topics/room:a/events", new { @event = "app:x", payload = 2 }, TestContext.Current.CancellationToken);
        var told = await ada.ControlAsync(Control.Subscribed);
        var read = Assert.Single(await ada.EventsAsync(1));
        var ended = await DeleteAsync(backend, "/users/ada/subscriptions/room:a");
        var over = await ada.ControlAsync(Control.Unsubscribed);

        Assert.Equal(1, outcome.GetProperty("connections").GetInt32());
        Assert.Equal("forbidden", Assert.Single(outcome.GetProperty("refused").EnumerateArray()).GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(("room:a", 1L), (told.Topic, told.Position!.Value.Offset));
        Assert.Equal(2, read.Offset);
        Assert.Equal(1, ended.GetProperty("connections").GetInt32());
        Assert.Equal(("room:a", "subscription_ended"), (over.Topic, over.Code));
    }

    [Fact]
    public async Task An_application_hears_of_it_and_makes_the_subscription_its_own()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        var told = new TaskCompletionSource<(string Topic, Position Position)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var client = new RealtimeClient(server.Address, new RealtimeClientOptions
        {
            Token = _ => Task.FromResult<string?>(TestServer.Token()),
            OnSubscribed = (topic, position) => told.SetResult((topic, position)),
        });
        await client.ConnectAsync(TestContext.Current.CancellationToken);

        await PostAsync(backend, "/users/ada/subscriptions", new { topic = "room:a" });
        await PostAsync(backend, "/events", new { topics = (string[])["room:a"], @event = "app:x", payload = "meanwhile" });
        var (name, at) = await told.Task.WaitAsync(TestContext.Current.CancellationToken);
        await using var room = await client.SubscribeAsync(name, new SubscribeOptions { Position = at }, TestContext.Current.CancellationToken);
        await PostAsync(backend, "/events", new { topics = (string[])["room:a"], @event = "app:x", payload = "later" });

        Assert.Equal(["\"meanwhile\"", "\"later\""], (await room.TakeAsync(2)).Select(read => read.Data.Payload.GetRawText()));
    }

    [Fact]
    public async Task Topics_have_occupancy_and_subscribers()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        using var phone = await server.ConnectRawAsync();
        using var laptop = await server.ConnectRawAsync();
        using var bob = await server.ConnectRawAsync(TestServer.Token("bob"));
        foreach (var hub in (RawHub[])[phone, laptop, bob])
            await hub.InvokeAsync("Subscribe", new { topic = "room:a" });
        await bob.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });

        var topic = await GetAsync(backend, "/topics/room:a");
        var subscribers = await GetAsync(backend, "/topics/room:a/subscribers");
        var page = await GetAsync(backend, "/topics/room:a/subscribers?after=ada&limit=1");

        Assert.Equal("""{"connections":3,"users":2}""", topic.GetProperty("occupancy").GetRawText());
        Assert.Equal(("room", "durable", false, 1), (
            topic.GetProperty("type").GetString(), topic.GetProperty("durability").GetString(), topic.GetProperty("private").GetBoolean(), topic.GetProperty("position").GetProperty("offset").GetInt32()));
        Assert.Equal("""[{"user":"ada","connections":2},{"user":"bob","connections":1}]""", subscribers.GetProperty("subscribers").GetRawText());
        Assert.Equal("""[{"user":"bob","connections":1}]""", page.GetProperty("subscribers").GetRawText());
    }

    [Fact]
    public async Task One_event_goes_to_many_topics_and_many_events_to_their_own()
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));
        backend.DefaultRequestHeaders.Add("Idempotency-Key", "k");

        var spread = await PostAsync(backend, "/events", new { topics = (string[])["room:a", "room:b", "nonsense"], @event = "app:x", payload = 1 });
        var again = await PostAsync(backend, "/events", new { topics = (string[])["room:a", "room:b"], @event = "app:x", payload = 1 });
        var several = await PostAsync(backend, "/events", new object[] { new { topic = "room:a", @event = "app:x", payload = 2 }, new { topic = "room:b", @event = "app:y", payload = 3 } });
        using var without = await backend.PostAsJsonAsync("/events", new { @event = "app:x", payload = 1 }, TestContext.Current.CancellationToken);
        using var empty = await backend.PostAsJsonAsync("/events", new { topics = Array.Empty<string>(), @event = "app:x", payload = 1 }, TestContext.Current.CancellationToken);

        Assert.Equal([null, null, "topic_invalid"], spread.EnumerateArray().Select(CodeOf));
        Assert.All(again.EnumerateArray(), outcome => Assert.True(outcome.GetProperty("reply").GetProperty("duplicate").GetBoolean()));
        Assert.Equal([2, 2], several.EnumerateArray().Select(outcome => outcome.GetProperty("reply").GetProperty("position").GetProperty("offset").GetInt32()));
        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.BadRequest), (without.StatusCode, empty.StatusCode));
    }

    [Theory]
    [InlineData("GET", "/connections")]
    [InlineData("GET", "/connections/0191b0a0-0000-7000-8000-000000000000")]
    [InlineData("DELETE", "/connections/0191b0a0-0000-7000-8000-000000000000")]
    [InlineData("DELETE", "/users/ada/connections")]
    [InlineData("DELETE", "/users/ada/subscriptions/room:a")]
    [InlineData("POST", "/users/ada/subscriptions")]
    [InlineData("GET", "/topics?prefix=room:")]
    public async Task Nobody_does_that_without_a_grant_for_it(string method, string path)
    {
        await using var server = await TestServer.StartAsync();
        using var http = server.Http();
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? JsonContent.Create(new { topic = "room:a" }) : null };

        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Theory]
    [InlineData("/connections?limit=0")]
    [InlineData("/connections?after=ada")]
    [InlineData("/connections?topic=nonsense")]
    [InlineData("/connections/ada")]
    [InlineData("/topics?limit=-1")]
    [InlineData("/topics/nonsense")]
    public async Task What_makes_no_sense_is_refused(string path)
    {
        await using var server = await TestServer.StartAsync();
        using var backend = Http(server, TestServer.Token("backend", null, Manager));

        using var answer = await backend.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private static string? CodeOf(JsonElement outcome) => outcome.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString() : null;

    private static IEnumerable<string?> Users(JsonElement list) => list.GetProperty("connections").EnumerateArray().Select(connection => connection.GetProperty("user").GetString());

    private static HttpClient Http(TestServer server, string token) => new() { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", token) } };

    private static Task<JsonElement> GetAsync(HttpClient http, string path) => http.GetFromJsonAsync<JsonElement>(path, TestContext.Current.CancellationToken);

    private static async Task<JsonElement> PostAsync(HttpClient http, string path, object body)
    {
        using var answer = await http.PostAsJsonAsync(path, body, TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    private static async Task<JsonElement> DeleteAsync(HttpClient http, string path)
    {
        using var answer = await http.DeleteAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }
}
