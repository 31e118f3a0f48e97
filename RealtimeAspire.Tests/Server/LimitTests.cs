using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace RealtimeAspire.Tests.Server;

/// <summary>What is too much, at the door and behind it.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task Whoever_connects_too_often_is_turned_away_before_anybody_looks_at_the_token()
    {
        await using var server = await StartAsync(("Realtime:Limits:ConnectsPerSecond", "1"), ("Realtime:Limits:ConnectBurst", "3"));
        using var http = new HttpClient { BaseAddress = server.Address };

        foreach (var path in (string[])["/realtime", "/topics/stream?topic=room:a", "/realtime/negotiate"])
        {
            using var looked = await http.PostAsync(path, null, TestContext.Current.CancellationToken);
            Assert.NotEqual(HttpStatusCode.TooManyRequests, looked.StatusCode);
        }

        using var refused = await http.GetAsync("/realtime", TestContext.Current.CancellationToken);
        using var login = await http.PostAsync("/auth/token", Json("""{"user":"ada"}"""), TestContext.Current.CancellationToken);
        using var other = await http.GetAsync("/topics/room:a/events", TestContext.Current.CancellationToken);

        await AssertRefusedAsync(refused, "rate_limited", 1);
        await AssertRefusedAsync(login, "rate_limited", 1);
        Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
    }

    [Fact]
    public async Task What_a_proxy_says_of_the_address_counts_where_that_is_trusted_and_nowhere_else()
    {
        (string, string)[] settings = [("Realtime:Limits:ConnectsPerSecond", "1"), ("Realtime:Limits:ConnectBurst", "1")];
        await using var open = await StartAsync(settings);
        await using var behind = await StartAsync([.. settings, ("Realtime:TrustedProxies:0", "127.0.0.0/8")]);

        Assert.Equal((int[])[401, 429], await ComeAsync(open, "203.0.113.1", "203.0.113.2"));
        Assert.Equal((int[])[401, 401, 429, 429], await ComeAsync(behind, "203.0.113.1", "203.0.113.2", "203.0.113.1", "198.51.100.9, 203.0.113.2"));
    }

    [Fact]
    public async Task A_name_that_is_tried_too_often_has_to_wait_and_others_have_not()
    {
        await using var server = await StartAsync(("Realtime:Limits:LoginsPerMinute", "2"));
        using var http = new HttpClient { BaseAddress = server.Address };

        var codes = new List<int>();
        foreach (var user in (string[])["ada", "ada", "bob", "ada"])
        {
            using var answer = await http.PostAsync("/auth/token", Json($$"""{"user":"{{user}}"}"""), TestContext.Current.CancellationToken);
            codes.Add((int)answer.StatusCode);
            if (codes.Count == 4)
            {
                await AssertRefusedAsync(answer, "rate_limited", 30);
            }
        }

        Assert.Equal([200, 200, 200, 429], codes);
    }

    [Fact]
    public async Task A_user_has_so_many_connections_and_no_more_over_whichever_transport()
    {
        await using var server = await TestServer.StartAsync(("Realtime:Limits:UserConnections", "2"));
        using var http = server.Http();
        var first = await server.ConnectRawAsync();
        using var second = await http.GetAsync("/topics/stream?topic=room:a", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.True(second.IsSuccessStatusCode);

        using var stream = await http.GetAsync("/topics/stream?topic=room:a", TestContext.Current.CancellationToken);
        using var poll = await http.GetAsync("/topics/events?topic=room:a", TestContext.Current.CancellationToken);
        using var upgrade = await http.PostAsync("/realtime/negotiate?negotiateVersion=1", null, TestContext.Current.CancellationToken);
        using var published = await http.PostAsync("/topics/room:a/events", Json("""{"event":"app:x","payload":1}"""), TestContext.Current.CancellationToken);

        await AssertRefusedAsync(stream, "too_many_connections", 5);
        await AssertRefusedAsync(poll, "too_many_connections", 5);
        await AssertRefusedAsync(upgrade, "too_many_connections", 5);
        Assert.Equal(HttpStatusCode.Created, published.StatusCode);
        using (var bob = await server.ConnectRawAsync(TestServer.Token("bob")))
        {
            await bob.InvokeAsync("Subscribe", new { topic = "room:a" });
        }

        first.Dispose();
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                using var again = await http.GetAsync("/topics/events?topic=room:a", TestContext.Current.CancellationToken);
                return again.IsSuccessStatusCode;
            },
            "A connection that has gone still counts.");
    }

    /// <summary>Those who have passed the door at the same moment.</summary>
    [Fact]
    public async Task A_hub_connection_that_is_one_too_many_is_closed_with_the_reason_and_does_not_count()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { Connections = 1 } });
        var (first, second, third) = (new RecordingTransport(), new RecordingTransport(), new RecordingTransport());
        var open = node.Connections.OpenOrClose(TestNode.Ada, first);
        await using var refused = node.Connections.OpenOrClose(TestNode.Ada, second);

        Assert.Equal(ErrorCode.TooManyConnections, await second.Closed.Task);
        Assert.Equal("too_many_connections", Assert.Throws<RealtimeException>(() => node.Connections.Open(TestNode.Ada, third)).Code);
        Assert.False(first.Closed.Task.IsCompleted);
        await open.DisposeAsync();
        await using var again = node.Connections.Open(TestNode.Ada, third);
        Assert.False(again.HasClosed);
    }

    [Fact]
    public async Task A_tenant_is_subscribed_to_so_many_topics_and_no_more()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { TenantTopics = 2 } });
        await node.StartAsync();
        var (one, two) = (node.Connect(new RecordingTransport()), node.Connect(new RecordingTransport()));
        await node.SubscribeAsync(one, "room:a");
        await node.SubscribeAsync(one, "room:b");
        await node.SubscribeAsync(two, "room:a");

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => node.SubscribeAsync(two, "room:c"));
        one.Remove(new("default", TopicName.Parse("room:a")));
        var still = await Assert.ThrowsAsync<RealtimeException>(() => node.SubscribeAsync(two, "room:c"));
        one.Remove(new("default", TopicName.Parse("room:b")));
        await node.SubscribeAsync(two, "room:c");

        Assert.Equal(("quota_exceeded", "quota_exceeded"), (refused.Code, still.Code));
    }

    [Fact]
    public async Task Who_asks_too_often_is_told_so_and_a_large_page_counts_for_several()
    {
        await using var server = await StartAsync(("Realtime:Limits:RequestsPerSecond", "1"), ("Realtime:Limits:RequestBurst", "22"));
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });
        await hub.InvokeAsync("History", new { topic = "room:a", limit = 1_000 });
        await hub.InvokeAsync("Acknowledge", new { topic = "room:a", position = new { epoch = "", offset = 0 }, consumer = "phone" });

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync("History", new { topic = "room:a", limit = 200 }));
        var many = (await hub.InvokeAsync("SubscribeMany", new[] { new { topic = "room:b" } }))[0].GetProperty("error");
        using var http = server.Http();
        using var page = await http.GetAsync("/topics/room:a/events?limit=1000", TestContext.Current.CancellationToken);
        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });

        Assert.Equal(("rate_limited", "rate_limited"), (refused.Code, many.GetProperty("code").GetString()));
        Assert.InRange(many.GetProperty("retryAfterMs").GetInt32(), 1, 1_000);
        await AssertRefusedAsync(page, "rate_limited", 20);
    }

    [Fact]
    public async Task Members_and_privacy_are_asked_about_and_changed_no_more_often_than_anything_else()
    {
        await using var server = await StartAsync(("Realtime:Limits:RequestsPerSecond", "1"), ("Realtime:Limits:RequestBurst", "22"));
        using var http = server.Http();
        (HttpMethod Method, string Address, string? Body)[] requests =
        [
            (HttpMethod.Get, "/topics/room:a/members?limit=1000", null),
            (HttpMethod.Put, "/topics/room:a/members/bob", """{"role":"member"}"""),
            (HttpMethod.Delete, "/topics/room:a/members/bob", null),
            (HttpMethod.Delete, "/topics/room:a/privacy", null),
            (HttpMethod.Put, "/topics/room:a/privacy", "{}"),
        ];

        // 20, 1 and 1.
        foreach (var (method, address, body) in requests[..3])
        {
            using var admitted = await SendAsync(method, address, body);
            Assert.NotEqual(HttpStatusCode.TooManyRequests, admitted.StatusCode);
        }

        foreach (var (method, address, body) in requests)
        {
            using var refused = await SendAsync(method, address, body);
            await AssertRefusedAsync(refused, "rate_limited", 20);
        }

        Task<HttpResponseMessage> SendAsync(HttpMethod method, string address, string? body) => http.SendAsync(
            new HttpRequestMessage(method, address) { Content = body is null ? null : Json(body) }, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_connection_and_a_tenant_have_rates_of_their_own()
    {
        var limits = new LimitOptions { PublishesPerSecond = 10, PublishBurst = 10, ConnectionPublishesPerSecond = 2, TenantPublishesPerSecond = 15 };
        await using var node = new TestNode(options: new RealtimeOptions { Limits = limits }, time: new StoppedTime());
        var (one, two) = (node.Connect(new RecordingTransport()), node.Connect(new RecordingTransport()));

        Assert.Equal(2, await CountAsync("ada", one));
        Assert.Equal(2, await CountAsync("ada", two));
        // Of the user's ten, six are left.
        Assert.Equal(6, await CountAsync("ada", null));
        Assert.Equal(5, await CountAsync("bob", null));

        async Task<int> CountAsync(string user, RealtimeAspire.Server.Pipeline.Connections.Connection? connection)
        {
            var request = new PublishRequest { Event = "app:x", Payload = JsonSerializer.SerializeToElement(1) };
            for (var count = 0; ; count++)
            {
                try
                {
                    await node.Publish.PublishAsync(new Caller("default", user), TopicName.Parse("room:a"), request, connection);
                }
                catch (RealtimeException exception) when (exception is { Code: "rate_limited", RetryAfter: not null })
                {
                    return count;
                }
            }
        }
    }

    [Fact]
    public async Task A_large_payload_counts_for_several()
    {
        await using var node = new TestNode(
            options: new RealtimeOptions { Limits = new LimitOptions { PublishesPerSecond = 5, PublishBurst = 5 } }, time: new StoppedTime());

        await node.PublishAsync("room:a", new string('x', 60_000));

        await node.PublishAsync("room:a");
        Assert.Equal("rate_limited", (await Assert.ThrowsAsync<RealtimeException>(() => node.PublishAsync("room:a"))).Code);
    }

    /// <summary>A connection that is let in and asks for what it may not have costs as much as one that may, unless it has to wait.</summary>
    [Fact]
    public async Task A_connection_that_asks_in_vain_again_and_again_is_answered_later_and_later_ones_are_not()
    {
        await using var server = await TestServer.StartAsync();
        using var hub = await server.ConnectRawAsync();
        using var other = await server.ConnectRawAsync();
        for (var i = 0; i < 250; i++)
        {
            await hub.SendAsync("Publish", new { topic = "nothing", @event = "app:x", payload = 1 });
        }

        var started = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync("Publish", new { topic = "nothing", @event = "app:x", payload = 1 }));
        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(400));
        await Assert.ThrowsAsync<RealtimeException>(() => other.InvokeAsync("Publish", new { topic = "nothing", @event = "app:x", payload = 1 }));
        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });
    }

    [Fact]
    public void What_a_tenant_may_have_is_the_least_of_what_all_and_it_alone_may_have()
    {
        var limits = new LimitOptions { TenantPublishesPerSecond = 100, TenantConnections = 50 };
        var tenants = new TenantLimits(Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Limits = limits }), new Quotas());

        Assert.Equal((10, 50), (tenants.Of("small").PublishesPerSecond, tenants.Of("small").Connections));
        Assert.Equal((100, 50), (tenants.Of("large").PublishesPerSecond, tenants.Of("large").Connections));
        Assert.Equal((100, 0), (tenants.Of("closed").PublishesPerSecond, tenants.Of("closed").Connections));
        Assert.False(new TenantUse().TryAddConnection(0));
        Assert.NotNull(new TenantUse().TakePublish(0, TimeProvider.System));
    }

    private sealed class Quotas : ITenantQuotas
    {
        public TenantQuotas Of(string tenant) => tenant switch
        {
            "small" => new() { PublishesPerSecond = 10 },
            "large" => new() { PublishesPerSecond = 1_000, Connections = 1_000 },
            "closed" => new() { Connections = 0 },
            _ => TenantQuotas.None,
        };
    }

    /// <summary>Once the caches are warm; the best of some rounds, for the machine has other things to do.</summary>
    [Fact]
    public void Admission_of_a_publish_costs_less_than_5_us()
    {
        const int Publishes = 20_000;
        using var meters = new Microsoft.Extensions.DependencyInjection.ServiceCollection().AddMetrics().BuildServiceProvider();
        var limits = new LimitOptions { PublishesPerSecond = 1_000_000, PublishBurst = 10_000_000, ConnectionPublishesPerSecond = 1_000_000, TenantPublishesPerSecond = 10_000_000 };
        var options = Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Limits = limits });
        var tenants = new TenantLimits(options);
        using var shares = new TenantShares(tenants, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<TenantShares>.Instance);
        var instruments = new RealtimeAspire.Server.Observability.LimitInstruments(meters.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
        var limiter = new PublishLimiter(options, tenants, shares, instruments, TimeProvider.System);
        var callers = Enumerable.Range(0, 1_000).Select(i => new Caller("default", $"user-{i}")).ToArray();

        var best = Enumerable.Range(0, 10).Min(_ =>
        {
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < Publishes; i++)
            {
                limiter.Admit(callers[i % callers.Length], 100, 65_536);
            }

            return Stopwatch.GetElapsedTime(started).TotalMicroseconds / Publishes;
        });

        TestContext.Current.TestOutputHelper?.WriteLine($"{best:0.000} µs");
        Assert.InRange(best, 0, 5);
    }

    /// <summary>No bucket fills while the test is slow.</summary>
    private static Task<TestServer> StartAsync(params (string Key, string Value)[] settings) =>
        TestServer.StartAsync(static _ => { }, services => services.AddSingleton<TimeProvider>(new StoppedTime()), static _ => { }, settings);

    private static async Task<int[]> ComeAsync(TestServer server, params string[] addresses)
    {
        using var http = new HttpClient { BaseAddress = server.Address };
        var codes = new List<int>();
        foreach (var address in addresses)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/realtime");
            request.Headers.Add("X-Forwarded-For", address);
            using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
            codes.Add((int)answer.StatusCode);
        }

        return [.. codes];
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage response, string code, int seconds)
    {
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode is HttpStatusCode.TooManyRequests, text);
        using var problem = JsonDocument.Parse(text);
        Assert.Equal((code, true), (problem.RootElement.GetProperty("code").GetString(), problem.RootElement.GetProperty("retryable").GetBoolean()));
        var wait = problem.RootElement.GetProperty("retryAfterMs").GetInt32();
        Assert.InRange(wait, 1, seconds * 1_000);
        Assert.Equal(TimeSpan.FromSeconds(Math.Ceiling(wait / 1_000.0)), response.Headers.RetryAfter?.Delta);
        Assert.Equal(new MediaTypeHeaderValue("application/problem+json"), response.Content.Headers.ContentType);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");
}
