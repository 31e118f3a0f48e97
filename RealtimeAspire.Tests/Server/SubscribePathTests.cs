using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class SubscribePathTests : IAsyncLifetime
{
    private const string Room = "room:a";

    private static readonly TopicKey Key = new("default", TopicName.Parse(Room));

    private readonly TestNode _node = new();
    private readonly RecordingTransport _transport = new();

    public async ValueTask InitializeAsync() => await _node.StartAsync();

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task Without_a_position_only_what_comes_after_is_delivered()
    {
        await PublishAsync(3);

        var answer = await _node.SubscribeAsync(_node.Connect(_transport), Room);
        await PublishAsync(2);

        Assert.Equal((Recovery.None, 3), (answer.Recovery, answer.Position.Offset));
        Assert.Empty(answer.Events);
        await DeliveredAsync(4, 5);
    }

    [Fact]
    public async Task From_a_position_the_reply_has_the_missed_events_and_the_rest_follows()
    {
        var second = (await PublishAsync(2)).Position;
        await PublishAsync(3);

        var answer = await _node.SubscribeAsync(_node.Connect(_transport), Room, second);
        await PublishAsync(1);

        Assert.Equal(Recovery.Recovered, answer.Recovery);
        Assert.Equal([3, 4, 5], OffsetsOf(answer));
        await DeliveredAsync(6);
    }

    [Fact]
    public async Task From_the_origin_every_event_there_was_and_will_be_comes()
    {
        var empty = await _node.SubscribeAsync(_node.Connect(_transport), Room, Position.Origin);
        await PublishAsync(2);

        Assert.Equal((Recovery.Recovered, Position.Origin), (empty.Recovery, empty.Position));
        await DeliveredAsync(1, 2);
        var late = await _node.SubscribeAsync(_node.Connect(new RecordingTransport()), Room, Position.Origin);
        Assert.Equal([1, 2], OffsetsOf(late));
    }

    [Fact]
    public async Task Where_the_log_has_nothing_that_the_feed_has_not_no_page_of_it_is_read()
    {
        var witness = new RecordingTransport();
        await _node.SubscribeAsync(_node.Connect(witness), Room);
        var tip = (await PublishAsync(2)).Position!.Value;
        await Until.TrueAsync(() => witness.Offsets.Count == 2);

        var reader = await _node.SubscribeAsync(_node.Connect(_transport), Room);
        var returned = await _node.SubscribeAsync(_node.Connect(new RecordingTransport()), Room, new Position(tip.Epoch, 1));

        Assert.Equal(tip, reader.Position);
        Assert.Equal([2], OffsetsOf(returned));
        Assert.Equal(0, _node.Log.Reads);
    }

    [Fact]
    public async Task A_position_of_another_epoch_or_ahead_of_the_tip_is_a_new_epoch_without_events()
    {
        var tip = (await PublishAsync(3)).Position!.Value;
        var connection = _node.Connect(_transport);

        var foreign = await _node.SubscribeAsync(connection, Room, new Position("other", 1));
        var ahead = await _node.SubscribeAsync(connection, Room, new Position(tip.Epoch, 4));

        Assert.All([foreign, ahead], answer => Assert.Equal((Recovery.NewEpoch, tip, 0), (answer.Recovery, answer.Position, answer.Events.Count)));
    }

    // What the feed had fanned out while the log was read was given with the news that other events were missing.
    [Fact]
    public async Task Never_a_part_of_what_was_missed_comes_with_a_new_epoch_however_busy_the_topic_is()
    {
        await PublishAsync(3);
        var witness = new RecordingTransport();
        await _node.SubscribeAsync(_node.Connect(witness), Room);
        var reads = _node.Log.Reads;
        var page = new TaskCompletionSource();
        _node.Log.Page = page.Task;
        var subscribing = _node.SubscribeAsync(_node.Connect(_transport), Room, new Position("other", 1));
        await Until.TrueAsync(() => _node.Log.Reads > reads);

        await PublishAsync(2);
        await Until.TrueAsync(() => witness.Offsets.Count == 2);
        page.SetResult();
        var answer = await subscribing;
        await PublishAsync(1);

        Assert.Equal((Recovery.NewEpoch, 0, 5), (answer.Recovery, answer.Events.Count, answer.Position.Offset));
        await DeliveredAsync(6);
    }

    [Fact]
    public async Task A_position_below_what_is_kept_is_a_gap_without_events_and_live_from_the_tip()
    {
        var tip = (await PublishAsync(5)).Position!.Value;
        _node.Log.RaiseFloor(Key, 4);

        var gap = await _node.SubscribeAsync(_node.Connect(_transport), Room, new Position(tip.Epoch, 2));
        var edge = await _node.SubscribeAsync(_node.Connect(new RecordingTransport()), Room, new Position(tip.Epoch, 3));
        await PublishAsync(1);

        Assert.Equal((Recovery.Gap, tip, 0), (gap.Recovery, gap.Position, gap.Events.Count));
        Assert.Equal([4, 5], OffsetsOf(edge));
        await DeliveredAsync(6);
    }

    [Fact]
    public async Task A_rewind_brings_the_newest_events_or_those_since_a_time()
    {
        var first = await PublishAsync(4);
        var connection = _node.Connect(_transport);

        var two = await _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 2 });

        Assert.Equal([3, 4], OffsetsOf(two));
        Assert.Equal(4, OffsetsOf(await _node.SubscribeAsync(connection, Room, rewind: new Rewind { Since = first.Timestamp.AddMinutes(-1) })).Length);
        Assert.Equal(4, OffsetsOf(await _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 2_000_000_000 })).Length);
    }

    [Fact]
    public async Task A_long_recovery_comes_in_pages_and_is_live_after_the_last()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { HistoryEvents = 10 } });
        await PublishAsync(25, node);
        var connection = node.Connect(_transport);
        var at = Position.Origin;
        var offsets = new List<long>();
        var more = new List<bool>();

        do
        {
            var page = await node.SubscribeAsync(connection, Room, at);
            offsets.AddRange(OffsetsOf(page));
            more.Add(page.More);
            at = page.Position;
        }
        while (more[^1]);

        await PublishAsync(1, node);
        Assert.Equal([true, true, false], more);
        Assert.Equal(Enumerable.Range(1, 25).Select(i => (long)i), offsets);
        await DeliveredAsync(26);
    }

    [Fact]
    public async Task Nobody_who_joins_while_events_are_published_misses_one_or_has_one_twice()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { PublishBurst = 10_000_000 } });
        // What overflows a feed's queue is found at the log's tip.
        await node.StartAsync();
        using var stop = new CancellationTokenSource();
        var publishing = Task.Run(
            async () =>
            {
                // Not more than fifty readers can take in within the patience of the test.
                for (var i = 0; i < 20_000 && !stop.IsCancellationRequested; i++)
                {
                    await node.PublishAsync(Room);
                }
            },
            TestContext.Current.CancellationToken);

        var joins = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            var transport = new RecordingTransport();
            var answer = await node.SubscribeAsync(node.Connect(transport), Room, rewind: new Rewind { Count = 5 });
            return (answer, transport);
        }));
        await stop.CancelAsync();
        await publishing;
        var tip = (await node.PublishAsync(Room)).Position!.Value.Offset;

        foreach (var (answer, transport) in joins)
        {
            await Until.TrueAsync(() => transport.Offsets.LastOrDefault() == tip);
            var seen = OffsetsOf(answer).Concat(transport.Offsets).ToList();
            Assert.Equal(Enumerable.Range(0, seen.Count).Select(i => seen[0] + i), seen);
        }
    }

    [Fact]
    public async Task What_the_backplane_loses_comes_from_the_log()
    {
        await using var publisher = new TestNode(_node.Log, new LosingBackplane());
        await using var subscriber = new TestNode(_node.Log, new LosingBackplane());
        await subscriber.StartAsync();
        await subscriber.SubscribeAsync(subscriber.Connect(_transport), Room);

        await PublishAsync(3, publisher);

        await DeliveredAsync(1, 2, 3);
    }

    [Fact]
    public async Task An_event_published_on_one_node_arrives_on_the_other()
    {
        var backplane = new InProcessBackplane();
        await using var a = new TestNode(_node.Log, backplane);
        await using var b = new TestNode(_node.Log, new InProcessBackplane(backplane));
        await a.SubscribeAsync(a.Connect(_transport), Room);

        await PublishAsync(2, b);

        await DeliveredAsync(1, 2);
    }

    [Fact]
    public async Task A_log_that_starts_again_resets_its_subscribers()
    {
        await PublishAsync(3);
        await _node.SubscribeAsync(_node.Connect(_transport), Room);

        _node.Log.Forget(Key);
        await PublishAsync(1);

        await Until.TrueAsync(() => !_transport.Controls.IsEmpty);
        Assert.Equal((Control.Reset, Room), (_transport.Controls.First().Type, _transport.Controls.First().Topic));
        Assert.Empty(_transport.Offsets);
    }

    [Fact]
    public async Task Subscribing_again_replaces_and_unsubscribing_ends()
    {
        var connection = _node.Connect(_transport);
        await _node.SubscribeAsync(connection, Room);
        await _node.SubscribeAsync(connection, Room);
        await PublishAsync(1);
        await DeliveredAsync(1);

        connection.Remove(Key);
        await PublishAsync(1);
        var again = await _node.SubscribeAsync(connection, Room);
        await PublishAsync(1);

        Assert.Equal(2, again.Position.Offset);
        await DeliveredAsync(1, 3);
    }

    // An unsubscribe, or another subscribe, overtook the first one while it read the log: the topic stayed subscribed.
    [Fact]
    public async Task Who_leaves_before_the_reply_has_left()
    {
        var connection = _node.Connect(_transport);
        var page = new TaskCompletionSource();
        await PublishAsync(1);
        _node.Log.Page = page.Task;
        var subscribing = _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 1 });
        await Until.TrueAsync(() => _node.Log.Reads == 1);

        connection.Remove(Key);
        page.SetResult();
        await subscribing;
        var witness = new RecordingTransport();
        await _node.SubscribeAsync(_node.Connect(witness), Room);
        await PublishAsync(3);
        await Until.TrueAsync(() => witness.Offsets.Count == 3);
        await _node.SubscribeAsync(connection, Room);
        await PublishAsync(1);

        await DeliveredAsync(5);
    }

    [Fact]
    public async Task Of_two_subscribes_at_once_the_later_one_is_live_and_both_are_answered()
    {
        var connection = _node.Connect(_transport);
        var page = new TaskCompletionSource();
        await PublishAsync(1);
        _node.Log.Page = page.Task;
        var first = _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 1 });
        await Until.TrueAsync(() => _node.Log.Reads == 1);
        var second = _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 5 });
        page.SetResult();
        await Task.WhenAll(first, second);

        await PublishAsync(2);

        await DeliveredAsync(2, 3);
        Assert.Equal(2, _node.Log.Reads);
    }

    [Fact]
    public async Task A_subscribe_that_fails_leaves_a_live_subscription_as_it_was()
    {
        var connection = _node.Connect(_transport);
        await _node.SubscribeAsync(connection, Room);
        _node.Log.IsDown = true;
        await RefusedAsync("log_unavailable", _node.SubscribeAsync(connection, Room));
        _node.Log.IsDown = false;

        await PublishAsync(1);

        await DeliveredAsync(1);
    }

    [Fact]
    public async Task A_reader_whose_token_has_expired_is_closed()
    {
        _node.Connect(_transport).ExpireAt(TimeProvider.System.GetUtcNow(), TimeSpan.FromMilliseconds(20), TimeProvider.System, warns: true);

        await Until.TrueAsync(() => _transport.Controls.Any(control => control.Type == Control.Expiring));
        Assert.Equal(ErrorCode.TokenExpired, await _transport.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_reader_whose_token_is_refreshed_in_time_stays()
    {
        var time = new HeldTime();
        var connection = _node.Connect(_transport);
        connection.ExpireAt(time.GetUtcNow(), TimeSpan.FromMilliseconds(200), time, warns: true);
        time.GoOn(TimeSpan.Zero);
        await Until.TrueAsync(() => _transport.Controls.Any(control => control.Type == Control.Expiring));

        connection.ExpireAt(time.GetUtcNow().AddMilliseconds(600), TimeSpan.Zero, time, warns: true);
        time.GoOn(TimeSpan.FromMilliseconds(599));
        // The first one's grace has long been over by now.
        Assert.False(connection.HasClosed);
        time.GoOn(TimeSpan.FromMilliseconds(1));

        await Until.TrueAsync(() => _transport.Controls.Count(control => control.Type == Control.Expiring) == 2);
        Assert.Equal(ErrorCode.TokenExpired, await _transport.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_slow_reader_is_closed_and_holds_up_nobody()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { QueueBytes = 64 * 1024, PayloadBytes = 32 * 1024 } });
        var slow = new RecordingTransport();
        slow.Stall();
        await node.SubscribeAsync(node.Connect(slow), Room);
        await node.SubscribeAsync(node.Connect(_transport), Room);

        for (var i = 0; i < 20; i++)
        {
            await node.PublishAsync(Room, new string('x', 8_000));
            await Until.TrueAsync(() => _transport.Offsets.Count == i + 1);
        }

        Assert.Equal(ErrorCode.SlowConsumer, await slow.Closed.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_is_wrong_with_a_request_is_said_with_a_code()
    {
        await using var production = new TestNode(environment: "Production");
        await using var small = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { SubscriptionsPerConnection = 1 } });
        var connection = _node.Connect(_transport);
        var full = small.Connect(_transport);
        await small.SubscribeAsync(full, Room);

        await RefusedAsync("topic_invalid", _node.SubscribeAsync(connection, "room"));
        await RefusedAsync("topic_type_unknown", _node.SubscribeAsync(connection, "thing:a"));
        await RefusedAsync("position_invalid", _node.SubscribeAsync(connection, Room, new Position("", 3)));
        await RefusedAsync("position_invalid", _node.SubscribeAsync(connection, Room, new Position("e", -1)));
        await RefusedAsync("request_invalid", _node.SubscribeAsync(connection, Room, rewind: new Rewind()));
        await RefusedAsync("request_invalid", _node.SubscribeAsync(connection, Room, rewind: new Rewind { Count = 0 }));
        await RefusedAsync("request_invalid", _node.SubscribeAsync(connection, Room, Position.Origin, new Rewind { Count = 1 }));
        await RefusedAsync("forbidden", production.SubscribeAsync(production.Connect(_transport), Room));
        await RefusedAsync("too_many_subscriptions", small.SubscribeAsync(full, "room:b"));
        await small.SubscribeAsync(full, Room);
    }

    [Fact]
    public async Task While_the_log_is_down_a_subscribe_fails_as_retryable()
    {
        var connection = _node.Connect(_transport);
        await _node.SubscribeAsync(connection, Room);
        _node.Log.IsDown = true;

        await RefusedAsync("log_unavailable", _node.SubscribeAsync(connection, Room));
    }

    private static long[] OffsetsOf(SubscribeAnswer answer) => [.. answer.Events.Select(encoded => encoded.Position.Offset)];

    private static async Task RefusedAsync(string code, Task<SubscribeAnswer> subscribe) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<RealtimeException>(() => subscribe)).Code);

    private async Task<PublishReply> PublishAsync(int count, TestNode? node = null)
    {
        PublishReply? reply = null;
        for (var i = 0; i < count; i++)
        {
            reply = await (node ?? _node).PublishAsync(Room);
        }

        return reply!;
    }

    private async Task DeliveredAsync(params long[] offsets)
    {
        await Until.TrueAsync(() => _transport.Offsets.Count >= offsets.Length);
        Assert.Equal(offsets, _transport.Offsets);
    }
}
