using System.Collections.Concurrent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The log in the memory of a single node. Its epochs end with the process, so a restart is never taken for a rewind.
/// </summary>
internal sealed class MemoryTopicLog(TopicCatalog catalog, TimeProvider time) : ITopicLog
{
    /// <summary>How long a topic without events keeps its epoch and its count.</summary>
    public static readonly TimeSpan QuietLife = TimeSpan.FromDays(7);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<TopicKey, MemoryTopic> _topics = new();
    private long _swept = time.GetTimestamp();

    public bool AnnouncesAppends => false;

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed)
    {
        Sweep();
        var policy = catalog.Get(append.Topic);
        while (true)
        {
            var topic = _topics.GetOrAdd(append.Topic, _ => new MemoryTopic());
            lock (topic)
            {
                // Swept away since it was found.
                if (topic.IsGone)
                {
                    continue;
                }

                topic.Expire(policy, Now());
                return topic.TryAppend(append, policy, Now(), committed, out var outcome)
                    ? Task.FromResult(outcome)
                    : Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.IdConflict));
            }
        }
    }

    public Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        if (!_topics.TryGetValue(topic, out var known))
        {
            return Task.FromResult(LogPage.Empty);
        }

        lock (known)
        {
            known.Expire(catalog.Get(topic), Now());
            return Task.FromResult(known.Read(range, limit));
        }
    }

    public Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
    {
        var tips = new Dictionary<TopicKey, Position>(topics.Count);
        foreach (var topic in topics)
        {
            tips[topic] = Position.Origin;
            if (_topics.TryGetValue(topic, out var known))
            {
                lock (known)
                {
                    known.Touch(Now());
                    tips[topic] = known.Tip;
                }
            }
        }

        return Task.FromResult<IReadOnlyDictionary<TopicKey, Position>>(tips);
    }

    /// <summary>In milliseconds, as all logs have it.</summary>
    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Frees, now and then, what topics hold that nobody uses any more.</summary>
    private void Sweep()
    {
        var swept = Interlocked.Read(ref _swept);
        if (time.GetElapsedTime(swept) < SweepInterval || Interlocked.CompareExchange(ref _swept, time.GetTimestamp(), swept) != swept)
        {
            return;
        }

        foreach (var (key, topic) in _topics)
        {
            lock (topic)
            {
                topic.Expire(catalog.Get(key), Now());
                if (topic.IsEmpty && topic.Used < Now() - QuietLife)
                {
                    topic.IsGone = true;
                    _topics.TryRemove(key, out _);
                }
            }
        }
    }
}
