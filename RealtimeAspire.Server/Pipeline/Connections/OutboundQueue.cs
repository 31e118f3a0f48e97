using System.Runtime.InteropServices;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>What leaves a connection in one write: events, or a notice.</summary>
/// <param name="Events">The events, if it is those.</param>
/// <param name="Notice">The notice, if it is one.</param>
/// <param name="Bytes">What it takes of the queue, to be given back when it is written.</param>
internal readonly record struct OutboundFrame(EventBatch? Events, Notice? Notice, int Bytes);

/// <summary>What a connection is sent beside events: a control message, or a call that it is asked to handle.</summary>
internal sealed class Notice
{
    private const int EnvelopeBytes = 256;

    public Notice(Control control) => (Control, Bytes) = (control, EnvelopeBytes);

    public Notice(IncomingCall call) => (Call, Bytes) = (call, EnvelopeBytes + JsonMarshal.GetRawUtf8Value(call.Payload).Length);

    public Control? Control { get; }

    public IncomingCall? Call { get; }

    /// <summary>What it counts while it waits.</summary>
    public int Bytes { get; }
}

/// <summary>What waits for one connection, in order and bounded in bytes. Its connection guards it.</summary>
internal sealed class OutboundQueue(int capacity)
{
    // None until something has to wait: most connections are idle, and most writes are done at once.
    private Queue<Item>? _items;

    /// <summary>How many bytes wait or are being written.</summary>
    public long Bytes { get; private set; }

    /// <summary>False: it is full.</summary>
    public bool TryEnqueue(EventBatch events) => TryTakeRoom(events.Bytes) && Enqueue(new Item(events, null, null, events.Bytes));

    /// <inheritdoc cref="TryEnqueue(EventBatch)"/>
    public bool TryEnqueue(Notice notice) => TryTakeRoom(notice.Bytes) && Enqueue(new Item(null, notice, null, notice.Bytes));

    /// <summary>Takes what a subscription conflates, which is asked for its events when its turn comes. The bytes count from <see cref="TryTakeRoom"/>.</summary>
    public void Enqueue(ConflatedEvents conflated) => Enqueue(new Item(null, null, conflated, 0));

    /// <summary>Counts bytes that wait; fewer with a negative number. False: it is full, and they are not counted.</summary>
    public bool TryTakeRoom(int bytes)
    {
        // What comes to an empty queue is taken, however large: it does not wait.
        if (bytes > 0 && Bytes > 0 && Bytes + bytes > capacity)
        {
            return false;
        }

        Bytes += bytes;
        return true;
    }

    /// <summary>Takes what goes into one write: events up to about so many bytes, or one notice.</summary>
    /// <param name="maxBytes">At least one batch is taken.</param>
    /// <param name="taken">Is told of each conflating subscription whose events are taken.</param>
    /// <param name="frame">To be given back with <see cref="Release"/> when it is written.</param>
    public bool TryTake(int maxBytes, Action<ConflatedEvents> taken, out OutboundFrame frame)
    {
        frame = default;
        List<EventBatch>? more = null;
        while (frame.Bytes < maxBytes && _items is not null && _items.TryPeek(out var item))
        {
            if (item.Notice is not null)
            {
                if (frame.Events is null)
                {
                    _items.Dequeue();
                    frame = new OutboundFrame(null, item.Notice, item.Bytes);
                }

                break;
            }

            _items.Dequeue();
            if (EventsOf(item, taken) is { } events)
            {
                if (frame.Events is not null)
                {
                    (more ??= [frame.Events]).Add(events);
                }

                frame = new OutboundFrame(events, null, frame.Bytes + events.Bytes);
            }
        }

        if (more is not null)
        {
            frame = frame with { Events = new EventBatch([.. more.SelectMany(batch => batch.Events)]) };
        }

        return frame.Bytes > 0;
    }

    public void Release(int bytes) => Bytes -= bytes;

    public void Clear()
    {
        _items = null;
        Bytes = 0;
    }

    private static EventBatch? EventsOf(Item item, Action<ConflatedEvents> taken)
    {
        if (item.Conflated is not { } conflated)
        {
            return item.Events;
        }

        conflated.IsQueued = false;
        if (conflated.IsEmpty)
        {
            return null;
        }

        var events = conflated.Take();
        taken(conflated);
        return events;
    }

    private bool Enqueue(Item item)
    {
        (_items ??= new Queue<Item>()).Enqueue(item);
        return true;
    }

    private readonly record struct Item(EventBatch? Events, Notice? Notice, ConflatedEvents? Conflated, int Bytes);
}
