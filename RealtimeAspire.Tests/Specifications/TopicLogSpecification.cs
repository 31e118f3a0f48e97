using System.Collections.Concurrent;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Specifications;

/// <summary>What every topic log promises. Derive, make a log, and the tests run on it.</summary>
public abstract class TopicLogSpecification : TopicLogLaws
{
    private readonly TopicKey _topic = NewTopic();
    private readonly ConcurrentQueue<LoggedEvent> _committed = new();

    private protected TopicKey Topic => _topic;

    [Fact]
    public async Task Offsets_are_1_2_3_in_one_epoch_and_times_never_fall()
    {
        var outcomes = new List<AppendOutcome>();
        for (var i = 0; i < 5; i++)
        {
            outcomes.Add(await AppendAsync($"e{i}"));
        }

        Assert.Equal([1, 2, 3, 4, 5], outcomes.Select(outcome => outcome.Position.Offset));
        Assert.Single(outcomes.Select(outcome => outcome.Position.Epoch).Distinct());
        Assert.NotEqual("", outcomes[0].Position.Epoch);
        Assert.Equal(outcomes.OrderBy(outcome => outcome.Timestamp), outcomes);
        Assert.All(outcomes, outcome => Assert.Equal(0, outcome.Timestamp.Ticks % TimeSpan.TicksPerMillisecond));
    }

    [Fact]
    public async Task What_is_called_in_order_is_appended_in_order_while_many_are_in_flight()
    {
        var appends = Enumerable.Range(0, 2_000).Select(i => AppendAsync($"e{i}")).ToList();
        var outcomes = await Task.WhenAll(appends);

        Assert.Equal(Enumerable.Range(1, 2_000).Select(i => (long)i), outcomes.Select(outcome => outcome.Position.Offset));
        Assert.Equal(Enumerable.Range(1, 2_000).Select(i => (long)i), _committed.Select(committed => committed.Position.Offset));
    }

    [Fact]
    public async Task A_retry_has_the_first_outcome_and_appends_nothing()
    {
        var first = await AppendAsync("a");
        await AppendAsync("b");
        var again = await AppendAsync("a");

        Assert.Equal(first with { Duplicate = true }, again);
        Assert.Equal(2, _committed.Count);
        Assert.Equal(2, (await ReadAsync(new LogRange.After(0))).Tip.Offset);
    }

    [Fact]
    public async Task Retries_in_flight_together_are_one_event()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => AppendAsync("same")));

        Assert.Single(outcomes, outcome => !outcome.Duplicate);
        Assert.Single(outcomes.Select(outcome => outcome.Position).Distinct());
    }

    [Fact]
    public async Task The_same_id_with_another_content_is_a_conflict()
    {
        await AppendAsync("a", "one");

        var together = await Assert.ThrowsAsync<RealtimeException>(() => AppendAsync("a", "two"));
        var appends = new[] { AppendAsync("b", "one"), AppendAsync("b", "two"), AppendAsync("c", "three") };

        Assert.Equal("id_conflict", together.Code);
        Assert.Equal("id_conflict", (await Assert.ThrowsAsync<RealtimeException>(() => appends[1])).Code);
        Assert.Equal((2, 3), ((await appends[0]).Position.Offset, (await appends[2]).Position.Offset));
    }

    [Fact]
    public async Task The_same_id_of_another_publisher_or_on_another_topic_is_another_event()
    {
        var other = NewTopic();
        await AppendAsync("a", publisher: "ada");

        Assert.False((await AppendAsync("a", publisher: "bob")).Duplicate);
        Assert.False((await AppendAsync("a", publisher: "ada", topic: other)).Duplicate);
    }

    [Fact]
    public async Task An_event_is_read_as_it_was_appended()
    {
        var outcome = await Log.AppendAsync(
            NewAppend(_topic, "id-1", "") with
            {
                Payload = Encoding.UTF8.GetBytes("{\"text\":\"h\\u0000 \\\"ü\\\" 🙂\"}"),
                EntityId = "m1",
                Version = 3,
                TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            },
            _committed.Enqueue);

        var read = Assert.Single((await ReadAsync(new LogRange.After(0))).Events);
        Assert.Equal(outcome.Position, read.Position);
        Assert.Equal(outcome.Timestamp, read.Timestamp);
        Assert.Equal(("id-1", "app:x", 3, "m1", "ada"), (read.Id, read.Event, read.Version, read.EntityId, read.UserId));
        Assert.Equal("{\"text\":\"h\\u0000 \\\"ü\\\" 🙂\"}", Encoding.UTF8.GetString(read.Payload));
        Assert.Equal("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", read.TraceParent);
        Assert.Equivalent(read, Assert.Single(_committed));
    }

    [Fact]
    public async Task A_page_is_what_was_asked_for_ascending_with_the_tip()
    {
        var outcomes = new List<AppendOutcome>();
        for (var i = 1; i <= 10; i++)
        {
            outcomes.Add(await AppendAsync($"e{i}"));
        }

        await OffsetsAreAsync([4, 5, 6], new LogRange.After(3), 3);
        await OffsetsAreAsync([5, 6, 7], new LogRange.Before(8), 3);
        await OffsetsAreAsync([8, 9, 10], new LogRange.Newest(3), 100);
        await OffsetsAreAsync([], new LogRange.Newest(0), 100);
        await OffsetsAreAsync([], new LogRange.After(10), 100);
        await OffsetsAreAsync([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], new LogRange.Since(outcomes[0].Timestamp), 100);
        await OffsetsAreAsync([], new LogRange.Since(outcomes[^1].Timestamp.AddMilliseconds(1)), 100);
        Assert.Equal(outcomes[^1].Position, (await ReadAsync(new LogRange.After(10))).Tip);
    }

    [Fact]
    public async Task A_page_holds_about_a_megabyte_however_many_events_were_asked_for()
    {
        var payload = new string('x', 300 * 1024);
        await Task.WhenAll(Enumerable.Range(1, 9).Select(i => AppendAsync($"e{i}", payload)));

        await OffsetsAreAsync([1, 2, 3, 4], new LogRange.After(0), 100);
        await OffsetsAreAsync([5, 6, 7, 8], new LogRange.Before(9), 100);
        await OffsetsAreAsync([6, 7, 8, 9], new LogRange.Newest(9), 100);
        await OffsetsAreAsync([1, 2, 3, 4], new LogRange.Since(DateTimeOffset.UnixEpoch), 100);
        Assert.Equal(9, (await ReadAsync(new LogRange.After(0))).Tip.Offset);
    }

    [Fact]
    public async Task A_topic_of_the_same_name_in_another_tenant_is_another_topic()
    {
        var other = _topic with { Tenant = "other" };
        await AppendAsync("a");
        await AppendAsync("b");

        var there = await AppendAsync("a", topic: other);

        Assert.Equal((1, false), (there.Position.Offset, there.Duplicate));
        var tips = await Log.ReadTipsAsync([_topic, other], TestContext.Current.CancellationToken);
        Assert.Equal((2, 1), (tips[_topic].Offset, tips[other].Offset));
    }

    [Fact]
    public async Task A_topic_without_events_is_at_the_origin_and_reading_it_makes_nothing()
    {
        var page = await ReadAsync(new LogRange.After(0));

        Assert.Equal(Position.Origin, page.Tip);
        Assert.Empty(page.Events);
        Assert.Equal(Position.Origin, (await Log.ReadTipsAsync([_topic], TestContext.Current.CancellationToken))[_topic]);
    }

    [Fact]
    public async Task The_tips_of_many_topics_are_read_at_once()
    {
        var outcome = await AppendAsync("a");
        var empty = NewTopic();

        var tips = await Log.ReadTipsAsync([_topic, empty], TestContext.Current.CancellationToken);

        Assert.Equal(outcome.Position, tips[_topic]);
        Assert.Equal(Position.Origin, tips[empty]);
    }

    [Fact]
    public async Task By_count_exactly_the_newest_events_are_kept()
    {
        var topic = NewTopic(Counted);
        var outcomes = await Task.WhenAll(Enumerable.Range(1, CountedEvents + 15).Select(i => AppendAsync($"e{i}", topic: topic)));

        var page = await ReadAsync(new LogRange.After(0), topic: topic);
        Assert.Equal((25, 16), (page.Tip.Offset, page.Floor));
        await OffsetsAreAsync([16, 17, 18], new LogRange.After(3), 3, topic);
        await OffsetsAreAsync([16, 17], new LogRange.Before(18), 100, topic);
        await OffsetsAreAsync([], new LogRange.Before(16), 100, topic);
        await OffsetsAreAsync([16, 17, 18, 19, 20, 21, 22, 23, 24, 25], new LogRange.Newest(100), 100, topic);
        await OffsetsAreAsync([16, 17], new LogRange.Since(outcomes[0].Timestamp), 2, topic);
        Assert.True((await AppendAsync("e1", topic: topic)).Duplicate, "Its id is known though the event is gone.");
    }

    [Fact]
    public async Task By_age_events_are_gone_and_their_offsets_are_not_given_again()
    {
        var topic = NewTopic(Aged);
        await AppendAsync("a", topic: topic);
        var second = await AppendAsync("b", topic: topic);
        await Eventually.BecomesTrueAsync(async () => (await ReadAsync(new LogRange.After(0), topic: topic)).Events.Count == 0, "The events are still read.");

        Assert.Equal(second.Position, (await ReadAsync(new LogRange.After(0), topic: topic)).Tip);
        Assert.Equal(second.Position, (await Log.ReadTipsAsync([topic], TestContext.Current.CancellationToken))[topic]);
        Assert.Equal(new Position(second.Position.Epoch, 3), (await AppendAsync("c", topic: topic)).Position);
        await OnlyTheNewAreReadAsync(_ => new LogRange.After(0));
        await OnlyTheNewAreReadAsync(_ => new LogRange.Newest(100));
        await OnlyTheNewAreReadAsync(tip => new LogRange.Before(tip + 1));
        await OnlyTheNewAreReadAsync(_ => new LogRange.Since(DateTimeOffset.UnixEpoch));

        // What is appended is old itself by the time that it is read where the machine stands still for a moment.
        Task OnlyTheNewAreReadAsync(Func<long, LogRange> range) => Eventually.BecomesTrueAsync(
            async () =>
            {
                var tip = (await AppendAsync($"{Guid.NewGuid()}", topic: topic)).Position.Offset;
                var offsets = (await ReadAsync(range(tip), topic: topic)).Events.Select(logged => logged.Position.Offset).ToArray();
                Assert.All(offsets, offset => Assert.InRange(offset, 3, tip));
                return offsets.Length > 0 && offsets[^1] == tip && offsets.Length == tip - offsets[0] + 1;
            },
            "What was just appended is not read.");
    }

    [Fact]
    public async Task An_id_whose_window_is_over_is_a_new_one()
    {
        var topic = NewTopic(Windowed);
        var first = await AppendAsync("a", topic: topic);

        AppendOutcome again = default;
        await Eventually.BecomesTrueAsync(async () => !(again = await AppendAsync("a", topic: topic)).Duplicate, "The id is still known.");

        Assert.Equal(new Position(first.Position.Epoch, 2), again.Position);
        // The window of this one, too, is over for who comes back late.
        await Eventually.BecomesTrueAsync(async () => (await AppendAsync("a", topic: topic)).Duplicate, "The id is not known anew.");
    }

    [Fact]
    public async Task What_one_node_appends_another_reads()
    {
        var outcome = await AppendAsync("a");

        var page = await Other.ReadAsync(Topic, new LogRange.After(0), 100, TestContext.Current.CancellationToken);
        Assert.Equal(outcome.Position, Assert.Single(page.Events).Position);
        Assert.Equal(outcome with { Duplicate = true }, await Other.AppendAsync(NewAppend(Topic, "a", "hi"), _ => { }));
    }

    [Theory]
    [InlineData(0, long.MaxValue)]
    [InlineData(0, -1)]
    [InlineData(1, long.MaxValue)]
    [InlineData(1, 0)]
    [InlineData(2, int.MaxValue)]
    [InlineData(3, 0)]
    [InlineData(3, 1)]
    public async Task No_bound_is_too_large_or_too_small(int kind, long bound)
    {
        await AppendAsync("a");
        LogRange range = kind switch
        {
            0 => new LogRange.After(bound),
            1 => new LogRange.Before(bound),
            2 => new LogRange.Newest((int)bound),
            _ => new LogRange.Since(bound == 0 ? DateTimeOffset.MinValue : DateTimeOffset.MaxValue),
        };

        var isAll = (kind, bound) is (0, -1) or (1, long.MaxValue) or (2, _) or (3, 0);
        await OffsetsAreAsync(isAll ? [1] : [], range, 1_000);
    }

    private protected Task<AppendOutcome> AppendAsync(string id, string text = "hi", string publisher = "ada", TopicKey? topic = null) =>
        Log.AppendAsync(NewAppend(topic ?? _topic, id, text, publisher), _committed.Enqueue);

    private Task<LogPage> ReadAsync(LogRange range, int limit = 100, TopicKey? topic = null) =>
        Log.ReadAsync(topic ?? _topic, range, limit, TestContext.Current.CancellationToken);

    private async Task OffsetsAreAsync(long[] expected, LogRange range, int limit, TopicKey? topic = null) =>
        Assert.Equal(expected, (await ReadAsync(range, limit, topic)).Events.Select(logged => logged.Position.Offset));
}
