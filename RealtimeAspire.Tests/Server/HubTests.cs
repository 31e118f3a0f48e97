using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

public sealed class HubOverSocketsTests() : HubTests("Direct");

public sealed class HubOverPipesTests() : HubTests("Pipe");

public sealed class HubOverStandardTests() : HubTests("Standard");

/// <summary>The hub through a real socket, whatever is under it.</summary>
public abstract class HubTests(string sockets)
{
    private const int Completion = 3;
    private const int Close = 7;

    [Theory]
    [InlineData("Publish", """[{"topic":"room:a","event":"app:x","payload":1,"v":"two"}]""", "request_invalid")]
    [InlineData("Publish", """[{"topic":"room:a","event":7,"payload":1}]""", "request_invalid")]
    [InlineData("Publish", """[{"topic":"room:a","event":"app:\ud800","payload":1}]""", "request_invalid")]
    [InlineData("Publish", """[{"topic":"room:a","event":"app:x"}]""", "payload_invalid")]
    [InlineData("Publish", """[{"topic":"room a","event":"app:x","payload":1}]""", "topic_invalid")]
    [InlineData("Publish", """[{"event":"app:x","payload":1}]""", "topic_invalid")]
    [InlineData("Publish", """["room:a"]""", "request_invalid")]
    [InlineData("Publish", """[null]""", "request_invalid")]
    [InlineData("Publish", """[]""", "request_invalid")]
    [InlineData("Publish", """[{},{}]""", "request_invalid")]
    [InlineData("Subscribe", """[{"topic":["room:a"]}]""", "request_invalid")]
    [InlineData("Subscribe", """[{"topic":"room:a","position":{"epoch":"e","offset":"x"}}]""", "request_invalid")]
    [InlineData("Subscribe", """[{"topic":"room:a","position":"e:1"}]""", "request_invalid")]
    [InlineData("Subscribe", """[{"topic":"room:a","rewind":{"since":"yesterday"}}]""", "request_invalid")]
    [InlineData("Subscribe", """[null]""", "request_invalid")]
    [InlineData("Unsubscribe", """[{}]""", "request_invalid")]
    [InlineData("Unsubscribe", """[null]""", "topic_invalid")]
    [InlineData("Call", """[{"topic":"room:a","method":"a method"}]""", "method_invalid")]
    [InlineData("Call", """[{"topic":"room a","method":"add"}]""", "topic_invalid")]
    [InlineData("Call", """[{"topic":"room:a","method":"add","timeoutMs":0}]""", "request_invalid")]
    [InlineData("Call", """[{"topic":"room:a","method":"add","timeoutMs":60001}]""", "request_invalid")]
    [InlineData("Call", """[{"topic":"room:a","method":"add"}]""", "no_handler")]
    [InlineData("Handle", """[{"topic":"room:a"}]""", "method_invalid")]
    [InlineData("Handle", """[{"topic":"room:a","method":7}]""", "request_invalid")]
    [InlineData("Unhandle", """[null]""", "request_invalid")]
    [InlineData("Reply", """[{"callId":"nobody's","payload":1}]""", "call_unknown")]
    [InlineData("Reply", """[{"payload":1}]""", "call_unknown")]
    [InlineData("Reply", """[{"callId":"a","error":7}]""", "request_invalid")]
    [InlineData("Reply", """[{"callId":"a","error":{"code":"token_invalid","message":"x"}}]""", "request_invalid")]
    [InlineData("Reply", """[{"callId":"a","error":{"code":"app_","message":"x"}}]""", "request_invalid")]
    [InlineData("Reply", """[{"callId":"a","error":{"message":7}}]""", "request_invalid")]
    [InlineData("Receipts", """[[]]""", "batch_empty")]
    [InlineData("Receipts", """[[null]]""", "request_invalid")]
    [InlineData("Receipts", """[[{"topic":"room:a","timestamp":"2020-01-01T00:00:00Z","delayMs":1}]]""", "request_invalid")]
    [InlineData("Receipts", """[[{"topic":"room:a","timestamp":"now","delayMs":1}]]""", "request_invalid")]
    [InlineData("Nothing", """[]""", "request_invalid")]
    [InlineData("OnConnectedAsync", """[]""", "request_invalid")]
    public async Task Whatever_is_wrong_with_a_call_is_said_with_a_code_and_the_connection_lives(string method, string arguments, string code)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        // SignalR reads the parts of a message in any order.
        await hub.SendAsync($$"""{"type":1,"invocationId":"1","target":"{{method}}","arguments":{{arguments}}}""");
        await hub.SendAsync($$"""{"type":1,"arguments":{{arguments}},"target":"{{method}}","invocationId":"2"}""");

        Assert.Equal(("1", code), CodeOf(await hub.ReadAsync(Completion)));
        Assert.Equal(("2", code), CodeOf(await hub.ReadAsync(Completion)));
    }

    [Fact]
    public async Task A_stream_that_nobody_offers_is_refused_with_a_code()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        await hub.SendAsync("""{"type":4,"invocationId":"1","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":1}]}""");

        Assert.Equal(("1", "request_invalid"), CodeOf(await hub.ReadAsync(Completion)));
    }

    [Theory]
    [InlineData(33, "payload_invalid")]
    [InlineData(70, "request_invalid")]
    [InlineData(30_000, "request_invalid")]
    public async Task A_payload_that_would_break_its_readers_is_refused_and_the_connection_lives(int depth, string code)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();
        var payload = new string('[', depth) + new string(']', depth);

        await hub.SendAsync($$"""{"type":1,"invocationId":"1","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":{{payload}}}]}""");

        Assert.Equal(("1", code), CodeOf(await hub.ReadAsync(Completion)));
    }

    [Fact]
    public async Task The_deepest_payload_that_is_taken_reaches_a_reader()
    {
        await using var server = await StartAsync();
        await using var client = await server.ConnectAsync();
        await using var room = await client.SubscribeAsync("room:a", cancellationToken: TestContext.Current.CancellationToken);
        var payload = JsonElement.Parse(new string('[', 32) + new string(']', 32));

        await client.PublishAsync("room:a", "app:x", payload, cancellationToken: TestContext.Current.CancellationToken);

        await using var events = room.GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal(payload.GetRawText(), events.Current.Data.Payload.GetRawText());
    }

    [Fact]
    public async Task A_payload_over_its_limit_is_refused_and_the_largest_is_taken()
    {
        await using var server = await StartAsync();
        await using var client = await server.ConnectAsync();

        await client.PublishAsync("room:a", "app:x", new string('x', (64 * 1024) - 2), cancellationToken: TestContext.Current.CancellationToken);
        var refused = await Assert.ThrowsAsync<RealtimeException>(() => client.PublishAsync("room:a", "app:x", new string('x', 100 * 1024)));

        Assert.Equal(ErrorCode.PayloadTooLarge, refused.Error);
    }

    [Theory]
    [InlineData(145 * 1024, "payload_too_large")]
    [InlineData(1024 * 1024, "payload_too_large")]
    public async Task A_message_too_long_to_be_read_ends_the_connection_with_a_code(int length, string code)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        try
        {
            await hub.SendAsync($$"""{"type":1,"invocationId":"1","target":"Publish","arguments":["{{new string('x', length)}}"]}""");
        }
        catch (System.Net.WebSockets.WebSocketException)
        {
            // The server may have hung up before all was sent.
        }

        var close = await hub.ReadAsync(Close);
        Assert.StartsWith($"{code}: ", close!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.False(close.Value.TryGetProperty("allowReconnect", out var again) && again.GetBoolean());
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("[]")]
    [InlineData("{\"type\":\"one\"}")]
    [InlineData("{\"type\":1,\"invocationId\":\"1\",\"target\":\"Publish\",\"arguments\":[{]}")]
    public async Task What_is_no_message_ends_the_connection_with_a_code(string message)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        await hub.SendAsync(message);

        Assert.StartsWith("request_invalid: ", (await hub.ReadAsync(Close))!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_of_a_type_of_tomorrow_is_ignored()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        await hub.SendAsync("""{"type":99}""");
        await hub.SendAsync("""{"type":1,"invocationId":"1","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":1}]}""");

        Assert.True((await hub.ReadAsync(Completion))!.Value.TryGetProperty("result", out _));
    }

    [Fact]
    public async Task A_connection_s_publishes_are_appended_in_the_order_in_which_it_sent_them()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync();

        for (var i = 1; i <= 500; i++)
        {
            await hub.SendAsync($$"""{"type":1,"invocationId":"{{i}}","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":{{i}},"id":"{{i}}"}]}""");
        }

        for (var i = 1; i <= 500; i++)
        {
            var reply = (await hub.ReadAsync(Completion))!.Value;
            Assert.Equal(reply.GetProperty("invocationId").GetString(), $"{reply.GetProperty("result").GetProperty("position").GetProperty("offset").GetInt64()}");
        }
    }

    [Fact]
    public async Task A_reader_that_stops_reading_is_closed_and_comes_back_to_recover()
    {
        await using var server = await StartAsync(("Realtime:Limits:QueueBytes", "131072"));
        using var slow = await server.ConnectRawAsync();
        await slow.SendAsync("""{"type":1,"invocationId":"1","target":"Subscribe","arguments":[{"topic":"room:a"}]}""");
        await slow.ReadAsync(Completion);
        await using var publisher = await server.ConnectAsync();

        // It reads nothing while this is published: the buffers of both ends of the socket fill first, then the queue.
        for (var i = 0; i < 400; i++)
        {
            await publisher.PublishAsync("room:a", "app:x", new string('x', 60_000), cancellationToken: TestContext.Current.CancellationToken);
        }

        var events = 0;
        JsonElement? close = null;
        while (close is null && await slow.ReadAsync(1, Close) is { } message)
        {
            events += message.GetProperty("type").GetInt32() == 1 ? 1 : 0;
            close = message.GetProperty("type").GetInt32() == Close ? message : null;
        }

        // Either it was told why, or the socket was so full that only hanging up was left.
        Assert.True(events < 400);
        if (close is { } said)
        {
            Assert.StartsWith("slow_consumer: ", said.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.True(said.GetProperty("allowReconnect").GetBoolean());
        }
    }

    [Fact]
    public async Task When_its_token_expires_a_connection_is_closed_with_a_code()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync(TestServer.Token(lifetime: TimeSpan.FromSeconds(-19)));

        var close = (await hub.ReadAsync(Close))!.Value;

        Assert.StartsWith("token_expired: ", close.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.True(close.GetProperty("allowReconnect").GetBoolean());
    }

    [Fact]
    public async Task A_living_connection_takes_a_new_token_of_the_same_user_and_no_other()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectRawAsync(TestServer.Token(lifetime: TimeSpan.FromSeconds(-15)));

        var refused = new List<string>();
        foreach (var token in new[] { "no.token.atall", TestServer.Token("bob"), TestServer.Token(lifetime: TimeSpan.FromHours(-1)) })
        {
            await RefreshAsync(token);
            refused.Add(CodeOf(await hub.ReadAsync(Completion)).Code);
        }

        await RefreshAsync(TestServer.Token());
        var completion = (await hub.ReadAsync(Completion))!.Value;

        Assert.Equal(["token_invalid", "token_subject_mismatch", "token_invalid"], refused);
        Assert.InRange(completion.GetProperty("result").GetProperty("expiresAt").GetDateTimeOffset(), TimeProvider.System.GetUtcNow().AddMinutes(59), TimeProvider.System.GetUtcNow().AddMinutes(60));

        Task RefreshAsync(string token) => hub.SendAsync($$"""{"type":1,"invocationId":"1","target":"Refresh","arguments":["{{token}}"]}""");
    }

    [Fact]
    public async Task The_client_comes_back_with_a_new_token_and_misses_nothing()
    {
        await using var server = await StartAsync();
        var asked = 0;
        await using var client = await server.ConnectAsync(() => TestServer.Token(lifetime: asked++ == 0 ? TimeSpan.FromSeconds(-19) : null));
        await using var room = await client.SubscribeAsync("room:a", cancellationToken: TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => asked > 1);

        using var http = server.Http();
        using var published = await http.PostAsync("/topics/room:a/events", new StringContent("""{"event":"app:x","payload":1}""", System.Text.Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

        await using var events = room.GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal(1, events.Current.Offset);
    }

    private static (string? Id, string Code) CodeOf(JsonElement? completion)
    {
        var error = completion!.Value.GetProperty("error").GetString()!;
        const string Marker = "HubException: ";
        var start = error.IndexOf(Marker, StringComparison.Ordinal);
        Assert.True(start >= 0, error);
        return (completion.Value.GetProperty("invocationId").GetString(), error[(start + Marker.Length)..].Split(": ")[0]);
    }

    private Task<TestServer> StartAsync(params (string Key, string Value)[] settings) =>
        TestServer.StartAsync([("Realtime:Connections:Sockets", sockets), .. settings]);
}
