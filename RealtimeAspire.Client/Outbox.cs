using RealtimeAspire.Client.Stores;
using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// Publishes on their way: in order per topic, one attempt per topic at a time, each until it has an answer. What waits behind an
/// attempt leaves together with the next.
/// </summary>
internal sealed class Outbox(RealtimeClientOptions options)
{
    /// <summary>The most that one call carries: the server closes a connection whose message is larger than two payloads, in bytes as they are sent.</summary>
    private const int MaxBatch = 100;
    private const int MaxBatchLength = 64 * 1024;

    private readonly TimeProvider _time = options.Time;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private ILink? _link;
    private RealtimeException? _closed;
    private int _count;
    private bool _isOpen = options.OutboxStore is null;

    /// <summary>How many publishes have no answer yet.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Those, the oldest first.</summary>
    public IReadOnlyList<OutboxItem> Items
    {
        get
        {
            lock (_lock)
            {
                return [.. _lanes.Values.SelectMany(lane => lane.Entries).Select(entry => entry.Item).OrderBy(item => item.At)];
            }
        }
    }

    /// <summary>Takes over what others have left in the store. Nothing is sent before that is known.</summary>
    public void Open()
    {
        lock (_lock)
        {
            if (_isOpen)
            {
                return;
            }

            Store(store => store.Open(TakeOver));
            _isOpen = true;
            Expire();
            foreach (var (_, lane) in _lanes)
            {
                Pump_NeedsLock(lane);
            }
        }
    }

    /// <summary>Completes with the server's answer, whenever that comes.</summary>
    /// <exception cref="RealtimeException"><c>outbox_full</c>, <c>outbox_expired</c>, <c>unknown</c>, <c>closed</c>, or what the server said.</exception>
    public Task<PublishReply> AddAsync(PublishRequest request)
    {
        var entry = new OutboxEntry(new OutboxItem(request, _time.GetUtcNow()), _time.GetTimestamp(), null);
        lock (_lock)
        {
            if (_closed is { } closed)
            {
                return Task.FromException<PublishReply>(closed);
            }

            if (_count >= options.OutboxCount)
            {
                return Task.FromException<PublishReply>(new RealtimeException(ClientErrors.OutboxFull));
            }

            _count++;
            // The first attempt does not wait for it: without an answer the application does not count on it yet.
            Store(store => store.Put(entry.Item));
            var lane = LaneOf_NeedsLock(request.Topic!);
            lane.Entries.Add(entry);
            Pump_NeedsLock(lane);
        }

        return entry.Answer.Task;
    }

    /// <summary>There is a connection, or there is none any more.</summary>
    public void Connect(ILink? link)
    {
        lock (_lock)
        {
            _link = link;
            // Before any of it is sent: the server may have forgotten the ids.
            Expire();
            foreach (var (_, lane) in _lanes)
            {
                (lane.Failed, lane.IsWaiting) = (0, false);
                Pump_NeedsLock(lane);
            }
        }
    }

    /// <summary>Gives up what is too old: never sent, or sent and not answered, which nobody can say any more what became of.</summary>
    public void Expire()
    {
        lock (_lock)
        {
            // Whoever is told may publish to another topic.
            foreach (var lane in _lanes.Values.ToArray())
            {
                while (!lane.IsSending && lane.Entries.Count > 0 && _time.GetElapsedTime(lane.Entries[0].AddedAt) > options.OutboxAge)
                {
                    var entry = lane.Entries[0];
                    Remove_NeedsLock(lane, entry);
                    entry.Fail(new RealtimeException(entry.WasAttempted ? ClientErrors.Unknown : ClientErrors.OutboxExpired));
                }
            }
        }
    }

    /// <summary>Nothing is sent any more.</summary>
    public void Close(RealtimeException reason)
    {
        lock (_lock)
        {
            (_closed, _link) = (reason, null);
            Store(static store => store.Dispose());
            foreach (var (_, lane) in _lanes)
            {
                foreach (var entry in lane.Entries)
                {
                    entry.Fail(reason, isOutcome: false);
                }
            }

            _lanes.Clear();
            _count = 0;
        }
    }

    private void TakeOver(IReadOnlyList<OutboxItem> items)
    {
        lock (_lock)
        {
            if (_closed is not null)
            {
                return;
            }

            _count += items.Count;
            foreach (var topic in items.GroupBy(item => item.Request.Topic!, StringComparer.Ordinal))
            {
                var lane = LaneOf_NeedsLock(topic.Key);
                // At first before what has been published since.
                lane.Entries.InsertRange(_isOpen ? lane.Entries.Count : 0, topic.Select(LeftBehind));
                Expire();
                Pump_NeedsLock(lane);
            }
        }
    }

    /// <summary>Nobody waits for its answer any more, and nobody knows whether it was sent.</summary>
    private OutboxEntry LeftBehind(OutboxItem item)
    {
        var age = _time.GetUtcNow() - item.At;
        return new OutboxEntry(item, _time.GetTimestamp() - (long)(age.TotalSeconds * _time.TimestampFrequency), options.OnLateOutcome ?? (static _ => { })) { WasAttempted = true };
    }

    /// <summary>What cannot be stored waits in memory all the same.</summary>
    private void Store(Action<IOutboxStore> act)
    {
        try
        {
            if (options.OutboxStore is { } store)
            {
                act(store);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A disk that is full, for example.
        }
    }

    private Lane LaneOf_NeedsLock(string topic)
    {
        if (!_lanes.TryGetValue(topic, out var lane))
        {
            _lanes[topic] = lane = new Lane(topic);
        }

        return lane;
    }

    private void Pump_NeedsLock(Lane lane)
    {
        if (_isOpen && _link is { } link && !lane.IsSending && !lane.IsWaiting && lane.Entries.Count > 0)
        {
            lane.IsSending = true;
            var batch = NextBatch(lane.Entries);
            _ = Task.Run(() => SendAsync(lane, batch, link));
        }
    }

    private async Task SendAsync(Lane lane, OutboxEntry[] batch, ILink link)
    {
        RealtimeException? failure;
        try
        {
            Array.ForEach(batch, static entry => entry.Attempt());
            var outcomes = await link.PublishAsync(Array.ConvertAll(batch, static entry => entry.Item.Request), CancellationToken.None).WaitAsync(options.AnswerTimeout, _time);
            failure = Settle(lane, batch, outcomes);
        }
        catch (TimeoutException exception)
        {
            failure = new RealtimeException(ErrorCode.Disconnected, ErrorCode.Disconnected.Sentence, exception);
        }
        catch (RealtimeException exception)
        {
            failure = exception;
            if (!exception.Error.Retryable)
            {
                Array.ForEach(batch, entry => Answer(lane, entry, entry => entry.Fail(exception)));
            }
        }

        await GoOnAsync(lane, link, failure);
    }

    private async Task GoOnAsync(Lane lane, ILink link, RealtimeException? failure)
    {
        TimeSpan wait;
        lock (_lock)
        {
            lane.IsSending = false;
            if (failure is not { Error.Retryable: true } || _link != link)
            {
                lane.Failed = failure is null ? 0 : lane.Failed;
                if (lane.Entries.Count == 0)
                {
                    _lanes.Remove(lane.Topic);
                }

                Pump_NeedsLock(lane);
                return;
            }

            wait = options.Reconnect.DelayAfter(lane.Failed++);
            wait = failure.RetryAfter is { } asked && asked > wait ? asked : wait;
            lane.IsWaiting = true;
        }

        await Task.Delay(wait, _time);
        lock (_lock)
        {
            if (lane.IsWaiting)
            {
                lane.IsWaiting = false;
                Pump_NeedsLock(lane);
            }
        }
    }

    /// <summary>Up to the first that may succeed later, which is returned.</summary>
    private RealtimeException? Settle(Lane lane, OutboxEntry[] batch, PublishOutcome[] outcomes)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            if (i >= outcomes.Length)
            {
                return new RealtimeException(ErrorCode.Internal);
            }

            if (outcomes[i].Reply is { } reply)
            {
                Answer(lane, batch[i], entry => entry.Succeed(reply));
                continue;
            }

            var error = outcomes[i].Error!;
            var exception = new RealtimeException(ErrorCode.Find(error.Code) with { Retryable = error.Retryable }, error.Message)
            {
                RetryAfter = error.RetryAfterMs is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null,
            };
            if (error.Retryable)
            {
                foreach (var (entry, outcome) in batch.Zip(outcomes))
                {
                    // Not this time; but it may have been before.
                    entry.WasAttempted = outcome.Error?.Code != ErrorCode.NotAttempted.Code || entry.WasAttemptedBefore;
                }

                return exception;
            }

            Answer(lane, batch[i], entry => entry.Fail(exception));
        }

        return null;
    }

    private void Answer(Lane lane, OutboxEntry entry, Action<OutboxEntry> answer)
    {
        lock (_lock)
        {
            Remove_NeedsLock(lane, entry);
        }

        answer(entry);
    }

    private void Remove_NeedsLock(Lane lane, OutboxEntry entry)
    {
        if (lane.Entries.Remove(entry) && _closed is null)
        {
            _count--;
            Store(store => store.Delete(entry.Item));
        }
    }

    private static OutboxEntry[] NextBatch(List<OutboxEntry> entries)
    {
        var (count, length) = (0, 0);
        foreach (var entry in entries)
        {
            length += entry.Length;
            if (count > 0 && (count == MaxBatch || length > MaxBatchLength))
            {
                break;
            }

            count++;
        }

        return [.. entries.Take(count)];
    }

    /// <summary>One topic's.</summary>
    private sealed class Lane(string topic)
    {
        public string Topic => topic;

        public List<OutboxEntry> Entries { get; } = [];

        public bool IsSending { get; set; }

        public bool IsWaiting { get; set; }

        public int Failed { get; set; }
    }
}
