using System.Threading.Channels;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>What waits for one connection, bounded in bytes. Writers never wait.</summary>
internal sealed class OutboundQueue(int capacity)
{
    private const int ControlBytes = 256;

    private readonly Channel<Item> _items = Channel.CreateUnbounded<Item>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ByteBudget _budget = new(capacity);

    /// <summary>How many bytes wait or are being written.</summary>
    public long Bytes => _budget.Taken;

    /// <summary>False: it is full, or completed.</summary>
    public bool TryEnqueue(EncodedEvent queued) => TryEnqueue(new Item(queued, null));

    /// <inheritdoc cref="TryEnqueue(EncodedEvent)"/>
    public bool TryEnqueue(Control control) => TryEnqueue(new Item(null, control));

    /// <summary>Takes no more; what waits can still be read.</summary>
    public void Complete() => _items.Writer.TryComplete();

    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken) => _items.Reader.WaitToReadAsync(cancellationToken);

    /// <summary>
    /// Takes what goes into one frame: events up to about so many bytes, or one control message.
    /// </summary>
    /// <param name="maxBytes">At least one event is taken.</param>
    /// <param name="events">Is filled with events.</param>
    /// <param name="control">The control message, when there are no events.</param>
    /// <param name="bytes">To be given back with <see cref="Release"/> when they are written.</param>
    public bool TryTake(int maxBytes, List<EncodedEvent> events, out Control? control, out int bytes)
    {
        (control, bytes) = (null, 0);
        while (bytes < maxBytes && _items.Reader.TryPeek(out var item))
        {
            if (item.Control is not null && events.Count > 0)
            {
                break;
            }

            _items.Reader.TryRead(out _);
            bytes += item.Bytes;
            if (item.Control is not null)
            {
                control = item.Control;
                break;
            }

            events.Add(item.Event!);
        }

        return bytes > 0;
    }

    public void Release(int bytes) => _budget.Release(bytes);

    private bool TryEnqueue(Item item)
    {
        if (!_budget.TryTake(item.Bytes))
        {
            return false;
        }

        if (_items.Writer.TryWrite(item))
        {
            return true;
        }

        _budget.Release(item.Bytes);
        return false;
    }

    private readonly record struct Item(EncodedEvent? Event, Control? Control)
    {
        public int Bytes => Event?.Json.Length ?? ControlBytes;
    }
}
