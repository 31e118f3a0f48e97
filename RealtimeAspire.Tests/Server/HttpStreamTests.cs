using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>Server-sent events through a real socket.</summary>
public sealed class HttpStreamTests : IAsyncLifetime
{
    private readonly InProcessBackplane _backplane = new();
    private HttpNode _node = null!;

    public async ValueTask InitializeAsync() => _node = await HttpNode.StartAsync(backplane: _backplane);

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task The_first_frame_tells_where_each_topic_starts_and_events_follow()
    {
        var tip = await PublishAsync("room:a", 3);

        using var stream = await _node.StreamAsync("topic=room:a&topic=room:b&rewind=2");
        var first = await stream.NextAsync();
        var past = await stream.EventsAsync(2);
        var reply = await _node.PublishAsync("room:b", "é");
        var live = await stream.NextAsync();

        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.MediaType);
        Assert.True(stream.Response.Headers.CacheControl?.NoStore);
        Assert.Equal(["no"], stream.Response.Headers.GetValues("X-Accel-Buffering"));
        Assert.InRange(int.Parse(first.Retry!, CultureInfo.InvariantCulture), 1, 10_000);
        Assert.Equal(("subscribed", $"0={tip.Epoch}:1,1=:0"), (first.Name, first.Id));
        Assert.Equal(
            $$"""{"topics":[{"topic":"room:a","position":{"epoch":"{{tip.Epoch}}","offset":1},"recovery":"none"},{"topic":"room:b","position":{"epoch":"","offset":0},"recovery":"none"}]}""",
            first.Data);
        Assert.Equal(["room:a/2", "room:a/3"], past);
        Assert.Equal(("", $"0={tip},1={reply.Position}"), (live.Name, live.Id));
        Assert.Equal("é", live.Json.GetProperty("data").GetProperty("payload").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reader_that_comes_back_continues_after_the_last_frame_that_it_read(bool byHeader)
    {
        await PublishAsync("room:a", 3);
        string id;
        using (var stream = await _node.StreamAsync("topic=room:a&topic=room:b&rewind=10"))
        {
            await stream.NextAsync();
            Assert.Equal(["room:a/1", "room:a/2"], await stream.EventsAsync(2));
            id = stream.LastId;
        }

        await PublishAsync("room:b", 2);
        await using var other = await HttpNode.StartAsync(_node.Node, _backplane);
        using var again = byHeader
            ? await other.StreamAsync("topic=room:a&topic=room:b&rewind=10&lastEventId=wrong", id)
            : await other.StreamAsync($"topic=room:a&topic=room:b&rewind=10&lastEventId={Uri.EscapeDataString(id)}");

        var first = await again.NextAsync();
        Assert.Equal(id, first.Id);
        Assert.Equal(["recovered", "recovered"], RecoveriesOf(first));
        Assert.Equal(["room:a/3", "room:b/1", "room:b/2"], await again.EventsAsync(3));
    }

    [Fact]
    public async Task A_stream_that_is_closed_before_it_begins_is_refused_with_the_reason()
    {
        var page = new TaskCompletionSource();
        await PublishAsync("room:a", 1);
        _node.Node.Log.Page = page.Task;
        var opening = _node.StreamAsync("topic=room:a&rewind=1");
        await Eventually.BecomesTrueAsync(() => _node.Node.Connections.Connections.Count == 1, "it does not open");

        _node.Node.Connections.Connections.Single().Close(ErrorCode.TokenRevoked);
        page.SetResult();
        using var stream = await opening;

        Assert.Equal(HttpStatusCode.Unauthorized, stream.Response.StatusCode);
        Assert.Contains("\"token_revoked\"", await stream.Response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_continued_is_told_for_each_topic()
    {
        var (gap, other, fine) = (await PublishAsync("room:gap", 5), await PublishAsync("room:other", 2), await PublishAsync("room:fine", 2));
        _node.Node.Log.RaiseFloor(Key("room:gap"), 4);

        using var stream = await _node.StreamAsync(
            $"topic=room:gap&after={gap.Epoch}:1&topic=room:other&after=nowhere:1&topic=room:fine&after={fine.Epoch}:1&topic=room:new");
        var first = await stream.NextAsync();

        Assert.Equal(["gap", "new_epoch", "recovered", "none"], RecoveriesOf(first));
        Assert.Equal($"0={gap},1={other},2={fine.Epoch}:1,3=:0", first.Id);
        Assert.Equal(["room:fine/2"], await stream.EventsAsync(1));
    }

    [Fact]
    public async Task A_long_past_comes_in_pages_while_other_topics_are_live()
    {
        await using var node = await HttpNode.StartAsync(options: new RealtimeOptions { Limits = new LimitOptions { HistoryEvents = 10 } });
        await PublishAsync("room:long", 95, node);
        using var stream = await node.StreamAsync("topic=room:long&after=:0&topic=room:live");
        await stream.NextAsync();

        var publishing = Task.WhenAll(PublishAsync("room:live", 40, node), PublishAsync("room:long", 40, node));
        var events = await stream.EventsAsync(40 + 95 + 40);
        await publishing;

        Assert.Equal(Offsets("room:long", 135), events.Where(sent => sent.StartsWith("room:long", StringComparison.Ordinal)));
        Assert.Equal(Offsets("room:live", 40), events.Where(sent => sent.StartsWith("room:live", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Long_pasts_of_many_topics_are_not_held_in_memory_together_and_still_come_whole()
    {
        string[] topics = [.. Enumerable.Range(0, 6).Select(i => $"room:{i}")];
        var text = new string('x', 60_000);
        foreach (var topic in topics)
        {
            await PublishAsync(topic, 8, text: text);
        }

        using var stream = await _node.StreamAsync(string.Join('&', topics.Select(topic => $"topic={topic}&after=:0")));
        var first = await stream.NextAsync();
        var publishing = Task.WhenAll(topics.Select(topic => PublishAsync(topic, 5)));
        var events = await stream.EventsAsync(6 * 13);
        await publishing;

        Assert.All(RecoveriesOf(first), recovery => Assert.Equal("recovered", recovery));
        Assert.All(topics, topic => Assert.Equal(Offsets(topic, 13), events.Where(sent => sent.StartsWith(topic, StringComparison.Ordinal))));
    }

    [Fact]
    public async Task After_a_reset_the_stream_goes_on_by_itself_and_says_from_where()
    {
        await PublishAsync("room:a", 3);
        using var stream = await _node.StreamAsync("topic=room:a&topic=room:b");
        await stream.NextAsync();

        _node.Node.Log.Forget(Key("room:a"));
        await PublishAsync("room:a", 1);
        var reset = await stream.NextAsync();
        var subscribed = await stream.NextAsync();
        var reply = await PublishAsync("room:a", 1);

        Assert.Equal(("control", "reset", "room:a"), (reset.Name, TypeOf(reset), reset.Json.GetProperty("topic").GetString()));
        Assert.Equal(("control", "subscribed", "room:a"), (subscribed.Name, TypeOf(subscribed), subscribed.Json.GetProperty("topic").GetString()));
        Assert.Equal($$"""{"epoch":"{{reply.Epoch}}","offset":1}""", subscribed.Json.GetProperty("position").GetRawText());
        Assert.Equal($"0={reply.Epoch}:1,1=:0", subscribed.Id);
        Assert.Equal(["room:a/2"], await stream.EventsAsync(1));
    }

    [Fact]
    public async Task A_payload_over_several_lines_is_one_event()
    {
        using var stream = await _node.StreamAsync("topic=room:a");
        await stream.NextAsync();

        using var body = new StringContent("{\"event\":\"app:x\",\"payload\":{\r\n\"a\":\r1,\n\"b\": 2}}", Encoding.UTF8, "application/json");
        using var published = await _node.Http.PostAsync("/topics/room:a/events", body, TestContext.Current.CancellationToken);

        var payload = (await stream.NextAsync()).Json.GetProperty("data").GetProperty("payload");
        Assert.Equal((1, 2), (payload.GetProperty("a").GetInt32(), payload.GetProperty("b").GetInt32()));
    }

    [Fact]
    public async Task An_ephemeral_event_leaves_the_position_as_it_is()
    {
        var tip = await PublishAsync("room:a", 1);
        using var stream = await _node.StreamAsync("topic=room:a");
        await stream.NextAsync();

        await _node.Node.PublishAsync("room:a", name: "typing");
        var typing = await stream.NextAsync();

        Assert.Equal(("typing", $"0={tip}"), (typing.Json.GetProperty("event").GetString(), typing.Id));
        Assert.False(typing.Json.TryGetProperty("offset", out _));
    }

    [Fact]
    public async Task A_quiet_stream_shows_that_it_is_alive()
    {
        await using var node = await HttpNode.StartAsync(time: new FastTime());
        using var stream = await node.StreamAsync("topic=room:a");
        await stream.NextAsync();

        Assert.Equal("", (await stream.ReadAsync())!.Comment);
        Assert.Equal("", (await stream.ReadAsync())!.Comment);
    }

    [Fact]
    public async Task A_node_that_leaves_says_so_ends_its_streams_and_takes_no_new_ones()
    {
        using var stream = await _node.StreamAsync("topic=room:a");
        await stream.NextAsync();

        var stopping = _node.Drain.StoppingAsync(TestContext.Current.CancellationToken);
        var draining = await stream.NextAsync();

        Assert.Equal(("control", "draining"), (draining.Name, TypeOf(draining)));
        Assert.Equal(draining.Json.GetProperty("retryAfterMs").GetInt32().ToString(CultureInfo.InvariantCulture), draining.Retry);
        Assert.Null(await stream.ReadAsync());
        await stopping;
        using var refused = await _node.StreamAsync("topic=room:a");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Response.StatusCode);
        Assert.Equal("1", Assert.Single(refused.Response.Headers.GetValues("Retry-After")));
        Assert.Empty(_node.Node.Connections.Connections);
    }

    [Fact]
    public async Task A_stream_ends_with_its_token_and_says_so()
    {
        await using var node = await HttpNode.StartAsync(lifetime: TimeSpan.FromSeconds(3) - BearerTokens.Grace);
        using var stream = await node.StreamAsync("topic=room:a");
        await stream.NextAsync();

        var end = await stream.NextAsync();

        Assert.Equal(("control", "expiring", "token_expired"), (end.Name, TypeOf(end), end.Json.GetProperty("code").GetString()));
        Assert.Null(await stream.ReadAsync());
    }

    [Fact]
    public async Task A_reader_that_goes_leaves_nothing_behind()
    {
        var stream = await _node.StreamAsync("topic=room:a&topic=room:b");
        await stream.NextAsync();
        Assert.Single(_node.Node.Connections.Connections);

        stream.Dispose();

        await Until.TrueAsync(() => _node.Node.Connections.IsEmpty);
    }

    [Fact]
    public async Task A_reader_that_is_too_slow_is_closed_and_misses_nothing_when_it_comes_back()
    {
        const int Count = 200;
        await using var node = await HttpNode.StartAsync(options: new RealtimeOptions { Limits = new LimitOptions { QueueBytes = 128 * 1024, PublishBurst = 10_000 } });
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 8 * 1024 };
        await socket.ConnectAsync(IPAddress.Loopback, node.Address.Port, TestContext.Current.CancellationToken);
        await socket.SendAsync(Encoding.ASCII.GetBytes("GET /topics/stream?topic=room:a HTTP/1.1\r\nHost: x\r\n\r\n"));
        await Until.TrueAsync(() => !node.Node.Connections.IsEmpty);
        // It reads the beginning, which says that it is live, and nothing after that.
        var begin = new byte[4 * 1024];
        var text = "";
        while (!text.Contains("subscribed", StringComparison.Ordinal))
        {
            text += Encoding.ASCII.GetString(begin, 0, await socket.ReceiveAsync(begin, TestContext.Current.CancellationToken));
        }

        await PublishAsync("room:a", Count, node, new string('x', 60_000));
        await Until.TrueAsync(() => node.Node.Connections.IsEmpty);

        using var again = await node.StreamAsync("topic=room:a", "0=:0");
        await again.NextAsync();
        Assert.Equal(Offsets("room:a", Count), await again.EventsAsync(Count));
    }

    [Fact]
    public async Task Readers_that_come_back_to_whichever_node_miss_nothing_and_see_nothing_twice()
    {
        const int Count = 300;
        await using var other = await HttpNode.StartAsync(_node.Node, _backplane);
        HttpNode[] nodes = [_node, other];
        string[] topics = ["room:a", "room:b", "room:c"];
        var publishing = Task.WhenAll(topics.Select(topic => PublishAsync(topic, Count)));
        var random = new Random(7);
        var (seen, id) = (new List<string>(), "0=:0,1=:0,2=:0");

        for (var turn = 0; seen.Count < topics.Length * Count; turn++)
        {
            using var stream = await nodes[turn % nodes.Length].StreamAsync("topic=room:a&topic=room:b&topic=room:c", id);
            await stream.NextAsync();
            seen.AddRange(await stream.EventsAsync(Math.Min(random.Next(1, 60), (topics.Length * Count) - seen.Count)));
            id = stream.LastId;
        }

        await publishing;
        Assert.All(topics, topic => Assert.Equal(Offsets(topic, Count), seen.Where(sent => sent.StartsWith(topic, StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("", "request_invalid")]
    [InlineData("topic=room", "topic_invalid")]
    [InlineData("topic=thing:a", "topic_type_unknown")]
    [InlineData("topic=room:a&topic=room:a", "request_invalid")]
    [InlineData("topic=room:a&after=:0&after=:0", "request_invalid")]
    [InlineData("topic=room:a&after=abc", "position_invalid")]
    [InlineData("topic=room:a&rewind=0", "request_invalid")]
    [InlineData("topic=room:a&lastEventId=0", "position_invalid")]
    [InlineData("topic=room:a&lastEventId=1%3D:0", "position_invalid")]
    [InlineData("topic=room:a&lastEventId=0%3D:0,0%3D:0", "position_invalid")]
    [InlineData("topic=room:a&topic=room:b&lastEventId=0%3D:0", "position_invalid")]
    [InlineData("topic=room:a&lastEventId=0%3D:0,1%3D:0", "position_invalid")]
    public async Task Whatever_is_wrong_with_a_stream_is_said_before_it_begins(string query, string code)
    {
        using var stream = await _node.StreamAsync(query);

        Assert.Equal(code, await CodeOfAsync(stream.Response));
        Assert.Equal(ErrorCode.Find(code).Status, (int)stream.Response.StatusCode);
        Assert.Empty(_node.Node.Connections.Connections);
    }

    [Fact]
    public async Task More_topics_than_a_stream_takes_are_refused()
    {
        using var most = await _node.StreamAsync(string.Join('&', Enumerable.Range(0, 50).Select(i => $"topic=room:{i}")));
        using var more = await _node.StreamAsync(string.Join('&', Enumerable.Range(0, 51).Select(i => $"topic=room:{i}")));

        Assert.Equal(50, (await most.NextAsync()).Json.GetProperty("topics").GetArrayLength());
        Assert.Equal("too_many_topics", await CodeOfAsync(more.Response));
    }

    [Fact]
    public async Task When_the_log_cannot_be_read_that_is_a_problem_like_any_other()
    {
        _node.Node.Log.IsDown = true;
        using var stream = await _node.StreamAsync("topic=room:a");

        Assert.Equal("log_unavailable", await CodeOfAsync(stream.Response));
    }

    [Fact]
    public async Task Without_its_body_a_stream_is_over_at_once()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, "/topics/stream?topic=room:a");
        using var response = await _node.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Empty(_node.Node.Connections.Connections);
    }

    [Fact]
    public async Task A_page_without_headers_of_its_own_sends_the_token_in_the_query_of_a_stream_only()
    {
        await using var server = await TestServer.StartAsync();
        using var anonymous = new HttpClient { BaseAddress = server.Address };

        using var stream = await anonymous.GetAsync(
            $"/topics/stream?topic=room:a&access_token={TestServer.Token()}", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        using var events = await anonymous.GetAsync($"/topics/room:a/events?access_token={TestServer.Token()}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
        Assert.Equal("token_required", await CodeOfAsync(events));
    }

    private static TopicKey Key(string topic) => new("default", TopicName.Parse(topic));

    private static IEnumerable<string> Offsets(string topic, int count) => Enumerable.Range(1, count).Select(offset => $"{topic}/{offset}");

    private static string[] RecoveriesOf(SseMessage first) =>
        [.. first.Json.GetProperty("topics").EnumerateArray().Select(topic => topic.GetProperty("recovery").GetString()!)];

    private static string? TypeOf(SseMessage control) => control.Json.GetProperty("type").GetString();

    private static async Task<string?> CodeOfAsync(HttpResponseMessage response)
    {
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return body.RootElement.GetProperty("code").GetString();
    }

    private async Task<Position> PublishAsync(string topic, int count, HttpNode? node = null, string text = "hi")
    {
        Position? last = null;
        for (var i = 0; i < count; i++)
        {
            last = (await (node ?? _node).PublishAsync(topic, text)).Position;
        }

        return last!.Value;
    }
}
