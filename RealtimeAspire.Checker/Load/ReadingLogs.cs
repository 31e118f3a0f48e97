using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>What comes to one subscriber, topic by topic.</summary>
internal sealed class ReadingLogs(string subscriber, IReadOnlyList<string> topics, Durability durability, Tally tally)
{
    private readonly Dictionary<string, ReadingLog> _logs =
        topics.ToDictionary(topic => topic, topic => new ReadingLog(subscriber, topic, durability, tally), StringComparer.Ordinal);

    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<string> Topics => topics;

    /// <summary>Completes when every topic is live for the first time.</summary>
    public Task Joined => _joined.Task;

    public ReadingLog this[string topic] => _logs[topic];

    public void Tell(int connection, SubscribeReply reply)
    {
        _logs[reply.Topic].Tell(connection, reply);
        if (_logs.Values.All(log => log.IsLive))
        {
            _joined.TrySetResult();
        }
    }

    /// <summary>Events of a topic that nobody has asked for are not looked at.</summary>
    public void Arrive(int connection, TopicEvent arrived)
    {
        if (_logs.TryGetValue(arrived.Topic, out var log))
        {
            log.Arrive(connection, arrived);
        }
    }

    /// <summary>The connection has ended.</summary>
    public void Lose()
    {
        foreach (var log in _logs.Values)
        {
            log.Lose();
        }
    }

    /// <summary>Whether everything up to these positions is there.</summary>
    public bool HaveReached(IEnumerable<History> tips) =>
        tips.All(tip => _logs[tip.Topic].At is { } at && at.Epoch == tip.Position.Epoch && at.Offset >= tip.Position.Offset);

    public IEnumerable<Reading> ToReadings(bool stayed) => _logs.Values.Select(log => log.ToReading(stayed));
}
