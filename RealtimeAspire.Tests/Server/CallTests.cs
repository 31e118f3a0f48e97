using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

/// <summary>Request and reply on one node, on the wire.</summary>
public sealed class CallTests
{
    private static readonly object Add = new { topic = "room:a", method = "add" };

    [Fact]
    public async Task A_call_is_asked_of_its_handler_who_is_told_by_whom_and_answered_to_the_caller()
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync(TestServer.Token("bob"));
        using var caller = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", Add);

        var answer = caller.InvokeAsync("Call", new { topic = "room:a", method = "add", payload = new[] { 1, 2 }, timeoutMs = 20_000 });
        var call = await handler.CallAsync();
        await handler.InvokeAsync("Reply", new { callId = call.CallId, payload = new { sum = 3 } });

        Assert.Equal("""{"sum":3}""", (await answer).GetRawText());
        Assert.Equal(("room:a", "add", "ada", 20_000, "[1,2]"), (call.Topic, call.Method, call.From, call.TimeoutMs, call.Payload.GetRawText()));
    }

    [Theory]
    [InlineData("""{"code":"app_sold_out","message":"All gone."}""", "app_sold_out", "All gone.")]
    [InlineData("""{"message":"All gone."}""", "call_failed", "All gone.")]
    [InlineData("\"All gone.\"", "call_failed", "All gone.")]
    [InlineData("{}", "call_failed", "Whoever was asked could not do it.")]
    public async Task What_a_handler_refuses_with_is_what_the_caller_is_told(string error, string code, string sentence)
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync();
        using var caller = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", Add);

        var answer = caller.InvokeAsync("Call", Add);
        var call = await handler.CallAsync();
        await handler.InvokeAsync("Reply", new { callId = call.CallId, error = JsonSerializer.Deserialize<JsonElement>(error) });

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => answer);
        Assert.Equal((code, sentence), (refused.Code, refused.Message));
    }

    [Fact]
    public async Task Those_who_handle_a_method_are_asked_in_turn_and_each_call_of_one()
    {
        await using var server = await TestServer.StartAsync();
        using var caller = await server.ConnectRawAsync();
        using var first = await server.ConnectRawAsync();
        using var second = await server.ConnectRawAsync();
        await first.InvokeAsync("Handle", Add);
        await second.InvokeAsync("Handle", Add);

        for (var i = 0; i < 4; i++)
        {
            await caller.SendAsync("Call", Add);
        }

        string[] asked = [(await first.CallAsync()).CallId, (await first.CallAsync()).CallId, (await second.CallAsync()).CallId, (await second.CallAsync()).CallId];
        Assert.Equal(4, asked.Distinct().Count());
    }

    [Fact]
    public async Task Only_who_was_asked_can_answer_and_only_once()
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync();
        using var stranger = await server.ConnectRawAsync();
        using var caller = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", Add);
        var answer = caller.InvokeAsync("Call", Add);
        var call = await handler.CallAsync();

        var other = await Assert.ThrowsAsync<RealtimeException>(() => stranger.InvokeAsync("Reply", new { callId = call.CallId, payload = "stolen" }));
        var tooLarge = await Assert.ThrowsAsync<RealtimeException>(() => handler.InvokeAsync("Reply", new { callId = call.CallId, payload = new string('x', 70_000) }));
        await handler.InvokeAsync("Reply", new { callId = call.CallId, payload = "mine" });
        var again = await Assert.ThrowsAsync<RealtimeException>(() => handler.InvokeAsync("Reply", new { callId = call.CallId, payload = "twice" }));

        Assert.Equal(("call_unknown", "payload_too_large", "call_unknown"), (other.Code, tooLarge.Code, again.Code));
        Assert.Equal("mine", (await answer).GetString());
    }

    [Fact]
    public async Task Whose_handler_goes_is_told_and_whose_handler_is_slow_waits_no_longer_than_was_said()
    {
        await using var server = await TestServer.StartAsync();
        using var caller = await server.ConnectRawAsync();
        var handler = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", Add);

        var slow = await Assert.ThrowsAsync<RealtimeException>(() => caller.InvokeAsync("Call", new { topic = "room:a", method = "add", timeoutMs = 50 }));
        var answer = caller.InvokeAsync("Call", new { topic = "room:a", method = "add", timeoutMs = 60_000 });
        await handler.CallAsync();
        await handler.CallAsync();
        handler.Dispose();
        var gone = await Assert.ThrowsAsync<RealtimeException>(() => answer);
        var nobody = await Assert.ThrowsAsync<RealtimeException>(() => caller.InvokeAsync("Call", Add));

        Assert.Equal(("call_timeout", "handler_gone", "no_handler"), (slow.Code, gone.Code, nobody.Code));
    }

    [Fact]
    public async Task Calls_that_nobody_answers_hold_up_no_publish()
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync();
        using var caller = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", Add);

        for (var i = 0; i < 40; i++)
        {
            await caller.SendAsync("Call", new { topic = "room:a", method = "add", timeoutMs = 60_000 });
        }

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => caller.InvokeAsync("Call", Add));
        await caller.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });

        Assert.Equal("overloaded", refused.Code);
    }

    [Fact]
    public async Task A_connection_handles_no_more_than_it_may()
    {
        await using var server = await TestServer.StartAsync(("Realtime:Limits:SubscriptionsPerConnection", "2"));
        using var handler = await server.ConnectRawAsync();
        await handler.InvokeAsync("Handle", new { topic = "room:a", method = "m1" });
        await handler.InvokeAsync("Handle", new { topic = "room:a", method = "m2" });
        await handler.InvokeAsync("Handle", new { topic = "room:a", method = "m2" });

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => handler.InvokeAsync("Handle", new { topic = "room:a", method = "m3" }));
        await handler.InvokeAsync("Unhandle", new { topic = "room:a", method = "m1" });
        await handler.InvokeAsync("Handle", new { topic = "room:a", method = "m3" });

        Assert.Equal("too_many_subscriptions", refused.Code);
    }

    [Fact]
    public async Task A_users_topic_is_handled_and_read_by_that_user_alone_and_may_be_called_by_others()
    {
        await using var server = await TestServer.StartAsync(("Realtime:TopicTypes:user:Publishers", "Servers"));
        using var ada = await server.ConnectRawAsync(TestServer.Token("ada"));
        using var bob = await server.ConnectRawAsync(TestServer.Token("bob"));
        var ring = new { topic = "user:bob", method = "ring" };

        var handling = await Assert.ThrowsAsync<RealtimeException>(() => ada.InvokeAsync("Handle", ring));
        var reading = await Assert.ThrowsAsync<RealtimeException>(() => ada.InvokeAsync("Subscribe", new { topic = "user:bob" }));
        var past = await Assert.ThrowsAsync<RealtimeException>(() => ada.InvokeAsync("History", new { topic = "user:bob" }));
        await bob.InvokeAsync("Subscribe", new { topic = "user:bob" });
        await bob.InvokeAsync("Handle", ring);
        var answer = ada.InvokeAsync("Call", ring);
        await bob.InvokeAsync("Reply", new { callId = (await bob.CallAsync()).CallId, payload = "yes" });

        Assert.Equal("yes", (await answer).GetString());
        Assert.Equal(("forbidden", "forbidden", "forbidden"), (handling.Code, reading.Code, past.Code));
    }

    [Fact]
    public async Task Callers_and_handlers_in_messagepack_and_in_json_understand_each_other()
    {
        await using var server = await TestServer.StartAsync();
        using var packed = await server.ConnectPackedAsync();
        using var json = await server.ConnectRawAsync();
        await packed.InvokeAsync("Handle", new { topic = "room:a", method = "packed" });
        await json.InvokeAsync("Handle", new { topic = "room:a", method = "json" });

        var fromJson = json.InvokeAsync("Call", new { topic = "room:a", method = "packed", payload = new { n = 1 } });
        var call = await packed.CallAsync();
        await packed.InvokeAsync("Reply", new { callId = call["callId"], payload = new object?[] { 1.5, null } });
        Assert.Equal("[1.5,null]", (await fromJson).GetRawText());
        Assert.Equal(1L, Convert.ToInt64(Assert.IsType<Dictionary<string, object?>>(call["payload"])["n"], System.Globalization.CultureInfo.InvariantCulture));

        var fromPacked = packed.InvokeAsync("Call", new { topic = "room:a", method = "json", payload = "hi" });
        var other = await json.CallAsync();
        await json.InvokeAsync("Reply", new { callId = other.CallId, payload = other.Payload });
        Assert.Equal("hi", await fromPacked);
    }

    [Fact]
    public async Task A_call_over_http_is_answered_with_what_the_handler_said()
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync();
        using var http = server.Http();
        await handler.InvokeAsync("Handle", Add);

        var answer = http.PostAsJsonAsync("/topics/room%3Aa/calls/add", new[] { 1, 2 }, TestContext.Current.CancellationToken);
        var call = await handler.CallAsync();
        await handler.InvokeAsync("Reply", new { callId = call.CallId, payload = 3 });
        using var answered = await answer;

        var refusing = http.PostAsJsonAsync("/topics/room%3Aa/calls/add?timeoutMs=20000", 1, TestContext.Current.CancellationToken);
        await handler.InvokeAsync("Reply", new { callId = (await handler.CallAsync()).CallId, error = new { code = "app_no", message = "No." } });
        using var refused = await refusing;
        using var nobody = await http.PostAsJsonAsync("/topics/room%3Aa/calls/other", 1, TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.OK, "3"), (answered.StatusCode, await answered.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "app_no"), (refused.StatusCode, await CodeOf(refused)));
        Assert.Equal((HttpStatusCode.NotFound, "no_handler"), (nobody.StatusCode, await CodeOf(nobody)));
    }

    [Fact]
    public async Task A_user_has_so_many_calls_under_way_over_http_and_others_have_their_own()
    {
        await using var server = await TestServer.StartAsync();
        using var handler = await server.ConnectRawAsync();
        using var http = server.Http();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await handler.InvokeAsync("Handle", Add);

        var calls = Enumerable.Range(0, 257).Select(_ => http.PostAsJsonAsync("/topics/room%3Aa/calls/add?timeoutMs=60000", 1, leaving.Token)).ToList();
        using var refused = await await Task.WhenAny(calls);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "overloaded"), (refused.StatusCode, await CodeOf(refused)));
        Assert.Equal(256, calls.Count(call => !call.IsCompleted));

        using var bob = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", TestServer.Token("bob")) } };
        using var nobody = await bob.PostAsJsonAsync("/topics/room%3Aa/calls/other", 1, TestContext.Current.CancellationToken);
        Assert.Equal("no_handler", await CodeOf(nobody));

        // Whoever waits no longer gives his place to the next.
        await leaving.CancelAsync();
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                using var next = await http.PostAsJsonAsync("/topics/room%3Aa/calls/other", 1, TestContext.Current.CancellationToken);
                return await CodeOf(next) == "no_handler";
            },
            "his places are not free");
    }

    private static async Task<string?> CodeOf(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("code").GetString();
}
