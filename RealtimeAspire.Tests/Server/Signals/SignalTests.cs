using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>What a node does about what is unusual, over its sockets. Where somebody comes from says a proxy that is trusted here.</summary>
public sealed class SignalTests
{
    private const string Manager = """[{"topic":"system:security","operations":["manage","history","subscribe"]}]""";

    [Fact]
    public async Task Credential_stuffing_is_told_and_counted_and_its_client_is_blocked_until_that_is_lifted_and_nobody_else()
    {
        await using var server = await StartAsync(("Realtime:Signals:CredentialStuffing:Action", "block"), ("Realtime:Signals:CredentialStuffing:Threshold", "5"), ("Realtime:Signals:CredentialStuffing:Score", "50"));
        var counted = new List<string>();
        using var meters = Listen(server, (tags) => counted.Add(string.Join(' ', tags.Where(tag => tag.Key is "realtime.signal.kind" or "realtime.signal.action" or "realtime.tenant").Select(tag => tag.Value))));
        using var stuffer = Client(server, "203.0.113.7", "stuffer");

        var codes = await SignInAsync(stuffer, 12);
        using var other = Client(server, "203.0.113.7", "browser");
        using var manager = Client(server, "198.51.100.1", "browser", Manager);
        using var stranger = Client(server, "198.51.100.1", "browser", "[]");

        Assert.Equal("sign_in_failed", codes[0]);
        Assert.Equal("blocked", codes[^1]);
        Assert.InRange(codes.Count(code => code == "sign_in_failed"), 4, 6);
        using var refused = await stuffer.GetAsync("/topics/room:a/events", Cancelled);
        Assert.Equal((429, "blocked"), ((int)refused.StatusCode, (await JsonAsync(refused)).GetProperty("code").GetString()));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 590, 600);
        Assert.Equal(["sign_in_failed"], await SignInAsync(other, 1));
        Assert.Equal(["credential_stuffing default block"], counted);

        var signal = (await GetAsync(manager, "/signals")).GetProperty("signals")[0];
        Assert.Equal(("credential_stuffing", "block"), (signal.GetProperty("kind").GetString(), signal.GetProperty("action").GetString()));
        Assert.StartsWith("Signing in failed for about 5 names from one fingerprint within 600 s", signal.GetProperty("explanation").GetString(), StringComparison.Ordinal);
        // Told as an event too, to who may read that.
        JsonElement told = default;
        await Eventually.BecomesTrueAsync(async () => (told = (await GetAsync(manager, "/topics/system:security/events")).GetProperty("events")).GetArrayLength() > 0, "no event tells of it");
        Assert.Equal("security:signal", told[0].GetProperty("event").GetString());
        Assert.Equal(signal.GetRawText(), told[0].GetProperty("data").GetProperty("payload").GetRawText());
        foreach (var path in (string[])["/topics/system:security/events", "/signals", "/signals/actions"])
        {
            using var forbidden = await stranger.GetAsync(path, Cancelled);
            Assert.Equal("forbidden", (await JsonAsync(forbidden)).GetProperty("code").GetString());
        }

        var action = Assert.Single((await GetAsync(manager, "/signals/actions")).GetProperty("actions").EnumerateArray().ToList());
        Assert.Equal(signal.GetProperty("subject").GetString(), action.GetProperty("subject").GetString());
        using var mayNot = await stranger.DeleteAsync($"/signals/actions/{action.GetProperty("id").GetString()}", Cancelled);
        using var lifted = await manager.DeleteAsync($"/signals/actions/{action.GetProperty("id").GetString()}", Cancelled);
        using var again = await manager.DeleteAsync($"/signals/actions/{action.GetProperty("id").GetString()}", Cancelled);
        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.NoContent, HttpStatusCode.NotFound), (mayNot.StatusCode, lifted.StatusCode, again.StatusCode));
        Assert.Equal(["sign_in_failed"], await SignInAsync(stuffer, 1));
    }

    [Fact]
    public async Task While_the_log_is_away_signals_are_raised_and_acted_on_and_only_their_events_are_missing()
    {
        await using var server = await StartAsync(("Realtime:Signals:CredentialStuffing:Action", "block"), ("Realtime:Signals:CredentialStuffing:Threshold", "5"), ("Realtime:Signals:CredentialStuffing:Score", "50"));
        server.Log.IsDown = true;
        using var one = Client(server, "203.0.113.7", "one");
        using var two = Client(server, "203.0.113.7", "two");
        using var manager = Client(server, "198.51.100.1", "browser", Manager);

        Assert.Equal("blocked", (await SignInAsync(one, 8))[^1]);
        Assert.Equal(1, (await GetAsync(manager, "/signals")).GetProperty("signals").GetArrayLength());
        await Eventually.BecomesTrueAsync(() => server.Log.Appends == 1, "it was not tried");

        server.Log.IsDown = false;
        Assert.Equal("blocked", (await SignInAsync(two, 8))[^1]);
        await Eventually.BecomesTrueAsync(async () => (await GetAsync(manager, "/topics/system:security/events")).GetProperty("events").GetArrayLength() == 1, "the next one is not told");
    }

    [Fact]
    public async Task A_challenge_is_answered_by_a_proof_that_counts_once()
    {
        await using var server = await StartAsync(
            ("Realtime:Signals:CredentialStuffing:Action", "challenge"), ("Realtime:Signals:CredentialStuffing:Threshold", "5"), ("Realtime:Signals:CredentialStuffing:Score", "50"), ("Realtime:Signals:ProofBits", "8"));
        using var client = Client(server, "203.0.113.7", "stuffer");
        Assert.Equal("challenge_required", (await SignInAsync(client, 12))[^1]);

        using var refused = await PostAsync(client, "ada", proof: null);
        var problem = await JsonAsync(refused);
        Assert.Equal((429, true), ((int)refused.StatusCode, problem.GetProperty("retryable").GetBoolean()));
        var proof = ChallengesTests.Solve(problem.GetProperty("challenge").GetString()!, 8);
        using var proven = await PostAsync(client, "ada", proof);
        using var used = await PostAsync(client, "ada", proof);
        using var stream = await client.GetAsync($"/topics/stream?topic=room:a&proof={ChallengesTests.Solve((await JsonAsync(used)).GetProperty("challenge").GetString()!, 8)}", Cancelled);
        using var page = await client.GetAsync("/topics/room:a/events", Cancelled);

        Assert.Equal("sign_in_failed", (await JsonAsync(proven)).GetProperty("code").GetString());
        Assert.Equal("challenge_required", (await JsonAsync(used)).GetProperty("code").GetString());
        // What is no connect needs none.
        Assert.Equal(("token_required", "token_required"), ((await JsonAsync(stream)).GetProperty("code").GetString(), (await JsonAsync(page)).GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Who_is_slowed_may_connect_a_tenth_as_often()
    {
        await using var server = await StartAsync(
            ("Realtime:Signals:CredentialStuffing:Action", "slow"), ("Realtime:Signals:CredentialStuffing:Threshold", "5"), ("Realtime:Signals:CredentialStuffing:Score", "50"),
            ("Realtime:Limits:ConnectBurst", "250"), ("Realtime:Limits:ConnectsPerSecond", "1"));
        using var slowed = Client(server, "203.0.113.7", "stuffer");
        using var other = Client(server, "198.51.100.8", "browser");
        await SignInAsync(slowed, 6);

        Assert.InRange((await SignInAsync(slowed, 60)).TakeWhile(code => code != "rate_limited").Count(), 20, 26);
        for (var i = 0; i < 60; i++)
        {
            Assert.Equal(["sign_in_failed"], await SignInAsync(other, 1));
        }
    }

    [Fact]
    public async Task What_a_user_who_is_slowed_publishes_counts_as_ten()
    {
        await using var server = await StartAsync(
            new StoppedTime(),
            [
                ("Realtime:Signals:SubscribeScan:Action", "slow"), ("Realtime:Signals:SubscribeScan:Threshold", "5"), ("Realtime:Signals:SubscribeScan:Score", "50"),
                ("Realtime:Limits:PublishesPerSecond", "1"), ("Realtime:Limits:PublishBurst", "40"),
            ]);
        using var slowed = server.Http();
        using var other = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token("bob")) } };
        for (var i = 0; i < 8; i++)
        {
            Assert.Equal("topic_type_unknown", await CodeAsync(slowed, $"/topics/nothing:{i}/events"));
        }

        Assert.Equal((4, 10), (await PublishAsync(slowed), await PublishAsync(other)));

        async Task<int> PublishAsync(HttpClient client)
        {
            var published = 0;
            for (var i = 0; i < 10; i++)
            {
                using var answer = await client.PostAsJsonAsync("/topics/room:a/events", new { @event = "app:x", payload = 1 }, Cancelled);
                published += answer.IsSuccessStatusCode ? 1 : 0;
            }

            return published;
        }
    }

    [Fact]
    public async Task Only_a_grant_of_the_token_lets_somebody_read_what_the_server_says_of_itself()
    {
        await using var server = await StartOpenAsync(
            ("Realtime:TopicTypes:system:Durability", "Recoverable"), ("Realtime:TopicTypes:system:Open", "true"), ("Realtime:Grants:0:Topic", "*"), ("Realtime:Grants:0:Operations:0", "history"));
        using var anybody = server.Http();
        using var granted = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token("root", null, Manager)) } };

        Assert.Equal("forbidden", await CodeAsync(anybody, "/topics/system:security/events"));
        Assert.Empty((await GetAsync(granted, "/topics/system:security/events")).GetProperty("events").EnumerateArray());
        using var forged = await granted.PostAsJsonAsync("/topics/system:security/events", new { @event = "security:signal", payload = 1 }, Cancelled);
        Assert.Equal("forbidden", (await JsonAsync(forged)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task One_name_from_many_places_is_told_and_its_user_is_never_shut_out_by_that()
    {
        await using var server = await StartAsync(
            ("Realtime:Signals:CredentialStuffing:Action", "block"), ("Realtime:Signals:CredentialStuffing:Threshold", "5"), ("Realtime:Signals:CredentialStuffing:Score", "50"), ("Realtime:Signals:ProofBits", "8"));
        for (var place = 0; place < 6; place++)
        {
            using var client = Client(server, $"203.0.{place}.7", "bot");
            using var answer = await PostAsync(client, "ada", proof: null);
        }

        using var manager = Client(server, "198.51.100.1", "browser", Manager);
        var signal = (await GetAsync(manager, "/signals")).GetProperty("signals")[0];
        Assert.Equal(("name:ada", "challenge"), (signal.GetProperty("subject").GetString(), signal.GetProperty("action").GetString()));
        using var ada = Client(server, "198.51.100.2", "browser");
        using var asked = await PostAsync(ada, "ada", proof: null);
        using var proven = await PostAsync(ada, "ada", ChallengesTests.Solve((await JsonAsync(asked)).GetProperty("challenge").GetString()!, 8));
        Assert.Equal("sign_in_failed", (await JsonAsync(proven)).GetProperty("code").GetString());
        Assert.Equal(["sign_in_failed"], await SignInAsync(ada, 1));
        // She is in already, and stays.
        using var inside = Client(server, "198.51.100.2", "browser", """[{"topic":"room:a","operations":["history"]}]""", user: "ada");
        Assert.Empty((await GetAsync(inside, "/topics/room:a/events")).GetProperty("events").EnumerateArray());
    }

    [Fact]
    public async Task A_user_who_tries_one_topic_after_the_other_is_closed_everywhere_and_others_are_not()
    {
        await using var server = await StartOpenAsync(("Realtime:Signals:SubscribeScan:Action", "block"), ("Realtime:Signals:SubscribeScan:Threshold", "5"), ("Realtime:Signals:SubscribeScan:Score", "50"));
        using var scanner = await server.ConnectRawAsync();
        using var second = await server.ConnectRawAsync();
        using var bob = await server.ConnectRawAsync(TestServer.Token("bob"));

        for (var i = 0; i < 8; i++)
        {
            await scanner.SendAsync("Subscribe", new { topic = $"user:u{i}" });
        }

        foreach (var hub in (RawHub[])[scanner, second])
        {
            var close = (await hub.ReadAsync(7))!.Value;
            Assert.StartsWith("blocked: ", close.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.True(close.GetProperty("allowReconnect").GetBoolean());
        }

        using var http = server.Http();
        using var refused = await http.GetAsync("/topics/room:a/events", Cancelled);
        Assert.Equal("blocked", (await JsonAsync(refused)).GetProperty("code").GetString());
        await bob.InvokeAsync("Subscribe", new { topic = "room:a" });
        Assert.Equal("forbidden", (await Assert.ThrowsAsync<RealtimeException>(() => bob.InvokeAsync("Subscribe", new { topic = "user:ada" }))).Code);
    }

    [Fact]
    public async Task Users_and_connects_of_one_client_are_told_and_nothing_is_done_by_default()
    {
        await using var server = await StartOpenAsync(("Realtime:Signals:ManyIdentities:Threshold", "5"), ("Realtime:Signals:ReconnectStorm:Threshold", "3"));
        for (var user = 0; user < 7; user++)
        {
            using var hub = await server.ConnectRawAsync(TestServer.Token($"u{user}"));
        }

        for (var times = 0; times < 4; times++)
        {
            using var hub = await server.ConnectRawAsync(TestServer.Token("ada"));
        }

        using var manager = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token("root", null, Manager)) } };
        var all = (await GetAsync(manager, "/signals")).GetProperty("signals").EnumerateArray().ToList();
        Assert.Equal(["reconnect_storm user:ada", "many_identities fingerprint"], all.Select(signal => $"{signal.GetProperty("kind").GetString()} {signal.GetProperty("subject").GetString()}").Select(text => text.Contains("fingerprint", StringComparison.Ordinal) ? text[..text.IndexOf(':', StringComparison.Ordinal)] : text));
        Assert.All(all, signal => Assert.Equal("observe", signal.GetProperty("action").GetString()));
        Assert.Equal(0, (await GetAsync(manager, "/signals/actions")).GetProperty("actions").GetArrayLength());
        var first = await GetAsync(manager, "/signals?limit=1");
        var rest = await GetAsync(manager, $"/signals?before={first.GetProperty("signals")[0].GetProperty("id").GetString()}");
        Assert.Equal((false, true, 1), (first.GetProperty("complete").GetBoolean(), rest.GetProperty("complete").GetBoolean(), rest.GetProperty("signals").GetArrayLength()));
        using var wrong = await manager.GetAsync("/signals?limit=0", Cancelled);
        Assert.Equal("request_invalid", (await JsonAsync(wrong)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_fan_out_that_jumps_is_told_of_its_user_and_its_tenant()
    {
        await using var server = await StartOpenAsync(("Realtime:Signals:FanOut:Threshold", "1000"));
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });
        for (var i = 0; i < 2; i++)
        {
            await hub.InvokeAsync("PublishBatch", Enumerable.Range(0, 1_000).Select(n => new { topic = "room:a", @event = "app:x", payload = new { user_id = "eve", n } }).ToArray());
        }

        using var manager = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token("root", null, Manager)) } };
        List<string?> subjects = [];
        await Eventually.BecomesTrueAsync(
            async () => (subjects = [.. (await GetAsync(manager, "/signals")).GetProperty("signals").EnumerateArray().Select(signal => signal.GetProperty("subject").GetString())]).Count == 2,
            "it is not told");
        Assert.Equal(["tenant:default", "user:ada"], subjects.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Regions_are_refused_and_limited_as_the_operator_says_and_the_file_is_read_again_when_it_has_changed()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.csv");
        await File.WriteAllTextAsync(file, "203.0.113.0/24,closed\n198.51.100.0/24,slow\n", Cancelled);
        try
        {
            await using var server = await StartAsync(
                ("Realtime:Limits:RegionsFile", file), ("Realtime:Limits:Regions:closed:Block", "true"), ("Realtime:Limits:Regions:slow:ConnectsPerSecond", "1"), ("Realtime:Limits:Regions:slow:Connections", "1"));
            using var closed = Client(server, "203.0.113.7", "browser");
            using var elsewhere = Client(server, "192.0.2.7", "browser");
            using var slow = Client(server, "198.51.100.7", "browser", """[{"topic":"room:a","operations":["subscribe"]}]""");

            Assert.Equal("region_blocked", await CodeAsync(closed, "/topics/room:a/events"));
            Assert.Equal("token_required", await CodeAsync(elsewhere, "/topics/room:a/events"));
            using (await slow.GetAsync("/topics/stream?topic=room:a", HttpCompletionOption.ResponseHeadersRead, Cancelled))
            {
                Assert.Equal("too_many_connections", await CodeAsync(slow, "/topics/events?topic=room:a"));
            }

            var audit = server.Services.GetRequiredService<AuditTrail>();
            audit.Open();
            Assert.Equal(["sign_in_failed", "sign_in_failed", "sign_in_failed", "sign_in_failed", "rate_limited"], await SignInAsync(slow, 5));
            Assert.All(audit.Take(100), pending => Assert.Contains(("region", "slow"), pending.Entry.Details));
            Assert.DoesNotContain("rate_limited", await SignInAsync(elsewhere, 8));

            await File.WriteAllTextAsync(file, "192.0.2.0/24,closed\n", Cancelled);
            await Eventually.BecomesTrueAsync(async () => await CodeAsync(elsewhere, "/topics/room:a/events") == "region_blocked", "it is not read again");
            Assert.Equal("token_required", await CodeAsync(closed, "/topics/room:a/events"));
            // One that is wrong changes nothing.
            await File.WriteAllTextAsync(file, "this is none\n", Cancelled);
            server.Services.GetRequiredService<Regions>().Look();
            Assert.Equal("region_blocked", await CodeAsync(elsewhere, "/topics/room:a/events"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task What_is_wrong_with_the_configuration_stops_the_start_with_its_key()
    {
        var file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.csv");
        await File.WriteAllTextAsync(file, "10.0.0.0/8,a\nnonsense\n", Cancelled);
        try
        {
            var wrong = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(
                ("Realtime:Limits:RegionsFile", file), ("Realtime:Signals:FanOut:Score", "20"), ("Realtime:Signals:SubscribeScan:Threshold", "20000"), ("Realtime:Signals:SaltHours", "0"), ("Realtime:Limits:Regions:a:Connections", "-1")));
            var missing = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(("Realtime:Limits:Regions:a:Block", "true")));

            Assert.Equal(
                [
                    "Realtime:Limits:Regions:a:Connections: The field Connections must be between 0 and 10000000.", $"Realtime:Limits:RegionsFile: {file}:2: a line is cidr,region.",
                    "Realtime:Signals:FanOut:Score: The field Score must be between 50 and 100.", "Realtime:Signals:SaltHours: The field SaltHours must be between 1 and 168.",
                    "Realtime:Signals:SubscribeScan:Threshold: must be at most 10000.",
                ],
                wrong.Failures.Order(StringComparer.Ordinal));
            Assert.StartsWith("Realtime:Limits:RegionsFile: which addresses are of a region", Assert.Single(missing.Failures), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Outside development names without a password are nobody, whatever the database says, and a proxy tells where from.</summary>
    private static Task<TestServer> StartAsync(params (string, string)[] settings) => StartAsync(
        new StoppedTime(),
        [
            ("environment", "Production"), ("Realtime:Tenants:Open", "true"), ("Realtime:Auth:BuiltIn", "true"), ("Realtime:TrustedProxies:0", "127.0.0.0/8"),
            ("Realtime:Limits:LoginsPerMinute", "0"), ("Realtime:Limits:AddressLoginsPerMinute", "0"), .. settings,
        ]);

    private static Task<TestServer> StartOpenAsync(params (string, string)[] settings) =>
        StartAsync(TimeProvider.System, [("Realtime:TopicTypes:user:Publishers", "Servers"), .. settings]);

    private static Task<TestServer> StartAsync(TimeProvider time, (string, string)[] settings) => TestServer.StartAsync(
        static _ => { },
        services =>
        {
            services.AddSingleton(time);
            services.AddHostedService(provider => provider.GetRequiredService<SignalReporter>());
            services.AddHostedService(provider => provider.GetRequiredService<Regions>());
        },
        static _ => { },
        settings);

    private static HttpClient Client(TestServer server, string address, string agent, string? grants = null, string user = "root")
    {
        var client = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { { "X-Forwarded-Proto", "https" }, { "X-Forwarded-For", address }, { "User-Agent", agent } } };
        if (grants is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Token(user, tenant: null, grants));
        }

        return client;
    }

    private static MeterListener Listen(TestServer server, Action<KeyValuePair<string, object?>[]> counted)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == server.Meters && instrument.Name == "realtime.signals")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => counted(tags.ToArray()));
        listener.Start();
        return listener;
    }

    /// <summary>Tries so many names.</summary>
    private static async Task<List<string?>> SignInAsync(HttpClient client, int names)
    {
        var codes = new List<string?>();
        for (var i = 0; i < names; i++)
        {
            using var answer = await PostAsync(client, $"name-{i}", proof: null);
            codes.Add((await JsonAsync(answer)).GetProperty("code").GetString());
        }

        return codes;
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string user, string? proof)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/auth/token") { Content = JsonContent.Create(new { user }) };
        if (proof is not null)
        {
            request.Headers.Add("Realtime-Proof", proof);
        }

        return await client.SendAsync(request, Cancelled);
    }

    private static async Task<JsonElement> GetAsync(HttpClient client, string address)
    {
        using var answer = await client.GetAsync(address, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
        return await JsonAsync(answer);
    }

    private static async Task<string?> CodeAsync(HttpClient client, string address)
    {
        using var answer = await client.GetAsync(address, Cancelled);
        return (await JsonAsync(answer)).TryGetProperty("code", out var code) ? code.GetString() : null;
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage answer) => JsonElement.Parse(await answer.Content.ReadAsStringAsync(Cancelled));
}
