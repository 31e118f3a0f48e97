using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Client;

public sealed class TopicSubscriptionTests
{
    private readonly Owner _owner = new();
    private readonly List<Lost> _lost = [];
    private Position? _reloaded;

    [Fact]
    public async Task Events_that_arrive_before_the_reply_are_merged_behind_it()
    {
        var subscription = Make(new SubscribeOptions { Rewind = new Rewind { Count = 2 } });
        subscription.BeginJoin();
        subscription.Arrive(Event(5));
        subscription.Arrive(Event(6));

        Assert.True(subscription.EndJoin(Reply(5, Event(4), Event(5))));

        Assert.Equal([4, 5, 6], await TakeAsync(subscription, 3));
        Assert.Equal(new Position("e", 6), subscription.BeginJoin().Position);
    }

    [Fact]
    public async Task An_event_that_comes_twice_is_put_out_once()
    {
        var subscription = Joined(3);
        subscription.Arrive(Event(4));
        subscription.Arrive(Event(4));
        subscription.Arrive(Event(2));
        subscription.Arrive(Event(5));

        Assert.Equal([4, 5], await TakeAsync(subscription, 2));
        Assert.Equal(0, _owner.Rejoins);
    }

    [Fact]
    public void A_hole_or_another_epoch_asks_for_a_new_join_from_the_position()
    {
        var subscription = Joined(3);

        subscription.Arrive(Event(5));
        subscription.Arrive(Event(4, "other"));

        Assert.Equal(2, _owner.Rejoins);
        Assert.Equal(new Position("e", 3), subscription.BeginJoin().Position);
    }

    [Fact]
    public async Task Where_only_the_newest_of_each_key_come_a_jump_is_none()
    {
        var subscription = Joined(3, new SubscribeOptions { Qos = new QosRequest { Mode = QosMode.Latest } });
        subscription.Arrive(Event(9));
        subscription.Arrive(Event(7));
        subscription.Arrive(Event(12));

        Assert.Equal([9, 12], await TakeAsync(subscription, 2));
        Assert.Equal(0, _owner.Rejoins);
    }

    [Fact]
    public async Task After_a_reconnect_it_continues_from_its_position()
    {
        var subscription = Joined(3);
        var request = subscription.BeginJoin();

        Assert.Equal((new Position("e", 3), null), (request.Position!.Value, request.Rewind));
        Assert.True(subscription.EndJoin(Reply(5, Event(4), Event(5)) with { Recovery = Recovery.Recovered }));
        Assert.Equal([4, 5], await TakeAsync(subscription, 2));
    }

    [Theory]
    [InlineData(Recovery.Gap)]
    [InlineData(Recovery.NewEpoch)]
    public async Task When_events_are_lost_the_application_is_told_behind_those_before_and_it_goes_on_from_the_tip(Recovery recovery)
    {
        var subscription = Joined(3);
        subscription.Arrive(Event(4));
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = recovery });
        subscription.Arrive(Event(10, "new"));
        Assert.Empty(_lost);

        Assert.Equal([4, 10], await TakeAsync(subscription, 2));
        Assert.Equal([new Lost(recovery, new Position("new", 9))], _lost);
    }

    [Fact]
    public async Task A_state_that_is_newer_than_what_waits_takes_its_place()
    {
        var subscription = Joined(3);
        _reloaded = new Position("new", 11);
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = Recovery.NewEpoch });
        foreach (var offset in (long[])[10, 11, 12])
        {
            subscription.Arrive(Event(offset, "new"));
        }

        Assert.Equal([12], await TakeAsync(subscription, 1));
        Assert.Equal(0, _owner.Rejoins);
    }

    [Fact]
    public async Task A_state_that_is_newer_has_what_is_still_on_its_way()
    {
        var subscription = Joined(3);
        _reloaded = new Position("new", 12);
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = Recovery.NewEpoch });
        subscription.Arrive(Event(10, "new"));
        var taken = TakeAsync(subscription, 1);
        await Eventually.BecomesTrueAsync(() => subscription.Position == _reloaded, "the state was not read");

        foreach (var offset in (long[])[11, 12, 13])
        {
            subscription.Arrive(Event(offset, "new"));
        }

        Assert.Equal([13], await taken);
        Assert.Equal(0, _owner.Rejoins);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(8)]
    public async Task Whoever_has_left_because_too_much_waits_comes_back_when_a_state_has_all_of_it(long state)
    {
        var subscription = Joined(3, new SubscribeOptions { MaxQueued = 2 });
        _reloaded = new Position("new", state);
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = Recovery.NewEpoch });
        foreach (var offset in (long[])[10, 11, 12])
        {
            subscription.Arrive(Event(offset, "new"));
        }

        Assert.True(subscription.IsPaused);
        var taken = TakeAsync(subscription, 1);
        await Eventually.BecomesTrueAsync(() => _owner.Rejoins == 1 && !subscription.IsPaused, "it does not come back");
        subscription.BeginJoin();
        subscription.EndJoin(Reply(13, "new", [.. Enumerable.Range((int)state + 1, 13 - (int)state).Select(offset => Event(offset, "new"))]) with { Recovery = Recovery.Recovered });

        Assert.Equal([state + 1], await taken);
    }

    [Fact]
    public async Task A_state_that_is_older_is_brought_up_from_its_position()
    {
        var subscription = Joined(3);
        _reloaded = new Position("new", 8);
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = Recovery.NewEpoch });
        subscription.Arrive(Event(10, "new"));
        _owner.Rejoining = () => subscription.EndJoin(
            Reply(10, "new", Event(9, "new"), Event(10, "new")) with { Recovery = Recovery.Recovered });

        Assert.Equal([9, 10], await TakeAsync(subscription, 2));
        Assert.Equal(1, _owner.Rejoins);
    }

    [Fact]
    public void While_there_is_more_nothing_is_live()
    {
        var subscription = Make(new SubscribeOptions { Position = Position.Origin });
        subscription.BeginJoin();
        Assert.False(subscription.EndJoin(Reply(2, Event(1), Event(2)) with { More = true }));

        subscription.Arrive(Event(9));

        Assert.Equal(0, _owner.Rejoins);
        Assert.Equal(new Position("e", 2), subscription.BeginJoin().Position);
    }

    [Fact]
    public async Task Ephemeral_events_pass_unchecked()
    {
        var subscription = Joined(3);
        subscription.Arrive(Event(0) with { Offset = null, Epoch = null });

        Assert.Equal([null], await TakeAsync(subscription, 1));
    }

    [Fact]
    public async Task The_position_is_that_of_what_the_application_has_dealt_with()
    {
        var subscription = Joined(3);
        subscription.Arrive(Event(4));
        subscription.Arrive(Event(5));
        await using var events = subscription.GetAsyncEnumerator(TestContext.Current.CancellationToken);

        Assert.Equal(3, subscription.Position?.Offset);
        await events.MoveNextAsync();
        Assert.Equal(3, subscription.Position?.Offset);
        await events.MoveNextAsync();
        Assert.Equal(4, subscription.Position?.Offset);
    }

    [Fact]
    public async Task Where_too_much_waits_the_topic_is_left_and_joined_again_when_half_is_dealt_with()
    {
        var subscription = Joined(0, new SubscribeOptions { MaxQueued = 2 });
        foreach (var offset in (long[])[1, 2, 3, 4])
        {
            subscription.Arrive(Event(offset));
        }

        Assert.Equal((1, 0), (_owner.Pauses, _owner.Rejoins));
        Assert.Equal([1, 2], await TakeAsync(subscription, 2));

        Assert.Equal((1, 1), (_owner.Pauses, _owner.Rejoins));
        Assert.Equal(new Position("e", 3), subscription.BeginJoin().Position);
    }

    private static TopicEvent Event(long offset, string epoch = "e") => new()
    {
        Topic = "room:a",
        Event = "app:x",
        Id = $"{offset}",
        Offset = offset,
        Epoch = epoch,
        Data = new EventData { Payload = JsonElement.Parse("1"), Timestamp = DateTimeOffset.UnixEpoch },
    };

    private static SubscribeReply Reply(long offset, params TopicEvent[] events) => Reply(offset, "e", events);

    private static SubscribeReply Reply(long offset, string epoch, params TopicEvent[] events) =>
        new() { Topic = "room:a", Position = new Position(epoch, offset), Recovery = Recovery.None, Events = events };

    private static async Task<long?[]> TakeAsync(TopicSubscription subscription, int count) =>
        [.. await subscription.Take(count).Select(taken => taken.Offset).ToListAsync(TestContext.Current.CancellationToken)];

    private TopicSubscription Make(SubscribeOptions options) => new(_owner, "room:a", options with
    {
        Reload = lost =>
        {
            _lost.Add(lost);
            return Task.FromResult(_reloaded);
        },
    });

    private TopicSubscription Joined(long offset, SubscribeOptions? options = null)
    {
        var subscription = Make(options ?? new SubscribeOptions());
        subscription.BeginJoin();
        subscription.EndJoin(Reply(offset));
        return subscription;
    }

    /// <summary>Stands for the client.</summary>
    private sealed class Owner : ISubscriptionOwner
    {
        public int Rejoins { get; private set; }

        public int Pauses { get; private set; }

        public Action Rejoining { get; set; } = static () => { };

        public void Rejoin(TopicSubscription subscription)
        {
            Rejoins++;
            Rejoining();
        }

        public void Pause(TopicSubscription subscription) => Pauses++;

        public void Leave(TopicSubscription subscription)
        {
        }
    }
}
