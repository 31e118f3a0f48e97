using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class OutboundQueueTests
{
    private readonly List<EncodedEvent> _frame = [];

    [Fact]
    public void It_takes_so_many_bytes_and_refuses_the_rest()
    {
        var queue = new OutboundQueue(100);

        Assert.True(queue.TryEnqueue(Event(1, 60)));
        Assert.True(queue.TryEnqueue(Event(2, 40)));
        Assert.False(queue.TryEnqueue(Event(3, 1)));
        Assert.Equal(100, queue.Bytes);
    }

    [Fact]
    public void What_is_being_written_counts_until_it_is_released()
    {
        var queue = new OutboundQueue(100);
        queue.TryEnqueue(Event(1, 100));

        Assert.True(queue.TryTake(1_000, _frame, out _, out var bytes));
        Assert.False(queue.TryEnqueue(Event(2, 1)));
        queue.Release(bytes);
        Assert.True(queue.TryEnqueue(Event(2, 1)));
    }

    [Fact]
    public void What_waits_leaves_in_one_frame_up_to_its_size_and_in_order()
    {
        var queue = new OutboundQueue(1_000);
        for (var i = 1; i <= 5; i++)
        {
            queue.TryEnqueue(Event(i, 40));
        }

        queue.TryTake(100, _frame, out _, out var bytes);
        Assert.Equal([1L, 2L, 3L], _frame.Select(sent => sent.Position.Offset));
        Assert.Equal(120, bytes);
        _frame.Clear();
        queue.TryTake(100, _frame, out _, out _);
        Assert.Equal([4L, 5L], _frame.Select(sent => sent.Position.Offset));
    }

    [Fact]
    public void A_control_message_keeps_its_place_among_the_events()
    {
        var queue = new OutboundQueue(10_000);
        queue.TryEnqueue(Event(1, 10));
        queue.TryEnqueue(new Control { Type = Control.Reset });
        queue.TryEnqueue(Event(2, 10));

        queue.TryTake(1_000, _frame, out var none, out _);
        Assert.Null(none);
        Assert.Single(_frame);
        _frame.Clear();
        queue.TryTake(1_000, _frame, out var control, out _);
        Assert.Equal(Control.Reset, control!.Type);
        Assert.Empty(_frame);
        queue.TryTake(1_000, _frame, out _, out _);
        Assert.Equal(2, Assert.Single(_frame).Position.Offset);
    }

    [Fact]
    public async Task A_completed_queue_gives_what_it_has_and_ends()
    {
        var queue = new OutboundQueue(100);
        queue.TryEnqueue(Event(1, 10));
        queue.Complete();

        Assert.False(queue.TryEnqueue(Event(2, 10)));
        Assert.True(await queue.WaitToReadAsync(TestContext.Current.CancellationToken));
        queue.TryTake(100, _frame, out _, out _);
        Assert.False(await queue.WaitToReadAsync(TestContext.Current.CancellationToken));
    }

    private static EncodedEvent Event(long offset, int bytes) => new()
    {
        Topic = new TopicKey("default", TopicName.Parse("room:a")),
        Position = new Position("e", offset),
        TraceParent = null,
        Json = new byte[bytes],
    };
}
