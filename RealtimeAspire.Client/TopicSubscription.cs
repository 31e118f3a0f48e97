using System.Threading.Channels;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// A topic's events, in order and each once, across reconnects. Enumerate it once.
/// </summary>
/// <example><code>await foreach (var e in subscription) { Console.WriteLine(e.Event); }</code></example>
public sealed class TopicSubscription : IAsyncEnumerable<TopicEvent>, IAsyncDisposable
{
    private readonly RealtimeClient _client;
    private readonly SubscribeOptions _options;
    private readonly Channel<TopicEvent> _events = Channel.CreateUnbounded<TopicEvent>();
    private readonly Lock _lock = new();

    // Under the lock. While joining, what arrives is buffered.
    private List<TopicEvent>? _buffer = [];
    private Position? _position;

    internal TopicSubscription(RealtimeClient client, string topic, SubscribeOptions options)
    {
        (_client, Topic, _options, _position) = (client, topic, options, options.Position);
    }

    /// <summary>The topic's name.</summary>
    public string Topic { get; }

    /// <summary>Where the subscription is: after the last event that was put out; null until the first reply.</summary>
    public Position? Position
    {
        get
        {
            lock (_lock)
            {
                return _position;
            }
        }
    }

    /// <summary>The events, until the subscription is disposed or <paramref name="cancellationToken"/> is cancelled.</summary>
    /// <exception cref="RealtimeException">The server ended the subscription.</exception>
    public IAsyncEnumerator<TopicEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        _events.Reader.ReadAllAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);

    /// <summary>Leaves the topic.</summary>
    public async ValueTask DisposeAsync()
    {
        _events.Writer.TryComplete();
        await _client.LeaveAsync(this);
    }

    /// <summary>What arrives from now on waits for the reply.</summary>
    internal SubscribeRequest BeginJoin()
    {
        lock (_lock)
        {
            _buffer = [];
            return new SubscribeRequest { Topic = Topic, Position = _position, Rewind = _position is null ? _options.Rewind : null };
        }
    }

    /// <summary>Merges the reply with what arrived before it.</summary>
    /// <returns>False: the result has a hole, join again.</returns>
    internal bool EndJoin(SubscribeReply reply)
    {
        var lost = reply.Recovery is Recovery.Gap or Recovery.NewEpoch;
        var complete = true;
        lock (_lock)
        {
            if (lost || _position is null)
            {
                // A rewind starts before its first event.
                _position = reply.Events.Count > 0 ? new Position(reply.Events[0].Epoch, reply.Events[0].Offset!.Value - 1) : reply.Position;
            }

            foreach (var arrived in reply.Events)
            {
                complete &= TryTake_NeedsLock(arrived);
            }

            if (!reply.More)
            {
                foreach (var arrived in _buffer ?? [])
                {
                    complete &= TryTake_NeedsLock(arrived);
                }

                _buffer = null;
            }
        }

        if (lost)
        {
            _options.OnLost?.Invoke(reply.Recovery, reply.Position);
        }

        return complete;
    }

    /// <summary>An event from the connection.</summary>
    /// <returns>False: there is a hole before it, join again.</returns>
    internal bool Arrive(TopicEvent arrived)
    {
        lock (_lock)
        {
            if (_buffer is not null)
            {
                _buffer.Add(arrived);
                return true;
            }

            return TryTake_NeedsLock(arrived);
        }
    }

    internal void Fail(Exception error) => _events.Writer.TryComplete(error);

    private bool TryTake_NeedsLock(TopicEvent arrived)
    {
        if (arrived.Position is not { } position)
        {
            _events.Writer.TryWrite(arrived);
            return true;
        }

        var last = _position ?? Protocol.Position.Origin;
        var isSameLog = last == Protocol.Position.Origin || position.Epoch == last.Epoch;
        if (isSameLog && position.Offset <= last.Offset)
        {
            return true;
        }

        if (!isSameLog || position.Offset != last.Offset + 1)
        {
            return false;
        }

        _events.Writer.TryWrite(arrived);
        _position = position;
        return true;
    }
}
