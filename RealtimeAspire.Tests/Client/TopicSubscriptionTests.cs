using System.Text.Json;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Client;

public sealed class TopicSubscriptionTests : IAsyncDisposable
{
    private readonly RealtimeClient _client = new(new Uri("http://localhost"), () => Task.FromResult<string?>(null));
    private readonly List<(Recovery, Position)> _lost = [];

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Fact]
    public async Task Events_that_arrive_before_the_reply_are_merged_behind_it()
    {
        var subscription = Make(new SubscribeOptions { Rewind = new Rewind { Count = 2 } });
        subscription.BeginJoin();
        subscription.Arrive(Event(5));
        subscription.Arrive(Event(6));

        Assert.True(subscription.EndJoin(Reply(5, Event(4), Event(5))));

        Assert.Equal([4, 5, 6], await TakeAsync(subscription, 3));
        Assert.Equal(new Position("e", 6), subscription.Position);
    }

    [Fact]
    public async Task An_event_that_comes_twice_is_put_out_once()
    {
        var subscription = Joined(3);
        Assert.True(subscription.Arrive(Event(4)));
        Assert.True(subscription.Arrive(Event(4)));
        Assert.True(subscription.Arrive(Event(2)));
        Assert.True(subscription.Arrive(Event(5)));

        Assert.Equal([4, 5], await TakeAsync(subscription, 2));
    }

    [Fact]
    public void A_hole_or_another_epoch_asks_for_a_new_join_from_the_position()
    {
        var subscription = Joined(3);

        Assert.False(subscription.Arrive(Event(5)));
        Assert.False(subscription.Arrive(Event(4, "other")));
        Assert.Equal(new Position("e", 3), subscription.BeginJoin().Position);
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
    public async Task When_events_are_lost_the_application_is_told_and_it_goes_on_from_the_tip(Recovery recovery)
    {
        var subscription = Joined(3);
        subscription.BeginJoin();
        subscription.EndJoin(Reply(9, epoch: "new") with { Recovery = recovery });
        subscription.Arrive(Event(10, "new"));

        Assert.Equal([(recovery, new Position("new", 9))], _lost);
        Assert.Equal([10], await TakeAsync(subscription, 1));
    }

    [Fact]
    public void While_there_is_more_nothing_is_live()
    {
        var subscription = Make(new SubscribeOptions { Position = Position.Origin });
        subscription.BeginJoin();
        subscription.EndJoin(Reply(2, Event(1), Event(2)) with { More = true });

        Assert.True(subscription.Arrive(Event(9)));
        Assert.Equal(new Position("e", 2), subscription.BeginJoin().Position);
    }

    [Fact]
    public async Task Ephemeral_events_pass_unchecked()
    {
        var subscription = Joined(3);
        subscription.Arrive(Event(0) with { Offset = null, Epoch = null });

        Assert.Equal([null], await TakeAsync(subscription, 1));
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

    private TopicSubscription Make(SubscribeOptions options) => new(_client, "room:a", options with { OnLost = (recovery, position) => _lost.Add((recovery, position)) });

    private TopicSubscription Joined(long offset)
    {
        var subscription = Make(new SubscribeOptions());
        subscription.BeginJoin();
        subscription.EndJoin(Reply(offset));
        return subscription;
    }
}
