using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

public sealed class OutboundQueueTests
{
    private readonly List<ConflatedEvents> _taken = [];

    [Fact]
    public void It_takes_so_many_bytes_and_refuses_the_rest()
    {
        var queue = new OutboundQueue(100);

        Assert.True(queue.TryEnqueue(Batch(1, 60)));
        Assert.True(queue.TryEnqueue(Batch(2, 40)));
        Assert.False(queue.TryEnqueue(Batch(3, 1)));
        Assert.Equal(100, queue.Bytes);
    }

    [Fact]
    public void What_is_being_written_counts_until_it_is_released()
    {
        var queue = new OutboundQueue(100);
        queue.TryEnqueue(Batch(1, 100));

        Assert.True(queue.TryTake(1_000, _taken.Add, out var frame));
        Assert.False(queue.TryEnqueue(Batch(2, 1)));
        queue.Release(frame.Bytes);
        Assert.True(queue.TryEnqueue(Batch(2, 1)));
    }

    [Fact]
    public void What_waits_leaves_in_one_frame_up_to_its_size_and_in_order()
    {
        var queue = new OutboundQueue(1_000);
        for (var i = 1; i <= 5; i++)
        {
            queue.TryEnqueue(Batch(i, 40));
        }

        Assert.True(queue.TryTake(100, _taken.Add, out var first));
        Assert.True(queue.TryTake(100, _taken.Add, out var second));
        Assert.False(queue.TryTake(100, _taken.Add, out _));

        Assert.Equal([1L, 2L, 3L], OffsetsOf(first));
        Assert.Equal(120, first.Bytes);
        Assert.Equal([4L, 5L], OffsetsOf(second));
    }

    [Fact]
    public void A_control_message_keeps_its_place_among_the_events()
    {
        var queue = new OutboundQueue(10_000);
        queue.TryEnqueue(Batch(1, 10));
        queue.TryEnqueue(new Notice(new Control { Type = Control.Reset }));
        queue.TryEnqueue(Batch(2, 10));

        queue.TryTake(1_000, _taken.Add, out var first);
        queue.TryTake(1_000, _taken.Add, out var second);
        queue.TryTake(1_000, _taken.Add, out var third);

        Assert.Equal([1L], OffsetsOf(first));
        Assert.Null(first.Notice);
        Assert.Equal((null, Control.Reset), (second.Events, second.Notice!.Control!.Type));
        Assert.Equal([2L], OffsetsOf(third));
    }

    [Fact]
    public void What_is_conflated_gives_its_newest_events_when_its_turn_comes()
    {
        var queue = new OutboundQueue(10_000);
        var conflated = new ConflatedEvents(Topic, TimeSpan.Zero);
        queue.TryEnqueue(Batch(1, 50));
        queue.TryTakeRoom(conflated.Put(Batch(2, 50, "a"), out _));
        queue.Enqueue(conflated);
        queue.TryTakeRoom(conflated.Put(Batch(3, 60, "b"), out _));
        queue.TryTakeRoom(conflated.Put(Batch(4, 70, "a"), out var dropped));

        queue.TryTake(1_000, _taken.Add, out var frame);

        Assert.Equal([1L, 3L, 4L], OffsetsOf(frame));
        Assert.Equal((1, frame.Bytes), (dropped, (int)queue.Bytes));
        Assert.Same(conflated, Assert.Single(_taken));
    }

    private static TopicKey Topic { get; } = new("default", TopicName.Parse("room:a"));

    private static long[] OffsetsOf(OutboundFrame frame) => [.. frame.Events!.Events.Select(sent => sent.Position.Offset)];

    private static EventBatch Batch(long offset, int bytes, string entity = "") => new(new EncodedEvent
    {
        Topic = Topic,
        Position = new Position("e", offset),
        TraceParent = null,
        Json = Encoding.UTF8.GetBytes($"{{\"event\":\"e\",\"data\":{{\"entity_id\":\"{entity}\"}}}}".PadRight(bytes)).AsMemory(0, bytes),
    });
}
