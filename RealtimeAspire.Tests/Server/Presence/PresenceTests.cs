using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server.Presence;

/// <summary>Who is on a topic, on one node; see <c>PresenceScenarios</c> for several.</summary>
public sealed class PresenceTests
{
    private const string Topic = "room:a";

    private static readonly (string, string)[] Quick = [("Realtime:Presence:WindowMs", "20"), ("Realtime:Presence:GraceSeconds", "0.2")];

    // What lingers then stays for the whole test.
    private static readonly (string, string)[] Patient = [("Realtime:Presence:WindowMs", "20"), ("Realtime:Presence:GraceSeconds", "60")];

    [Fact]
    public async Task Who_asks_for_members_is_told_who_is_there_who_comes_and_who_goes()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var bob = await JoinAsync(server, "bob");
        using var ada = await JoinAsync(server, "ada", "members");
        await BecomesAsync(ada, "ada bob");

        using (var eve = await JoinAsync(server, "eve"))
        {
            await BecomesAsync(ada, "ada bob eve");
        }

        await BecomesAsync(ada, "ada bob");
        await bob.InvokeAsync("Unsubscribe", Topic);
        await BecomesAsync(ada, "ada");
        Assert.All(ada.Events, told => Assert.True(told is { Position: null, Data.UserId: null } && told.Event.StartsWith("presence:", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Many_connections_of_a_user_are_one_member_with_its_list()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var watcher = await JoinAsync(server, "watcher", "members");
        using var tab = await JoinAsync(server, "ada");
        using var phone = await JoinAsync(server, "ada");
        using var http = Http(server, "watcher");
        using var stream = await http.GetAsync($"/topics/stream?topic={Topic}", HttpCompletionOption.ResponseHeadersRead, Cancelled);

        await BecomesAsync(watcher, "ada*2 watcher*2");
        var page = await http.GetFromJsonAsync<PresencePage>($"/topics/{Topic}/presence", JsonSerializerOptions.Web, Cancelled);

        Assert.Equal(new Occupancy(4, 2), page!.Occupancy);
        Assert.Equal(["hub", "sse"], page.Members[1].Connections.Select(connection => connection.Transport));
        phone.Dispose();
        await BecomesAsync(watcher, "ada watcher*2");
    }

    [Fact]
    public async Task A_user_who_comes_back_within_the_grace_has_not_been_away()
    {
        await using var server = await TestServer.StartAsync(Patient);
        using var watcher = await JoinAsync(server, "watcher", "members");
        using var other = await JoinAsync(server, "other");
        await BecomesAsync(watcher, "other watcher");
        using (var ada = await JoinAsync(server, "ada"))
        {
            await BecomesAsync(watcher, "ada other watcher");
        }

        // Windows pass, each with its news.
        using var marker = await JoinAsync(server, "marker");
        await BecomesAsync(watcher, "ada marker other watcher");
        await marker.InvokeAsync("Unsubscribe", Topic);
        await BecomesAsync(watcher, "ada other watcher");
        using var back = await JoinAsync(server, "ada");
        // Whatever had been said of ada would stand before this.
        await other.InvokeAsync("Unsubscribe", Topic);
        await BecomesAsync(watcher, "ada watcher");

        Assert.DoesNotContain(watcher.Events.SkipWhile(told => !Names(told).Contains("ada")).Skip(1), told => Names(told).Contains("ada"));
    }

    [Fact]
    public async Task Who_subscribes_again_on_the_same_connection_has_not_been_away()
    {
        await using var server = await TestServer.StartAsync(Patient);
        using var watcher = await JoinAsync(server, "watcher", "members");
        using var ada = await JoinAsync(server, "ada");
        await BecomesAsync(watcher, "ada watcher");

        await ada.InvokeAsync("Subscribe", new { topic = Topic });
        using var last = await JoinAsync(server, "zoe");
        await BecomesAsync(watcher, "ada watcher zoe");

        Assert.Single(watcher.Events, told => Names(told).Contains("ada"));
    }

    [Fact]
    public async Task Who_asks_for_occupancy_is_told_how_many_and_never_who()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var counter = await JoinAsync(server, "counter", "occupancy");
        using var ada = await JoinAsync(server, "ada");
        using var again = await JoinAsync(server, "ada");

        await Eventually.BecomesTrueAsync(
            async () =>
            {
                await counter.InvokeAsync("Unsubscribe", "probe:probe").ContinueWith(static _ => { }, TaskScheduler.Default);
                return counter.Events.LastOrDefault()?.Data.Payload.Deserialize<Occupancy>(JsonSerializerOptions.Web) == new Occupancy(3, 2);
            },
            "It is not told.");
        Assert.All(counter.Events, told => Assert.Equal("presence:occupancy", told.Event));
    }

    [Fact]
    public async Task A_large_topic_tells_how_many_and_the_list_is_read_by_pages()
    {
        await using var server = await TestServer.StartAsync([.. Quick, ("Realtime:Presence:LargeTopic", "3"), ("Realtime:Presence:LargeWindowMs", "40")]);
        using var watcher = await JoinAsync(server, "watcher", "members");
        var others = new List<RawHub>();
        foreach (var user in (string[])["a", "b", "c", "d"])
        {
            others.Add(await JoinAsync(server, user));
        }

        using var http = Http(server, "watcher");
        await Eventually.BecomesTrueAsync(async () => (await PageAsync(http, "")).Occupancy.Users == 5, "They are not there.");
        await HearAsync(watcher, told => told.Event == "presence:members" && !told.Data.Payload.GetProperty("complete").GetBoolean());
        await HearAsync(watcher, told => told.Data.Payload.TryGetProperty("occupancy", out var count) || told.Event == "presence:occupancy");
        var first = await PageAsync(http, "?limit=2");
        var second = await PageAsync(http, $"?limit=2&after={first.Members[^1].User}");
        var third = await PageAsync(http, $"?limit=2&after={second.Members[^1].User}");

        Assert.Equal(["a", "b", "c", "d", "watcher"], first.Members.Concat(second.Members).Concat(third.Members).Select(member => member.User));
        Assert.Equal([false, false, true], [first.Complete, second.Complete, third.Complete]);
        foreach (var other in others)
        {
            other.Dispose();
        }

        // Small again, it is told from the start.
        await BecomesAsync(watcher, "watcher");
    }

    [Fact]
    public async Task A_status_is_the_user_s_on_all_topics_and_what_is_said_of_a_connection_is_its_own()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var watcher = await JoinAsync(server, "watcher", "members");
        using var tab = await JoinAsync(server, "ada");
        using var phone = await JoinAsync(server, "ada");
        using var http = Http(server, "ada");

        await tab.InvokeAsync("SetPresence", new { active = false, topic = Topic, data = new { page = 7 } });
        var member = await MemberAsync(watcher, "ada", member => member.Connections.Any(connection => connection.Data is not null));
        Assert.Equal((PresenceStatus.Online, 1), (member.Status, member.Connections.Count(connection => connection.Active)));
        await phone.InvokeAsync("SetPresence", new { active = false });
        await MemberAsync(watcher, "ada", member => member.Status is PresenceStatus.Away);

        using var put = await http.PutAsJsonAsync("/presence", new { status = "dnd", text = "Writing" }, Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        await MemberAsync(watcher, "ada", member => member is { Status: PresenceStatus.DoNotDisturb, Text: "Writing" });

        // Whoever joins later has it from the start.
        await phone.InvokeAsync("Subscribe", new { topic = "room:b", presence = "members" });
        await HearAsync(phone, told => told.Topic == "room:b" && told.Data.Payload.GetRawText().Contains("Writing", StringComparison.Ordinal));
        await tab.InvokeAsync("SetPresence", new { status = "online", text = "" });
        await MemberAsync(watcher, "ada", member => member is { Status: PresenceStatus.Away, Text: null });
    }

    [Fact]
    public async Task When_somebody_was_last_seen_is_known_when_he_has_gone()
    {
        await using var server = await TestServer.StartAsync([.. Quick, ("Realtime:TopicTypes:user:Publishers", "Servers")]);
        using var http = Http(server, "watcher");
        using (var ada = await JoinAsync(server, "ada"))
        {
            var here = await http.GetFromJsonAsync<UserPresence>("/users/ada/presence", JsonSerializerOptions.Web, Cancelled);
            Assert.Equal((PresenceStatus.Online, (DateTimeOffset?)null), (here!.Status, here.LastSeen));
        }

        await Eventually.BecomesTrueAsync(
            async () => await http.GetFromJsonAsync<UserPresence>("/users/ada/presence", JsonSerializerOptions.Web, Cancelled) is { Status: PresenceStatus.Offline, LastSeen: not null },
            "He is still there.");
        Assert.Equal(new UserPresence("nobody", PresenceStatus.Offline, null, null), await http.GetFromJsonAsync<UserPresence>("/users/nobody/presence", JsonSerializerOptions.Web, Cancelled));
    }

    [Fact]
    public async Task Types_without_it_offer_none_and_tenants_do_not_see_each_other()
    {
        await using var server = await TestServer.StartAsync([.. Quick, ("Realtime:TopicTypes:ticker:Durability", "Recoverable"), ("Realtime:TopicTypes:board:Presence", "true")]);
        using var ada = await server.ConnectRawAsync();
        using var stranger = await server.ConnectRawAsync(TestServer.Token("stranger", "acme", null));
        await stranger.InvokeAsync("Subscribe", new { topic = Topic });
        using var http = Http(server, "ada");

        foreach (var presence in (string[])["members", "occupancy"])
        {
            Assert.Equal("presence_not_offered", await CodeAsync(() => ada.InvokeAsync("Subscribe", new { topic = "ticker:a", presence })));
        }

        Assert.Equal("request_invalid", await CodeAsync(() => ada.InvokeAsync("Subscribe", new { topic = Topic, presence = "all" })));
        Assert.Equal("presence_not_offered", await CodeAsync(() => ada.InvokeAsync("ListPresence", new { topic = "ticker:a" })));
        await ada.InvokeAsync("Subscribe", new { topic = "board:a", presence = "members" });
        await ada.InvokeAsync("Subscribe", new { topic = Topic, presence = "members" });
        await BecomesAsync(ada, "ada");
        Assert.Equal(["ada"], (await PageAsync(http, "")).Members.Select(member => member.User));
    }

    [Fact]
    public async Task Data_that_is_no_text_is_refused_like_every_such_payload()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var http = server.Http();
        using var body = new StringContent("""{"data":{"a":"\ud83d"}}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await http.PutAsync("/presence", body, TestContext.Current.CancellationToken);
        Assert.Equal("payload_invalid", (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{"status":"offline"}""", "request_invalid")]
    [InlineData("""{"data":[1]}""", "request_invalid")]
    [InlineData("""{"data":{"a":1},"topic":"nowhere"}""", "topic_invalid")]
    [InlineData("""{"topic":"room:a"}""", "request_invalid")]
    [InlineData("""{"text":"a\u0007b"}""", "request_invalid")]
    [InlineData("""{"data":{"a":1,"a":2}}""", "payload_invalid")]
    public async Task What_is_wrong_is_refused_and_changes_nothing(string request, string code)
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var ada = await JoinAsync(server, "ada", "members");
        await BecomesAsync(ada, "ada");

        Assert.Equal(code, await CodeAsync(() => ada.InvokeAsync("SetPresence", JsonElement.Parse(request))));
        Assert.Equal("payload_too_large", await CodeAsync(() => ada.InvokeAsync("SetPresence", new { data = new { a = new string('a', 1_024) } })));
        Assert.Single(ada.Events, told => Names(told).Contains("ada"));
    }

    [Fact]
    public async Task Who_may_only_subscribe_is_not_told_who_is_there()
    {
        await using var server = await TestServer.StartAsync(Quick);
        var token = TestServer.Token("ada", null, """[{"topic":"room:*","operations":["subscribe"]}]""");
        using var ada = await server.ConnectRawAsync(token);
        using var http = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };

        await ada.InvokeAsync("Subscribe", new { topic = Topic });
        Assert.Equal("forbidden", await CodeAsync(() => ada.InvokeAsync("Subscribe", new { topic = Topic, presence = "occupancy" })));
        using var list = await http.GetAsync($"/topics/{Topic}/presence", Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, list.StatusCode);
    }

    [Fact]
    public async Task Of_typing_that_comes_too_fast_the_last_is_passed_on_in_the_user_s_name()
    {
        await using var server = await TestServer.StartAsync(Quick);
        using var reader = await server.ConnectRawAsync(TestServer.Token("reader"));
        await reader.InvokeAsync("Subscribe", new { topic = Topic });
        using var ada = await server.ConnectRawAsync();

        for (var i = 0; i < 20; i++)
        {
            await ada.InvokeAsync("Publish", new { topic = Topic, @event = "cursor", payload = new { x = i, y = 1, selection = new { from = 1 }, colour = "#aabbcc" } });
        }

        await HearAsync(reader, told => told.Event == "cursor" && told.Data.Payload.GetProperty("x").GetInt32() == 19);
        var xs = reader.Events.Where(told => told.Event == "cursor").Select(told => told.Data.Payload.GetProperty("x").GetInt32()).ToArray();
        Assert.Equal(xs.Order(), xs);
        Assert.All(reader.Events, told => Assert.Equal(("ada", "ada"), (told.Data.UserId, told.Data.EntityId)));

        // Together, so that all are within one pace.
        await ada.InvokeAsync("PublishBatch", new[] { true, true, false }.Select(active => new { topic = Topic, @event = "typing", payload = new { active } }).ToArray());
        await HearAsync(reader, told => told.Event == "typing" && !told.Data.Payload.GetProperty("active").GetBoolean());
        Assert.Equal(2, reader.Events.Count(told => told.Event == "typing"));
        Assert.Equal("payload_invalid", await CodeAsync(() => ada.InvokeAsync("Publish", new { topic = Topic, @event = "typing", payload = 1 })));
    }

    internal static IReadOnlyList<string> Names(TopicEvent told) => !told.Event.StartsWith("presence:", StringComparison.Ordinal) ? []
        : told.Data.Payload.TryGetProperty("users", out var users) && users.ValueKind is JsonValueKind.Array ? [.. users.EnumerateArray().Select(user => user.GetString()!)]
        : told.Data.Payload.TryGetProperty("members", out var members) ? [.. members.EnumerateArray().Select(member => member.GetProperty("user").GetString()!)]
        : [];

    /// <summary>What the events so far add up to, as "ada*2 bob": names, with the number of connections where there are several.</summary>
    internal static string ListOf(IEnumerable<TopicEvent> events, string topic = Topic)
    {
        var list = new SortedDictionary<string, PresentUser>(StringComparer.Ordinal);
        foreach (var told in events.Where(told => told.Topic == topic))
        {
            if (told.Event == "presence:members")
            {
                list.Clear();
            }

            foreach (var member in told.Event is "presence:members" or "presence:join" or "presence:update" ? told.Data.Payload.GetProperty("members").Deserialize<PresentUser[]>(JsonSerializerOptions.Web)! : [])
            {
                list[member.User] = member;
            }

            foreach (var user in told.Event == "presence:leave" ? Names(told) : [])
            {
                list.Remove(user);
            }
        }

        return string.Join(' ', list.Values.Select(member => member.Connections.Count == 1 ? member.User : $"{member.User}*{member.Connections.Count}"));
    }

    internal static async Task BecomesAsync(RawHub hub, string list, string topic = Topic) => await UntilAsync(hub, () => ListOf(hub.Events, topic) == list);

    /// <summary>Reads on until an event is there.</summary>
    internal static Task HearAsync(RawHub hub, Func<TopicEvent, bool> isIt) => UntilAsync(hub, () => hub.Events.Any(isIt));

    /// <summary>Reads on until something is so.</summary>
    internal static async Task UntilAsync(RawHub hub, Func<bool> isSo)
    {
        while (!isSo())
        {
            await hub.EventsAsync(hub.Events.Count + 1);
        }
    }

    private static async Task<PresentUser> MemberAsync(RawHub hub, string user, Func<PresentUser, bool> isIt)
    {
        PresentUser? Now() => hub.Events.Where(told => told.Event is "presence:members" or "presence:join" or "presence:update")
            .SelectMany(told => told.Data.Payload.GetProperty("members").Deserialize<PresentUser[]>(JsonSerializerOptions.Web)!)
            .LastOrDefault(member => member.User == user);
        await UntilAsync(hub, () => Now() is { } member && isIt(member));
        return Now()!;
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static async Task<RawHub> JoinAsync(TestServer server, string user, string presence = "none")
    {
        var hub = await server.ConnectRawAsync(TestServer.Token(user));
        await hub.InvokeAsync("Subscribe", new { topic = Topic, presence });
        return hub;
    }

    private static HttpClient Http(TestServer server, string user) => new()
    {
        BaseAddress = server.Address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token(user)) },
    };

    private static async Task<PresencePage> PageAsync(HttpClient http, string query) =>
        (await http.GetFromJsonAsync<PresencePage>($"/topics/{Topic}/presence{query}", JsonSerializerOptions.Web, Cancelled))!;

    private static async Task<string> CodeAsync(Func<Task> act) => (await Assert.ThrowsAsync<RealtimeException>(act)).Code;
}
