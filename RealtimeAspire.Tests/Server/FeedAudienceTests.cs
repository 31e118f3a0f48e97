using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

public sealed class FeedAudienceTests
{
    private static readonly TopicKey Topic = new("default", TopicName.Parse("room:a"));

    private readonly List<EncodedEvent> _events = [];

    [Fact]
    public void Whoever_joins_at_whatever_moment_and_position_has_each_later_event_once_and_in_order() => Prop.ForAll<int[]>(steps =>
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        var seen = new Dictionary<Subscription, (long From, List<long> Offsets)>();
        var last = 0L;
        foreach (var step in steps.Select(step => (uint)step))
        {
            if (step % 3 != 0)
            {
                var batch = new EventBatch([.. Enumerable.Range(1, 1 + (int)(step % 700)).Select(i => Event(last + i))]);
                last = batch.Events[^1].Position.Offset;
                foreach (var subscription in audience.Advance(batch))
                {
                    seen[subscription].Offsets.AddRange(batch.Events.Select(offered => offered.Position.Offset));
                }
            }
            else
            {
                Join(audience, seen, last == 0 ? Position.Origin : new Position("e", Math.Max(0, last - (step % 1_500))));
            }
        }

        return seen.Values.All(reader => reader.Offsets.SequenceEqual(Enumerable.Range(1, (int)(last - reader.From)).Select(i => reader.From + i)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_position_before_the_tail_or_of_another_log_is_left_to_the_log()
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        audience.Restart(new Position("e", 10));
        audience.Advance(new EventBatch(Event(11), Event(12)));

        Assert.False(Collects(audience, new Position("e", 9)));
        Assert.False(Collects(audience, new Position("f", 11)));
        Assert.False(Collects(audience, new Position("e", 13)));
        Assert.True(Collects(audience, new Position("e", 10)));
        Assert.Equal([11, 12], _events.Select(collected => collected.Position.Offset));
    }

    [Fact]
    public void What_was_read_up_to_the_tail_serves_those_who_come_later()
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        audience.Restart(new Position("e", 10));
        audience.Keep([Event(8), Event(9)]);
        Assert.False(Collects(audience, new Position("e", 7)));

        audience.Keep([Event(8), Event(9), Event(10)]);
        audience.Advance(new EventBatch(Event(11)));

        Assert.True(Collects(audience, new Position("e", 7)));
        Assert.Equal([8, 9, 10, 11], _events.Select(collected => collected.Position.Offset));
    }

    [Fact]
    public void Events_that_a_reader_has_from_the_log_do_not_come_again_from_a_feed_that_is_behind()
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        audience.Advance(new EventBatch(Event(1)));
        var at = new Position("e", 3);
        var subscription = Attached(audience);

        Assert.True(audience.TryGoLive(subscription, audience.Restarts, ref at, _events));

        Assert.Equal(3, at.Offset);
        Assert.Empty(_events);
    }

    [Fact]
    public void Who_has_read_the_log_of_before_a_reset_does_not_go_live_after_it()
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        audience.Advance(new EventBatch(Event(1)));
        var before = audience.Restarts;
        var at = new Position("e", 12);
        audience.Restart(Position.Origin);

        Assert.False(audience.TryGoLive(Attached(audience), before, ref at, _events));
        audience.Close();
        Assert.False(audience.TryGoLive(Attached(new FeedAudience(new TailMemory(1))), audience.Restarts, ref at, _events));
    }

    [Fact]
    public void A_subscription_that_no_feed_took_takes_nobodys_place()
    {
        var audience = new FeedAudience(new TailMemory(1_000_000));
        var at = Position.Origin;
        Assert.True(audience.TryGoLive(Attached(audience), audience.Restarts, ref at, _events));

        Assert.False(audience.Detach(new Subscription(null!, Topic, SubscriptionOptions.Default)));

        Assert.Equal(1, audience.Count);
        Assert.Single(audience.Advance(new EventBatch(Event(1))));
    }

    [Fact]
    public void The_tail_is_bounded_and_shorter_when_memory_is_scarce()
    {
        var memory = new TailMemory(capacity: 250_000);
        var (rich, poor) = (new FeedTail(memory), new FeedTail(memory));
        for (var i = 1; i <= 3_000; i++)
        {
            rich.Add(Event(i, bytes: 200));
        }

        for (var i = 1; i <= 3_000; i++)
        {
            poor.Add(Event(i, bytes: 200));
        }

        Assert.Equal(FeedTail.MaxEvents, rich.Count);
        Assert.InRange(poor.Count, 1, FeedTail.ScarceBytes / 200);
        rich.Clear();
        Assert.False(memory.IsScarce);
    }

    private static void Join(FeedAudience audience, Dictionary<Subscription, (long From, List<long> Offsets)> seen, Position at)
    {
        var from = at.Offset;
        var events = new List<EncodedEvent>();
        var subscription = Attached(audience);
        if (audience.TryGoLive(subscription, audience.Restarts, ref at, events))
        {
            seen[subscription] = (from, [.. events.Select(collected => collected.Position.Offset)]);
        }
    }

    private static Subscription Attached(FeedAudience audience)
    {
        var subscription = new Subscription(null!, Topic, SubscriptionOptions.Default);
        Assert.True(audience.TryAttach(subscription));
        return subscription;
    }

    private static EncodedEvent Event(long offset, int bytes = 1) =>
        new() { Topic = Topic, Position = new Position("e", offset), TraceParent = null, Json = new byte[bytes] };

    private bool Collects(FeedAudience audience, Position at) => audience.TryCollect(ref at, _events);
}
