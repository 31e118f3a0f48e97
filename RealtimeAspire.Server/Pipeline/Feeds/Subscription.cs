using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>A connection's place in a topic. It buffers until it goes live.</summary>
internal sealed class Subscription(Connection connection, TopicKey topic)
{
    /// <summary>How much the feed buffers for a joiner; past that the joiner reads the log again.</summary>
    public const int MaxBuffered = 1_000;

    /// <inheritdoc cref="MaxBuffered"/>
    public const int MaxBufferedBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private List<EncodedEvent>? _buffer = [];
    private int _bufferedBytes;
    private bool _overflowed;
    private bool _ended;
    private Position _last;

    public Connection Connection => connection;

    public TopicKey Topic => topic;

    /// <summary>The feed it is attached to; set before anything else sees the subscription.</summary>
    public TopicFeed? Feed { get; set; }

    /// <summary>The feed's next event; called by the feed's loop, in order.</summary>
    public void Offer(EncodedEvent offered)
    {
        lock (_lock)
        {
            if (_ended)
            {
                return;
            }

            if (_buffer is not null)
            {
                _overflowed |= _buffer.Count >= MaxBuffered || _bufferedBytes + offered.Json.Length > MaxBufferedBytes;
                if (!_overflowed)
                {
                    _buffer.Add(offered);
                    _bufferedBytes += offered.Json.Length;
                }

                return;
            }

            // What the log's page already held comes again from a feed that was behind it.
            if (offered.Position.Offset > _last.Offset)
            {
                _last = offered.Position;
                connection.Send(offered);
            }
        }
    }

    /// <summary>
    /// Merges what was buffered behind what was read and goes live, if together they have no hole.
    /// </summary>
    /// <param name="at">Where the reader is; moved over what is added to <paramref name="events"/>.</param>
    /// <param name="events">The events of the reply.</param>
    /// <returns>False: something between is missing, read on from <paramref name="at"/>; or it has ended.</returns>
    public bool TryGoLive(ref Position at, List<EncodedEvent> events)
    {
        lock (_lock)
        {
            var complete = !_overflowed && !_ended;
            foreach (var buffered in _buffer!)
            {
                if (buffered.Position.Offset <= at.Offset)
                {
                    continue;
                }

                if (buffered.Position.Offset != at.Offset + 1 || (at != Position.Origin && buffered.Position.Epoch != at.Epoch))
                {
                    complete = false;
                    break;
                }

                events.Add(buffered);
                at = buffered.Position;
            }

            _overflowed = false;
            _buffer.Clear();
            _bufferedBytes = 0;
            if (complete)
            {
                _buffer = null;
                _last = at;
            }

            return complete;
        }
    }

    /// <summary>What the feed brings goes to the connection.</summary>
    public bool IsLive
    {
        get
        {
            lock (_lock)
            {
                return _buffer is null && !_ended;
            }
        }
    }

    public bool HasEnded
    {
        get
        {
            lock (_lock)
            {
                return _ended;
            }
        }
    }

    /// <summary>No event follows this call.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
        }

        Feed?.Remove(this);
    }
}
