using System.Threading.Channels;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Where the publishes of a topic wait whose row somebody else holds: an application's transaction that has published to it
/// and has not ended. They hold up nobody but each other, and keep their order. A topic leaves the lane when all of them are
/// answered.
/// </summary>
internal sealed class PostgresSideLane(PostgresAppendWriter writer, TimeProvider time)
{
    private const int MaxBatch = 1_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly Dictionary<TopicKey, List<PendingAppend>> _waiting = [];
    private readonly Channel<bool> _arrivals = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    // Whose row is waited for next, when none is free. Only the loop touches this.
    private readonly Queue<TopicKey> _turns = [];

    /// <summary>True: others of its topic wait here, and it waits behind them.</summary>
    public bool TryFollow(PendingAppend pending)
    {
        lock (_lock)
        {
            if (!_waiting.TryGetValue(pending.Append.Topic, out var line))
            {
                return false;
            }

            line.Add(pending);
            return true;
        }
    }

    /// <summary>Takes publishes of blocked topics; none of those topics is here.</summary>
    public void Enter(IReadOnlyList<PendingAppend> blocked)
    {
        if (blocked.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            foreach (var topic in blocked.GroupBy(pending => pending.Append.Topic))
            {
                _waiting.Add(topic.Key, [.. topic]);
            }
        }

        _arrivals.Writer.TryWrite(true);
    }

    /// <summary>Nothing comes any more: the loop ends with what is here.</summary>
    public void Complete() => _arrivals.Writer.TryComplete();

    public async Task RunAsync(CancellationToken stoppingToken)
    {
        while (await _arrivals.Reader.WaitToReadAsync(CancellationToken.None))
        {
            _arrivals.Reader.TryRead(out _);
            while (Topics() is { Count: > 0 } topics)
            {
                await StoreAsync(topics, stoppingToken);
                RemoveAnswered();
            }

            await writer.CloseAsync();
        }
    }

    private async Task StoreAsync(HashSet<TopicKey> topics, CancellationToken stoppingToken)
    {
        var blocked = await writer.FindBlockedAsync(topics, stoppingToken);
        var free = topics.Where(topic => !blocked.Contains(topic)).ToHashSet();
        if (free.Count == 0)
        {
            free.Add(NextTurn(topics));
        }

        // What is still blocked by then stays where it is.
        var part = Take(free);
        if ((await writer.StoreAsync(part, stoppingToken)).Count == part.Count)
        {
            // For a topic that is being made there is nothing to wait for.
            await Task.Delay(Pause, time, CancellationToken.None);
        }
    }

    private HashSet<TopicKey> Topics()
    {
        lock (_lock)
        {
            foreach (var line in _waiting.Values)
            {
                writer.Alive(line);
            }

            RemoveAnswered_NeedsLock();
            return [.. _waiting.Keys];
        }
    }

    /// <summary>In turn, so that a topic that stays blocked for long holds up no other for long.</summary>
    private TopicKey NextTurn(HashSet<TopicKey> topics)
    {
        while (_turns.TryDequeue(out var topic))
        {
            if (topics.Contains(topic))
            {
                return topic;
            }
        }

        foreach (var topic in topics)
        {
            _turns.Enqueue(topic);
        }

        return _turns.Dequeue();
    }

    private List<PendingAppend> Take(HashSet<TopicKey> topics)
    {
        lock (_lock)
        {
            return AppendLine.BatchOf(topics.SelectMany(topic => _waiting[topic]), MaxBatch);
        }
    }

    private void RemoveAnswered()
    {
        lock (_lock)
        {
            RemoveAnswered_NeedsLock();
        }
    }

    private void RemoveAnswered_NeedsLock()
    {
        foreach (var (topic, line) in _waiting)
        {
            line.RemoveAll(pending => pending.Outcome.IsCompleted);
            if (line.Count == 0)
            {
                _waiting.Remove(topic);
            }
        }
    }
}
