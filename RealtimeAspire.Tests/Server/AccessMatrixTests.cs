using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Tests.Support;

namespace RealtimeAspire.Tests.Server;

/// <summary>Operation × identity × transport: each cell is decided here, and every transport has to agree.</summary>
public sealed class AccessMatrixTests(AccessMatrixTests.Node node) : IClassFixture<AccessMatrixTests.Node>
{
    private const string Ok = "ok";

    /// <summary>Nobody handles the call: it was let through.</summary>
    private const string Called = "no_handler";

    private const string Forbidden = "forbidden";
    private const string Suspended = "suspended";

    private static readonly string[] Operations = ["subscribe", "rewind", "history", "publish", "call", "presence", "manage", "notify", "inbox"];

    /// <summary>What each identity hears for each of the <see cref="Operations"/> on <c>room:a</c>, and of his own inbox.</summary>
    private static readonly Dictionary<string, string[]> Expected = new()
    {
        ["none"] = Always("token_required"),
        ["garbage"] = Always("token_invalid"),
        ["expired"] = Always("token_invalid"),
        ["wrong issuer"] = Always("token_invalid"),
        ["wrong audience"] = Always("token_invalid"),
        ["wrong key"] = Always("token_invalid"),
        ["revoked token"] = Always("token_revoked"),
        ["revoked user"] = Always("token_revoked"),
        ["malformed grant"] = Always("token_invalid"),
        ["suspended tenant"] = Always("tenant_suspended"),
        // Its own topic of that name, in which there is nothing.
        ["other tenant"] = [Ok, Ok, Ok, Ok, Called, Ok, Forbidden, Forbidden, Ok],
        ["signed in"] = [Ok, Ok, Ok, Ok, Called, Ok, Forbidden, Forbidden, Ok],
        ["no grant"] = Always(Forbidden),
        ["other grant"] = Always(Forbidden),
        ["live grant"] = [Ok, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden],
        ["read grant"] = [Ok, Ok, Ok, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Forbidden],
        ["write grant"] = [Forbidden, Forbidden, Forbidden, Ok, Called, Forbidden, Forbidden, Forbidden, Forbidden],
        ["another event"] = [Forbidden, Forbidden, Forbidden, "event_not_allowed", Forbidden, Forbidden, Forbidden, Forbidden, Forbidden],
        ["manage grant"] = [Forbidden, Forbidden, Forbidden, Forbidden, Forbidden, Ok, Ok, Ok, Forbidden],
        ["all grants"] = [Ok, Ok, Ok, Ok, Called, Ok, Ok, Ok, Ok],
    };

    public static TheoryData<string> Identities => new(Expected.Keys);

    [Theory]
    [MemberData(nameof(Identities))]
    public async Task Each_operation_is_decided_alike_on_every_transport(string identity)
    {
        var token = TokenOf(identity);
        foreach (var (operation, expected) in Operations.Zip(Expected[identity]))
        {
            foreach (var (transport, heard) in await HearAsync(operation, token))
                Assert.Equal((identity, operation, transport, expected), (identity, operation, transport, heard));
        }
    }

    [Fact]
    public async Task A_user_of_another_tenant_sees_nothing_of_a_topic_with_the_same_name()
    {
        using var http = Http(TestServer.Token("ada", "empty", grants: null));

        using var history = await http.GetAsync("/topics/room:a/events", TestContext.Current.CancellationToken);
        var own = JsonElement.Parse(await history.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Empty(own.GetProperty("events").EnumerateArray());
    }

    private static string[] Always(string code) => [.. Enumerable.Repeat(code, Operations.Length)];

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private string? TokenOf(string identity)
    {
        switch (identity)
        {
            case "none":
                return null;
            case "garbage":
                return "a.b.c";
            case "expired":
                return TestServer.Token(lifetime: TimeSpan.FromMinutes(-2));
            case "wrong issuer":
                return TestServer.Token("ada", null, null, change: auth => auth.Issuer = "somebody");
            case "wrong audience":
                return TestServer.Token("ada", null, null, change: auth => auth.Audience = "somebody");
            case "wrong key":
                return TestServer.Token("ada", null, null, change: auth => auth.SigningKey = new string('k', 48));
            case "revoked token":
                var token = TestServer.Token("bob");
                var claims = TokenClaims.Read(token.Split('.')[1]);
                node.Server.Services.GetRequiredService<Revocations>().Set(
                    new Revocation(new Revocation.Subject("default", Revocation.Token, claims.TokenId!), claims.IssuedAt!.Value));
                return token;
            case "revoked user":
                return TestServer.Token("eve");
            case "malformed grant":
                return Unchecked("""[{"topic":"room:*","operations":["subscribe"],"unless":"it rains"}]""");
            case "suspended tenant":
                return TestServer.Token("ada", Suspended, """[{"topic":"*","operations":["*"]}]""");
            case "other tenant":
                return TestServer.Token("ada", "acme", null);
            case "signed in":
                return TestServer.Token();
            default:
                return TestServer.Token("ada", null, GrantsOf(identity));
        }
    }

    private static string GrantsOf(string identity) => identity switch
    {
        "no grant" => "[]",
        "other grant" => """[{"topic":"room:b","operations":["*"]}]""",
        "live grant" => """[{"topic":"room:a","operations":["subscribe"]}]""",
        "read grant" => """[{"topic":"room:*","operations":["subscribe","history"]}]""",
        "write grant" => """[{"topic":"room:*","operations":["publish","call"]}]""",
        "another event" => """[{"topic":"room:*","operations":["publish"],"events":["chat:*"]}]""",
        "manage grant" => """[{"topic":"room:a","operations":["manage"]}]""",
        _ => """[{"topic":"*","operations":["*"]}]""",
    };

    /// <summary>Signed with the right key by somebody who makes mistakes, which the issuer itself does not.</summary>
    private static string Unchecked(string grants) =>
        SignedToken.Make(TestServer.Token(), claims => claims["grants"] = JsonNode.Parse(grants), TestServer.SigningKey);

    private async Task<List<(string Transport, string Heard)>> HearAsync(string operation, string? token) => operation switch
    {
        "subscribe" =>
        [
            ("hub", await HubAsync(token, "Subscribe", new { topic = "room:a" })),
            ("hub, many", await HubManyAsync(token, new { topic = "room:a" })),
            ("stream", await GetAsync(token, "/topics/stream?topic=room:a")),
            ("poll", await GetAsync(token, "/topics/events?topic=room:a")),
            ("poll, each", await PollEachAsync(token, """[{"topic":"room:a"}]""")),
        ],
        "rewind" =>
        [
            ("hub", await HubAsync(token, "Subscribe", new { topic = "room:a", rewind = new { count = 5 } })),
            ("stream", await GetAsync(token, "/topics/stream?topic=room:a&rewind=5")),
            ("poll, each", await PollEachAsync(token, """[{"topic":"room:a","rewind":{"count":5}}]""")),
        ],
        "history" =>
        [
            ("hub", await HubAsync(token, "History", new { topic = "room:a" })),
            ("http", await GetAsync(token, "/topics/room:a/events")),
            ("messages", Stored(await GetAsync(token, "/rooms/a/messages"))),
            ("search", Stored(await GetAsync(token, "/rooms/a/search?q=x"))),
            ("commands", Stored(await GetAsync(token, "/rooms/a/commands"))),
            ("read", Stored(await PostAsync(token, "/rooms/a/read", """{"offset":1}"""))),
            ("report", Stored(await PostAsync(token, "/rooms/a/messages/1/reports", """{"reason":"x"}"""))),
        ],
        "publish" =>
        [
            ("hub", await HubAsync(token, "Publish", new { topic = "room:a", @event = "app:x", payload = 1 })),
            ("hub, batch", await HubBatchAsync(token, new { topic = "room:a", @event = "app:x", payload = 1 })),
            ("http", await PostAsync(token, "/topics/room:a/events", """{"event":"app:x","payload":1}""")),
        ],
        "call" =>
        [
            ("hub", await HubAsync(token, "Call", new { topic = "room:a", method = "add" })),
            ("http", await PostAsync(token, "/topics/room:a/calls/add", "1")),
        ],
        "presence" =>
        [
            ("hub", await HubAsync(token, "ListPresence", new { topic = "room:a" })),
            ("http", await GetAsync(token, "/topics/room:a/presence")),
        ],
        "manage" =>
        [
            ("http", Stored(await PutAsync(token, "/topics/room:a/members/bob", """{"role":"member"}"""))),
            ("mute", Stored(await PutAsync(token, "/rooms/a/mutes/bob", """{"seconds":60}"""))),
            ("reports", Stored(await GetAsync(token, "/rooms/a/reports"))),
        ],
        "notify" => [("http", Stored(await PostAsync(token, "/notifications", """{"to":{"topic":"room:a"},"kind":"mention","title":"Hi"}""")))],
        _ => [("http", Stored(await GetAsync(token, "/inbox"))), ("http, badge", Stored(await GetAsync(token, "/inbox/unread"))), ("http, read", Stored(await PostAsync(token, "/inbox/read", "{}")))],
    };

    /// <summary>There is no Postgres behind this server: whoever may has it not answered.</summary>
    private static string Stored(string heard) => heard == "log_unavailable" ? Ok : heard;

    private async Task<string> HubAsync(string? token, string method, object argument) => await HubAsync(token, async hub =>
    {
        await hub.InvokeAsync(method, argument);
        return Ok;
    });

    private async Task<string> HubManyAsync(string? token, object request) =>
        await HubAsync(token, async hub => OutcomeOf((await hub.InvokeAsync("SubscribeMany", new[] { request }))[0]));

    private async Task<string> HubBatchAsync(string? token, object request) =>
        await HubAsync(token, async hub => OutcomeOf((await hub.InvokeAsync("PublishBatch", new[] { request }))[0]));

    private async Task<string> HubAsync(string? token, Func<RawHub, Task<string>> ask)
    {
        // A WebSocket client does not tell why it was refused.
        var door = await GetAsync(token, "/realtime", upgrade: true);
        if (door != Ok)
            return door;
        using var hub = await node.Server.ConnectRawAsync(token);
        try
        {
            return await ask(hub);
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }

    private async Task<string> PollEachAsync(string? token, string body)
    {
        using var http = Http(token);
        using var answer = await http.PostAsync("/topics/poll", Json(body), TestContext.Current.CancellationToken);
        return answer.IsSuccessStatusCode ? OutcomeOf((await ReadAsync(answer))[0]) : await CodeOfAsync(answer);
    }

    private async Task<string> PostAsync(string? token, string path, string body)
    {
        using var http = Http(token);
        using var answer = await http.PostAsync(path, Json(body), TestContext.Current.CancellationToken);
        return await CodeOfAsync(answer);
    }

    private async Task<string> PutAsync(string? token, string path, string body)
    {
        using var http = Http(token);
        using var answer = await http.PutAsync(path, Json(body), TestContext.Current.CancellationToken);
        return await CodeOfAsync(answer);
    }

    private async Task<string> GetAsync(string? token, string path, bool upgrade = false)
    {
        using var http = Http(token);
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (upgrade)
        {
            request.Headers.Connection.Add("Upgrade");
            request.Headers.Upgrade.Add(new ProductHeaderValue("websocket"));
            request.Headers.Add("Sec-WebSocket-Version", "13");
            request.Headers.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        }

        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode == 101 ? Ok : await CodeOfAsync(answer);
    }

    private HttpClient Http(string? token)
    {
        var http = new HttpClient { BaseAddress = node.Server.Address };
        http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return http;
    }

    private static string OutcomeOf(JsonElement outcome) => outcome.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString()! : Ok;

    private static async Task<string> CodeOfAsync(HttpResponseMessage answer) =>
        answer.IsSuccessStatusCode ? Ok : (await ReadAsync(answer)).GetProperty("code").GetString()!;

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) =>
        JsonElement.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

    /// <summary>A node whose topic has an event, and of whose users one has lost his right to be there.</summary>
    public sealed class Node : IAsyncLifetime
    {
        internal TestServer Server { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Server = await TestServer.StartAsync();
            Server.Services.GetRequiredService<TenantRegistry>().TryReplace(
                [new Tenant(Suspended, DateTimeOffset.UnixEpoch, SuspendedAt: DateTimeOffset.UnixEpoch, Reason: null, TenantQuotas.None)]);
            var revocations = Server.Services.GetRequiredService<Revocations>();
            revocations.Set(new Revocation(new Revocation.Subject("default", Revocation.User, "eve"), DateTimeOffset.UnixEpoch.AddYears(200)));
            using var http = Server.Http();
            using var published = await http.PostAsync("/topics/room:a/events", Json("""{"event":"app:x","payload":"of the default tenant"}"""), TestContext.Current.CancellationToken);
            published.EnsureSuccessStatusCode();
        }

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }
}
