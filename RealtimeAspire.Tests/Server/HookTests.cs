using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using Xunit;

namespace RealtimeAspire.Tests.Server;

/// <summary>What an application may say before something is done: a backend over HTTP, and middleware in the process.</summary>
public sealed class HookTests
{
    [Fact]
    public async Task A_backend_is_asked_and_signs_for_nobody_else()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Secrets = [HookBackend.Secret, "the-secret-that-comes-next-0123456789abcdef"];
        await using var server = await TestServer.StartAsync([.. backend.Asks("Publish"), ("Realtime:Hooks:OtherSecret", backend.Secrets[1])]);
        using var hub = await server.ConnectRawAsync();

        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = new { n = 1 }, id = "i1", entityId = "e" });

        var question = Assert.Single(backend.Questions);
        Assert.Equal("realtime.publish", question.GetProperty("type").GetString());
        Assert.Equal(
            """{"tenant":"default","user":"ada","topic":"room:a","request":{"event":"app:x","payload":{"n":1},"id":"i1","entityId":"e","v":1}}""",
            question.GetProperty("data").GetRawText());
    }

    [Fact]
    public async Task What_a_backend_rewrites_is_what_is_published_and_is_checked_like_anything_else()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answers("""{"result":"rewrite","request":{"event":"chat:message","payload":{"text":"clean"},"entityId":"m1"}}""");
        await using var server = await TestServer.StartAsync(backend.Asks("Publish"));
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });

        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = "dirty", id = "i1" });
        var read = Assert.Single(await hub.EventsAsync(1));
        backend.Answers("""{"result":"rewrite","request":{"event":"chat:message","payload":{"words":"not a message"}}}""");

        Assert.Equal(("chat:message", "i1", "m1"), (read.Event, read.Id, read.Data.EntityId));
        Assert.Equal("""{"text":"clean"}""", read.Data.Payload.GetRawText());
        Assert.Equal("payload_invalid", await CodeAsync(() => hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 })));
    }

    [Fact]
    public async Task What_a_backend_denies_is_refused_on_every_way_with_its_own_words()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answers("""{"result":"deny","code":"app_muted","reason":"You are muted\nfor an hour."}""");
        await using var server = await TestServer.StartAsync(backend.Asks("Publish"));
        using var hub = await server.ConnectRawAsync();
        using var http = server.Http();

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 }));
        using var answer = await http.PostAsJsonAsync("/topics/room:a/events", new { @event = "app:x", payload = 1 }, TestContext.Current.CancellationToken);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);

        Assert.Equal("app_muted", refused.Code);
        Assert.Equal((HttpStatusCode.Forbidden, "app_muted", "You are muted for an hour."), (answer.StatusCode, problem.GetProperty("code").GetString(), problem.GetProperty("detail").GetString()));
        Assert.Empty(await HistoryAsync(server));
    }

    [Fact]
    public async Task A_connections_events_keep_their_order_whatever_the_order_of_the_answers()
    {
        const int Count = 20;
        await using var backend = await HookBackend.StartAsync();
        var last = new TaskCompletionSource();
        backend.Answer = async question =>
        {
            // The first is answered when the last is.
            var n = question.GetProperty("data").GetProperty("request").GetProperty("payload").GetInt32();
            if (n == Count - 1)
                last.SetResult();
            if (n == 0)
                await last.Task;
            return (200, """{"result":"allow"}""");
        };
        await using var server = await TestServer.StartAsync(backend.Asks("Publish", ("Events:0", "app:*")));
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });

        for (var n = 0; n < Count; n++)
            await hub.SendAsync("Publish", new { topic = "room:a", @event = "app:x", payload = n });
        // Nobody is asked about this one, and it waits for its turn all the same.
        await hub.SendAsync("Publish", new { topic = "room:a", @event = "chat:message", payload = new { text = "last" } });

        var events = await hub.EventsAsync(Count + 1);
        Assert.Equal(Enumerable.Range(0, Count).Select(n => $"{n}").Append("""{"text":"last"}"""), events.Select(read => read.Data.Payload.GetRawText()));
    }

    [Fact]
    public async Task Behind_a_failure_that_may_pass_nothing_of_a_batch_is_published()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answer = question => Task.FromResult(
            (question.GetProperty("data").GetProperty("request").GetProperty("payload").GetInt32() == 1 ? 500 : 200, """{"result":"allow"}"""));
        await using var server = await TestServer.StartAsync(backend.Asks("Publish"));
        using var http = server.Http();

        using var answer = await http.PostAsJsonAsync(
            "/topics/room:a/events", Enumerable.Range(0, 4).Select(n => new { @event = "app:x", payload = n }), TestContext.Current.CancellationToken);
        var outcomes = await answer.Content.ReadFromJsonAsync<PublishOutcome[]>(TestContext.Current.CancellationToken);

        Assert.Equal([null, "hook_unavailable", "not_attempted", "not_attempted"], outcomes!.Select(outcome => outcome.Error?.Code));
        Assert.Equal(["0"], await HistoryAsync(server));
    }

    [Fact]
    public async Task Only_the_topics_and_events_that_are_named_are_asked_about()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answers("""{"result":"deny"}""");
        await using var server = await TestServer.StartAsync(backend.Asks("Publish", ("Topics:0", "room:watched-*"), ("Events:0", "app:x")));
        using var hub = await server.ConnectRawAsync();

        await hub.InvokeAsync("Publish", new { topic = "room:other", @event = "app:x", payload = 1 });
        await hub.InvokeAsync("Publish", new { topic = "room:watched-1", @event = "app:y", payload = 1 });
        // What the server itself publishes is its own decision.
        await server.Services.GetRequiredService<ITopicPublisher>().PublishAsync("room:watched-1", new PublishRequest { Event = "app:x", Payload = JsonElement.Parse("1") });

        Assert.Empty(backend.Questions);
        Assert.Equal("denied", await CodeAsync(() => hub.InvokeAsync("Publish", new { topic = "room:watched-1", @event = "app:x", payload = 1 })));
    }

    [Fact]
    public async Task Whoever_may_not_read_a_topic_reads_it_over_no_transport()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answer = question => Task.FromResult(
            (200, question.GetProperty("data").GetProperty("topic").GetString() == "room:closed" ? """{"result":"deny","reason":"Closed."}""" : """{"result":"allow"}"""));
        await using var server = await TestServer.StartAsync(backend.Asks("Subscribe"));
        using var hub = await server.ConnectRawAsync();
        using var http = server.Http();

        Assert.Equal("denied", await CodeAsync(() => hub.InvokeAsync("Subscribe", new { topic = "room:closed" })));
        Assert.Equal("denied", await CodeAsync(() => hub.InvokeAsync("History", new { topic = "room:closed" })));
        foreach (var path in (string[])["/topics/room:closed/events", "/topics/events?topic=room:closed", "/topics/stream?topic=room:closed"])
        {
            using var answer = await http.GetAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, answer.StatusCode));
        }

        await hub.InvokeAsync("Subscribe", new { topic = "room:open" });
        Assert.Equal(
            ["history", "subscribe"],
            backend.Questions.Where(question => question.GetProperty("data").GetProperty("topic").GetString() == "room:closed")
                .Select(question => question.GetProperty("data").GetProperty("operation").GetString()!).Distinct().Order());
        // The same user and topic were asked about once for each.
        Assert.Equal(3, backend.Questions.Count);
    }

    [Fact]
    public async Task A_backend_says_where_a_reader_starts()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answers("""{"result":"rewrite","request":{"rewind":{"count":2}}}""");
        await using var server = await TestServer.StartAsync(backend.Asks("Subscribe"));
        using var hub = await server.ConnectRawAsync();
        for (var n = 1; n <= 3; n++)
            await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = n });

        var reply = await hub.InvokeAsync<SubscribeReply>("Subscribe", new { topic = "room:a" });
        var back = await hub.InvokeAsync<SubscribeReply>("Subscribe", new { topic = "room:a", position = reply.Position });

        Assert.Equal([2L, 3L], reply.Events.Select(read => read.Offset!.Value));
        Assert.Equal((Recovery.Recovered, 0), (back.Recovery, back.Events.Count));
    }

    [Fact]
    public async Task A_backend_decides_who_comes_in_and_what_he_may()
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answer = question => Task.FromResult((200, question.GetProperty("data").GetProperty("user").GetString() switch
        {
            "eve" => """{"result":"deny","reason":"Not you."}""",
            "bob" => """{"result":"rewrite","request":{"grants":[{"topic":"room:his","operations":["subscribe"]}]}}""",
            _ => """{"result":"allow"}""",
        }));
        await using var server = await TestServer.StartAsync(backend.Asks("Connect"));
        using var bob = await server.ConnectRawAsync(TestServer.Token("bob"));
        using var eve = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", TestServer.Token("eve")) } };

        using var refused = await eve.GetAsync("/topics/room:his/events", TestContext.Current.CancellationToken);
        using var hub = await eve.GetAsync("/realtime", TestContext.Current.CancellationToken);
        await bob.InvokeAsync("Subscribe", new { topic = "room:his" });

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (refused.StatusCode, hub.StatusCode));
        Assert.Equal("forbidden", await CodeAsync(() => bob.InvokeAsync("Subscribe", new { topic = "room:other" })));
        Assert.Equal("forbidden", await CodeAsync(() => bob.InvokeAsync("Publish", new { topic = "room:his", @event = "app:x", payload = 1 })));
        var asked = backend.Questions.First(question => question.GetProperty("data").GetProperty("user").GetString() == "bob").GetProperty("data");
        Assert.Equal(("hub", "127.0.0.1"), (asked.GetProperty("transport").GetString(), asked.GetProperty("address").GetString()));
        // Each token was asked about once: what comes next with it has its answer already.
        Assert.Equal(2, backend.Questions.Count);
    }

    [Theory]
    [InlineData(500, """{"result":"allow"}""")]
    [InlineData(302, """{"result":"allow"}""")]
    [InlineData(200, "allow")]
    [InlineData(200, """{"result":"maybe"}""")]
    [InlineData(200, """{"result":"rewrite"}""")]
    [InlineData(200, """{"result":"rewrite","request":{"topic":"room:b"}}""")]
    [InlineData(200, """{"result":"rewrite","request":{"payload":{"deep":""")]
    public async Task What_is_no_answer_is_a_failure_and_the_policy_decides(int status, string json)
    {
        await using var backend = await HookBackend.StartAsync();
        backend.Answer = _ => Task.FromResult((status, json));
        await using var strict = await TestServer.StartAsync(backend.Asks("Publish"));
        await using var lenient = await TestServer.StartAsync(backend.Asks("Publish", ("OnFailure", "Allow")));
        using var refused = await strict.ConnectRawAsync();
        using var allowed = await lenient.ConnectRawAsync();

        Assert.Equal("hook_unavailable", await CodeAsync(() => refused.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 })));
        await allowed.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });

        Assert.Empty(await HistoryAsync(strict));
        Assert.Equal(["1"], await HistoryAsync(lenient));
    }

    [Fact]
    public async Task A_backend_that_does_not_answer_holds_nobody_up_for_long_and_is_left_alone_then()
    {
        await using var backend = await HookBackend.StartAsync();
        var never = new TaskCompletionSource<(int, string)>();
        backend.Answer = _ => never.Task;
        await using var server = await TestServer.StartAsync(backend.Asks("Publish", ("TimeoutMs", "50"), ("BreakSeconds", "300")));
        using var hub = await server.ConnectRawAsync();

        var waits = new List<int?>();
        for (var n = 0; n < 14; n++)
        {
            // In an array: its answer says when to come again, which that to a single one does not.
            var outcome = Assert.Single(await hub.InvokeAsync<PublishOutcome[]>("PublishBatch", new[] { new { topic = "room:a", @event = "app:x", payload = n } }));
            Assert.Equal("hook_unavailable", outcome.Error?.Code);
            waits.Add(outcome.Error?.RetryAfterMs);
        }

        // The backend is asked about the first ten; a question that is given up so soon need not have arrived.
        Assert.Equal(Enumerable.Range(0, 14).Select(n => n >= 10), waits.Select(wait => wait is not null));
        Assert.InRange(backend.Questions.Count, 0, 10);
        never.SetResult((200, """{"result":"allow"}"""));
    }

    [Fact]
    public async Task Middleware_in_the_process_stands_at_the_same_points()
    {
        var order = new List<string>();
        await using var server = await TestServer.StartWithAsync(realtime => realtime
            .UseConnect((context, next) => context.UserId == "eve" ? throw new RealtimeException(ErrorCode.Denied, "Not you.") : next())
            .UseSubscribe((context, next) => context.Topic == "room:closed" ? Task.CompletedTask : next())
            .UsePublish(async (context, next) =>
            {
                order.Add("first");
                await next();
                order.Add($"published at {context.Reply!.Position!.Value.Offset}");
            })
            .UsePublish((context, next) =>
            {
                order.Add("second");
                context.Request = context.Request with { EntityId = context.UserId, Topic = "room:elsewhere", Id = "another" };
                return next();
            }));
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });

        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1, id = "mine" });

        var read = Assert.Single(await hub.EventsAsync(1));
        Assert.Equal(("room:a", "mine", "ada"), (read.Topic, read.Id, read.Data.EntityId));
        Assert.Equal(["first", "second", "published at 1"], order);
        Assert.Equal("denied", await CodeAsync(() => hub.InvokeAsync("Subscribe", new { topic = "room:closed" })));
        using var eve = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", TestServer.Token("eve")) } };
        using var refused = await eve.GetAsync("/topics/room:a/events", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public async Task Middleware_that_goes_on_twice_publishes_once()
    {
        await using var server = await TestServer.StartWithAsync(realtime => realtime.UsePublish(async (_, next) =>
        {
            await next();
            await next();
        }));
        using var hub = await server.ConnectRawAsync();

        Assert.Equal("internal", await CodeAsync(() => hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 })));
        Assert.Equal(["1"], await HistoryAsync(server));
    }

    [Theory]
    [InlineData("Realtime:Hooks:Secret: a key of 32 bytes", "Publish:Url", "https://backend.example/hook")]
    [InlineData("Realtime:Hooks:Publish:Url: must be an https address", "Publish:Url", "http://backend.example/hook", "Secret", HookBackend.Secret)]
    [InlineData("Realtime:Hooks:Connect:Topics: somebody who comes in", "Connect:Topics:0", "room:*")]
    [InlineData("Realtime:Hooks:Publish:CacheSeconds: each event", "Publish:CacheSeconds", "5")]
    [InlineData("Realtime:Hooks:Publish:Topics: 'no' is no pattern", "Publish:Topics:0", "no")]
    [InlineData("Realtime:Hooks:Subscribe:TimeoutMs: ", "Subscribe:TimeoutMs", "10")]
    public async Task Settings_that_cannot_be_are_told_at_the_start(string sentence, params string[] settings)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(
            () => TestServer.StartAsync([.. settings.Chunk(2).Select(pair => ($"Realtime:Hooks:{pair[0]}", pair[1]))]));

        Assert.Contains(refused.Failures, failure => failure.StartsWith(sentence, StringComparison.Ordinal));
    }

    private static async Task<IEnumerable<string>> HistoryAsync(TestServer server)
    {
        var page = await server.Log.ReadAsync(
            new RealtimeAspire.Server.Pipeline.Topics.TopicKey("default", TopicName.Parse("room:a")),
            new RealtimeAspire.Server.Pipeline.TopicLogs.LogRange.After(0),
            100,
            TestContext.Current.CancellationToken);
        return page.Events.Select(logged => System.Text.Encoding.UTF8.GetString(logged.Payload));
    }

    private static async Task<string> CodeAsync(Func<Task> act)
    {
        try
        {
            await act();
            return "ok";
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }
}
