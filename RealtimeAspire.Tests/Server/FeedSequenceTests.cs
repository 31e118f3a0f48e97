using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class FeedSequenceTests
{
    private readonly FeedSequence _sequence = new();
    private readonly List<EncodedEvent> _ready = [];

    [Fact]
    public void Events_in_any_order_and_any_number_of_times_leave_in_order_and_once() => Prop.ForAll<int[]>(numbers =>
    {
        var sequence = new FeedSequence();
        var ready = new List<EncodedEvent>();
        var offsets = numbers.Select(number => (Math.Abs((long)number) % 8) + 1).ToList();
        foreach (var offset in offsets)
        {
            sequence.Take(Event(offset), ready);
        }

        var prefix = Enumerable.Range(1, 8).Select(i => (long)i).TakeWhile(offsets.Contains).ToList();
        return ready.Select(taken => taken.Position.Offset).SequenceEqual(prefix)
            && sequence.Last.Offset == prefix.Count
            && sequence.HasHole == offsets.Exists(offset => offset > prefix.Count);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void An_event_that_jumps_is_held_until_the_missing_one_is_there()
    {
        Assert.Equal(FeedVerdict.Ready, Take(1));
        Assert.Equal(FeedVerdict.Ahead, Take(3));
        Assert.True(_sequence.HasHole);
        Assert.Equal(FeedVerdict.Ready, Take(2));
        Assert.False(_sequence.HasHole);
        Assert.Equal([1, 2, 3], _ready.Select(ready => ready.Position.Offset));
    }

    [Fact]
    public void After_a_restart_at_the_tip_older_events_are_dropped()
    {
        _sequence.Restart(new Position("e", 5));

        Assert.Equal(FeedVerdict.Old, Take(5));
        Assert.Equal(FeedVerdict.Ready, Take(6));
    }

    [Fact]
    public void An_event_of_another_epoch_is_not_fanned_out()
    {
        _sequence.Restart(new Position("other", 5));

        Assert.Equal(FeedVerdict.Foreign, Take(6));
        Assert.Empty(_ready);
    }

    [Fact]
    public void The_first_event_of_a_topic_says_which_epoch_it_is()
    {
        Take(1);

        Assert.Equal(new Position("e", 1), _sequence.Last);
    }

    [Fact]
    public void A_tip_further_on_is_a_hole_until_it_is_reached()
    {
        Take(1);
        _sequence.Expect(2);
        Assert.True(_sequence.HasHole);
        Take(2);
        Assert.False(_sequence.HasHole);
    }

    [Fact]
    public void What_is_held_is_bounded_and_the_rest_stays_a_hole()
    {
        for (var offset = 2; offset < FeedSequence.MaxAhead + 100; offset++)
        {
            Take(offset);
        }

        Take(1);

        Assert.Equal(FeedSequence.MaxAhead + 1, _ready.Count);
        Assert.True(_sequence.HasHole);
    }

    [Fact]
    public void What_is_held_is_bounded_in_bytes_too()
    {
        for (var offset = 2; offset < 100; offset++)
        {
            _sequence.Take(Event(offset, 64 * 1024), _ready);
        }

        Take(1);

        Assert.Equal(1 + (FeedSequence.MaxAheadBytes / (64 * 1024)), _ready.Count);
        Assert.True(_sequence.HasHole);
    }

    private static EncodedEvent Event(long offset, int bytes = 1) => new()
    {
        Topic = new TopicKey("default", TopicName.Parse("room:a")),
        Position = new Position("e", offset),
        TraceParent = null,
        Json = new byte[bytes],
    };

    private FeedVerdict Take(long offset) => _sequence.Take(Event(offset), _ready);
}
