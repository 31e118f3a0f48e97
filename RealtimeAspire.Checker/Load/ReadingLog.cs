using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Writes down what comes to one subscriber of one topic, and knows from where it has to continue.</summary>
internal sealed class ReadingLog(string subscriber, string topic, Durability durability, Tally tally)
{
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly List<Step> _steps = [];
    private readonly ReadingCheck _check = new(subscriber, topic, durability, []);
    private int? _connection;
    private bool _isLive;

    public string Topic => topic;

    /// <summary>Where it is; null before the first reply.</summary>
    public Position? At
    {
        get
        {
            lock (_lock)
            {
                return _check.At;
            }
        }
    }

    public bool IsLive
    {
        get
        {
            lock (_lock)
            {
                return _isLive;
            }
        }
    }

    /// <summary>Subscribes from where it is, on this connection from now on.</summary>
    public SubscribeRequest Ask(int connection)
    {
        lock (_lock)
        {
            (_connection, _isLive) = (connection, false);
            Write_NeedsLock(new Step.Asked(_check.At));
            return new SubscribeRequest { Topic = topic, Position = _check.At };
        }
    }

    public void Tell(int connection, SubscribeReply reply)
    {
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            _isLive = !reply.More;
            Write_NeedsLock(new Step.Told(reply.Recovery, reply.Position, [.. reply.Events.Select(ToSeen)], reply.More));
        }

        tally.Receive(reply.Events.Count);
        if (reply.Recovery is Recovery.Gap or Recovery.NewEpoch)
        {
            tally.TellLost();
        }
    }

    public void Arrive(int connection, TopicEvent arrived)
    {
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            Write_NeedsLock(new Step.Live(ToSeen(arrived)));
        }

        tally.Receive(1);
    }

    public void Reset(int connection)
    {
        lock (_lock)
        {
            if (_connection == connection)
            {
                _isLive = false;
                Write_NeedsLock(new Step.Reset());
            }
        }
    }

    /// <summary>The connection has ended: what still comes of it does not count.</summary>
    public void Lose()
    {
        lock (_lock)
        {
            if (_connection is not null)
            {
                (_connection, _isLive) = (null, false);
                Write_NeedsLock(new Step.Lost());
            }
        }
    }

    public Reading ToReading(bool stayed)
    {
        lock (_lock)
        {
            return new Reading(subscriber, topic, [.. _steps], stayed);
        }
    }

    public static Seen ToSeen(TopicEvent topicEvent) =>
        new(topicEvent.Position, topicEvent.Id, topicEvent.Data.Payload.GetRawText(), topicEvent.Data.Timestamp);

    private void Write_NeedsLock(Step step)
    {
        _steps.Add(step);
        _check.Follow(step);
    }
}
