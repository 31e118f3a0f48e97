using System.Net;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>Long-poll through a real socket, over several topics and over one.</summary>
public sealed class HttpPollTests : IAsyncLifetime
{
    private readonly InProcessBackplane _backplane = new();
    private HttpNode _node = null!;

    public async ValueTask InitializeAsync() => _node = await HttpNode.StartAsync(backplane: _backplane);

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task What_is_there_is_answered_at_once_for_each_topic_in_order()
    {
        var (a, b) = (await PublishAsync("room:a", 3), await PublishAsync("room:b", 1));

        var reply = await _node.PollAsync($"topic=room:a&after={a.Epoch}:1&topic=room:b&after={b}&topic=room:new&wait=55");

        Assert.Equal([("room:a", $"{a}", "recovered", "2,3"), ("room:b", $"{b}", "recovered", ""), ("room:new", ":0", "none", "")], TopicsOf(reply));
        Assert.All(reply.GetProperty("topics").EnumerateArray(), topic => Assert.False(topic.GetProperty("more").GetBoolean()));
    }

    [Fact]
    public async Task A_poll_waits_for_the_next_event_of_any_topic()
    {
        var a = await PublishAsync("room:a", 1);

        var polling = _node.PollAsync($"topic=room:a&after={a}&topic=room:b&wait=55");
        await SubscribedAsync(2);
        Assert.False(polling.IsCompleted);
        var b = await PublishAsync("room:b", 1);

        Assert.Equal([("room:a", $"{a}", "recovered", ""), ("room:b", $"{b}", "none", "1")], TopicsOf(await polling));
        await Until.TrueAsync(() => _node.Node.Connections.IsEmpty);
    }

    [Fact]
    public async Task When_nothing_comes_the_positions_stay_what_they_were()
    {
        await using var node = await HttpNode.StartAsync(time: new FastTime());
        var a = (await node.PublishAsync("room:a")).Position;

        Assert.Equal([("room:a", $"{a}", "none", "")], TopicsOf(await node.PollAsync("topic=room:a&after=")));
        Assert.Equal([("room:a", $"{a}", "recovered", "")], TopicsOf(await node.PollAsync($"topic=room:a&after={a}&wait=25")));
    }

    [Fact]
    public async Task What_cannot_be_continued_is_told_at_once()
    {
        var (gap, other) = (await PublishAsync("room:gap", 5), await PublishAsync("room:other", 2));
        _node.Node.Log.RaiseFloor(new TopicKey("default", TopicName.Parse("room:gap")), 4);

        var reply = await _node.PollAsync($"topic=room:gap&after={gap.Epoch}:1&topic=room:other&after=nowhere:1&wait=55");

        Assert.Equal([("room:gap", $"{gap}", "gap", ""), ("room:other", $"{other}", "new_epoch", "")], TopicsOf(reply));
    }

    [Fact]
    public async Task Long_pasts_come_in_several_answers_none_of_them_large()
    {
        string[] topics = [.. Enumerable.Range(0, 4).Select(i => $"room:{i}")];
        foreach (var topic in topics)
        {
            await PublishAsync(topic, 12, new string('x', 60_000));
        }

        var seen = await ReadAsync([_node], topics, 12);

        Assert.All(topics, topic => Assert.Equal(Enumerable.Range(1, 12).Select(i => (long)i), seen[topic]));
    }

    [Fact]
    public async Task A_poll_after_the_other_on_whichever_node_misses_nothing_and_sees_nothing_twice()
    {
        const int Count = 300;
        string[] topics = ["room:a", "room:b", "room:c"];
        await using var other = await HttpNode.StartAsync(_node.Node, _backplane);

        var publishing = Task.WhenAll(topics.Select(topic => PublishAsync(topic, Count)));
        var seen = await ReadAsync([_node, other], topics, Count);
        await publishing;

        Assert.All(topics, topic => Assert.Equal(Enumerable.Range(1, Count).Select(i => (long)i), seen[topic]));
    }

    [Fact]
    public async Task Events_that_are_in_no_log_do_not_end_a_poll()
    {
        var polling = _node.PollAsync("topic=room:a&wait=55");
        await SubscribedAsync(1);
        await _node.Node.PublishAsync("room:a", name: "typing");
        var a = await PublishAsync("room:a", 1);

        Assert.Equal([("room:a", $"{a}", "none", "1")], TopicsOf(await polling));
    }

    [Fact]
    public async Task A_node_that_leaves_answers_its_polls_at_once_and_takes_no_new_ones()
    {
        var several = _node.PollAsync("topic=room:a&wait=55");
        var one = HistoryAsync("wait=55");
        await SubscribedAsync(2);

        await _node.Drain.StoppingAsync(TestContext.Current.CancellationToken);

        Assert.Equal([("room:a", ":0", "none", "")], TopicsOf(await several));
        Assert.Equal("", OffsetsOf(await one));
        using var refused = await _node.Http.GetAsync("/topics/events?topic=room:a&wait=1", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", Assert.Single(refused.Headers.GetValues("Retry-After")));
    }

    [Fact]
    public async Task Each_subscribe_has_an_outcome_of_its_own()
    {
        var a = await PublishAsync("room:a", 3);

        var outcomes = await PollEachAsync("""[{"topic":"room:a","rewind":{"count":2}},{"topic":"thing:a"},{"topic":"room:b"},null,{"topic":"room:a"}]""", 55);

        Assert.Equal(["room:a", "topic_type_unknown", "room:b", "request_invalid", "request_invalid"], outcomes.Select(NameOf));
        Assert.Equal(("2,3", $"{a}"), (OffsetsOf(outcomes[0].GetProperty("reply")), PositionOf(outcomes[0].GetProperty("reply"))));
        await Until.TrueAsync(() => _node.Node.Connections.IsEmpty);
    }

    [Fact]
    public async Task Subscribes_wait_for_the_next_event_of_any_of_them()
    {
        var a = await PublishAsync("room:a", 1);

        var polling = PollEachAsync($$"""[{"topic":"room:a","position":{ "epoch":"{{a.Epoch}}","offset":1 } },{"topic":"room:b"}]""", 55);
        await SubscribedAsync(2);
        await _node.Node.PublishAsync("room:b", name: "typing");
        Assert.False(polling.IsCompleted);
        var b = await PublishAsync("room:b", 1);

        Assert.Equal([("room:a", $"{a}"), ("room:b", $"{b}")], (await polling).Select(outcome => (NameOf(outcome), PositionOf(outcome.GetProperty("reply")))));
    }

    [Theory]
    [InlineData("[]", 0, "batch_empty")]
    [InlineData("{}", 0, "request_invalid")]
    [InlineData("""[{"topic":7}]""", 0, "request_invalid")]
    [InlineData("""[{"topic":"room:a"}]""", 56, "request_invalid")]
    public async Task Whatever_is_wrong_with_all_of_the_subscribes_is_said_with_a_code(string body, int wait, string code)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _node.Http.PostAsync($"/topics/poll?wait={wait}", content, TestContext.Current.CancellationToken);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal((code, 400), (problem.RootElement.GetProperty("code").GetString(), (int)response.StatusCode));
    }

    [Fact]
    public async Task A_caller_that_goes_leaves_nothing_behind()
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var polling = _node.Http.GetAsync("/topics/events?topic=room:a&wait=55", gone.Token);
        await SubscribedAsync(1);

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => polling);
        await Until.TrueAsync(() => _node.Node.Connections.IsEmpty);
    }

    [Fact]
    public async Task A_page_of_one_topic_waits_where_it_is_empty()
    {
        var first = HistoryAsync("wait=55");
        await SubscribedAsync(1);
        var one = await PublishAsync("room:a", 1);
        Assert.Equal(("1", "none", true), (OffsetsOf(await first), RecoveryOf(await first), CompleteOf(await first)));

        var next = HistoryAsync($"after={one}&wait=55");
        await SubscribedAsync(1);
        await PublishAsync("room:a", 1);

        Assert.Equal(("2", "recovered", true), (OffsetsOf(await next), RecoveryOf(await next), CompleteOf(await next)));
        Assert.Equal("1,2", OffsetsOf(await HistoryAsync("wait=55")));
        Assert.Equal(("1", false), (OffsetsOf(await HistoryAsync("wait=55&limit=1")), CompleteOf(await HistoryAsync("wait=55&limit=1"))));
    }

    [Fact]
    public async Task A_page_of_one_topic_is_told_of_a_new_epoch_while_it_waits()
    {
        var old = await PublishAsync("room:a", 1);
        var waiting = HistoryAsync($"after={old}&wait=55");
        await SubscribedAsync(1);

        _node.Node.Log.Forget(new TopicKey("default", TopicName.Parse("room:a")));
        var tip = await PublishAsync("room:a", 1);

        Assert.Equal("", OffsetsOf(await waiting));
        var next = await HistoryAsync($"after={old}&wait=55");
        Assert.Equal(("new_epoch", tip.Epoch), (RecoveryOf(next), next.GetProperty("position").GetProperty("epoch").GetString()));
    }

    [Theory]
    [InlineData("/topics/events", "request_invalid")]
    [InlineData("/topics/events?topic=room", "topic_invalid")]
    [InlineData("/topics/events?topic=thing:a", "topic_type_unknown")]
    [InlineData("/topics/events?topic=room:a&topic=room:a", "request_invalid")]
    [InlineData("/topics/events?topic=room:a&after=abc", "position_invalid")]
    [InlineData("/topics/events?topic=room:a&wait=56", "request_invalid")]
    [InlineData("/topics/events?topic=room:a&wait=-1", "request_invalid")]
    [InlineData("/topics/room:a/events?wait=56", "request_invalid")]
    [InlineData("/topics/room:a/events?before=:0&wait=1", "request_invalid")]
    public async Task Whatever_is_wrong_with_a_poll_is_said_with_a_code(string address, string code)
    {
        using var response = await _node.Http.GetAsync(address, TestContext.Current.CancellationToken);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal((code, ErrorCode.Find(code).Status), (body.RootElement.GetProperty("code").GetString(), (int)response.StatusCode));
        Assert.True(response.Headers.CacheControl?.NoStore);
    }

    [Fact]
    public async Task More_topics_than_a_connection_may_have_are_refused()
    {
        await using var node = await HttpNode.StartAsync(options: new RealtimeOptions { Limits = new LimitOptions { SubscriptionsPerConnection = 1 } });
        using var response = await node.Http.GetAsync("/topics/events?topic=room:a&topic=room:b", TestContext.Current.CancellationToken);

        Assert.Contains("too_many_subscriptions", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.True(node.Node.Connections.IsEmpty);
    }

    private async Task<JsonElement[]> PollEachAsync(string subscribes, int wait)
    {
        using var content = new StringContent(subscribes, Encoding.UTF8, "application/json");
        using var response = await _node.Http.PostAsync($"/topics/poll?wait={wait}", content, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MultiStatus, response.StatusCode);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return [.. body.RootElement.EnumerateArray().Select(outcome => outcome.Clone())];
    }

    private static string? NameOf(JsonElement outcome) =>
        (outcome.TryGetProperty("reply", out var reply) ? reply.GetProperty("topic") : outcome.GetProperty("error").GetProperty("code")).GetString();

    private Task SubscribedAsync(int topics) => Until.TrueAsync(() => _node.Node.Subscriptions == topics);

    private static (string?, string, string?, string)[] TopicsOf(JsonElement reply) =>
    [
        .. reply.GetProperty("topics").EnumerateArray().Select(topic =>
            (topic.GetProperty("topic").GetString(), PositionOf(topic), RecoveryOf(topic), OffsetsOf(topic))),
    ];

    private static string PositionOf(JsonElement topic) =>
        $"{topic.GetProperty("position").GetProperty("epoch").GetString()}:{topic.GetProperty("position").GetProperty("offset").GetInt64()}";

    private static string? RecoveryOf(JsonElement reply) => reply.GetProperty("recovery").GetString();

    private static bool CompleteOf(JsonElement page) => page.GetProperty("complete").GetBoolean();

    private static string OffsetsOf(JsonElement reply) =>
        string.Join(',', reply.GetProperty("events").EnumerateArray().Select(read => read.GetProperty("offset").GetInt64()));

    /// <summary>Polls, one node after the other, until so many events of each topic have come.</summary>
    private static async Task<Dictionary<string, List<long>>> ReadAsync(HttpNode[] nodes, string[] topics, int count)
    {
        var seen = topics.ToDictionary(topic => topic, _ => new List<long>(), StringComparer.Ordinal);
        var at = topics.ToDictionary(topic => topic, _ => ":0", StringComparer.Ordinal);
        for (var turn = 0; seen.Values.Any(offsets => offsets.Count < count); turn++)
        {
            var reply = await nodes[turn % nodes.Length].PollAsync($"{string.Join('&', topics.Select(topic => $"topic={topic}&after={at[topic]}"))}&wait=20");
            Assert.True(reply.GetRawText().Length < 3 * 1024 * 1024);
            foreach (var topic in reply.GetProperty("topics").EnumerateArray())
            {
                var name = topic.GetProperty("topic").GetString()!;
                Assert.Equal("recovered", RecoveryOf(topic));
                seen[name].AddRange(topic.GetProperty("events").EnumerateArray().Select(read => read.GetProperty("offset").GetInt64()));
                at[name] = PositionOf(topic);
            }
        }

        return seen;
    }

    private async Task<JsonElement> HistoryAsync(string query)
    {
        using var response = await _node.Http.GetAsync($"/topics/room:a/events?{query}", TestContext.Current.CancellationToken);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return body.RootElement.Clone();
    }

    private async Task<Position> PublishAsync(string topic, int count, string text = "hi")
    {
        Position? last = null;
        for (var i = 0; i < count; i++)
        {
            last = (await _node.PublishAsync(topic, text)).Position;
        }

        return last!.Value;
    }
}
