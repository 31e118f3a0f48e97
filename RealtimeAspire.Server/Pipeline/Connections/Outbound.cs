using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>
/// Writes what is sent to one connection. Whoever sends writes at once, if nothing is being written; if something is, the
/// rest waits and leaves in as few writes as possible. Nobody waits for the reader.
/// </summary>
/// <param name="transport">How the bytes leave.</param>
/// <param name="capacity">How many bytes may wait.</param>
/// <param name="tenant">For the counts.</param>
/// <param name="instruments">Count.</param>
/// <param name="time">For what is conflated.</param>
/// <param name="overflowed">Called when more would wait than may.</param>
internal sealed class Outbound(
    IConnectionTransport transport, int capacity, string tenant, RealtimeInstruments instruments, TimeProvider time, Action overflowed)
{
    private const int FrameBytes = 128 * 1024;

    // After so many writes a sender hands over to the pool: it has other connections to serve.
    private const int WritesPerSender = 8;

    private static readonly TimeSpan TellInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();

    // Under the lock. While nothing is being written nothing waits in the queue.
    private readonly OutboundQueue _queue = new(capacity);
    private CancellationTokenSource? _stopping;
    private TaskCompletionSource? _idle;
    private bool _writing;
    private bool _completed;

    public void Send(EventBatch events)
    {
        Turn turn;
        lock (_lock)
        {
            turn = _writing ? Wait_NeedsLock(_queue.TryEnqueue(events)) : Begin_NeedsLock(new OutboundFrame(events, null, events.Bytes));
        }

        Take(turn);
    }

    public void Send(Notice notice)
    {
        Turn turn;
        lock (_lock)
        {
            turn = _writing ? Wait_NeedsLock(_queue.TryEnqueue(notice)) : Begin_NeedsLock(new OutboundFrame(null, notice, notice.Bytes));
        }

        Take(turn);
    }

    /// <summary>Sends the newest event of each key, as soon as the connection is free and the interval has passed.</summary>
    public void Send(ConflatedEvents conflated, EventBatch events)
    {
        Turn turn;
        lock (_lock)
        {
            // It has ended while these were on their way to it.
            if (conflated.IsForgotten)
            {
                return;
            }

            var bytes = conflated.Put(events, out var dropped);
            instruments.Dropped(tenant, dropped);
            turn = _queue.TryTakeRoom(bytes) ? EnqueueWhenDue_NeedsLock(conflated) : Wait_NeedsLock(fits: false);
        }

        Take(turn);
    }

    /// <summary>What waits for a subscription that has ended is not sent.</summary>
    public void Forget(ConflatedEvents conflated)
    {
        lock (_lock)
        {
            _queue.Release(conflated.Clear());
        }
    }

    /// <summary>Takes no more; what waits is dropped.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _completed = true;
            _queue.Clear();
        }
    }

    /// <summary>Takes no more, and completes when nothing is being written: the transport is gone, and does not hold it up for long.</summary>
    public async Task FinishAsync()
    {
        Complete();
        CancellationTokenSource? stopping;
        Task idle;
        lock (_lock)
        {
            idle = _writing ? (_idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task : Task.CompletedTask;
            stopping = _stopping;
        }

        if (stopping is not null)
        {
            await stopping.CancelAsync();
        }

        await idle;
        stopping?.Dispose();
    }

    private Turn Begin_NeedsLock(OutboundFrame frame)
    {
        if (_completed || !_queue.TryTakeRoom(frame.Bytes))
        {
            return Wait_NeedsLock(fits: _completed);
        }

        _writing = true;
        return new Turn(frame, Overflows: false, Stopping_NeedsLock());
    }

    private static Turn Wait_NeedsLock(bool fits) => new(default, Overflows: !fits, default);

    private void Take(Turn turn)
    {
        if (turn.Frame.Bytes > 0)
        {
            Write(turn.Frame, turn.Stopping);
        }
        else if (turn.Overflows)
        {
            overflowed();
        }
    }

    /// <summary>Writes until nothing waits, or the reader is slow: then the rest follows when it has read.</summary>
    private void Write(OutboundFrame frame, CancellationToken stopping)
    {
        for (var writes = 1; ; writes++)
        {
            var sending = SendAsync(frame, stopping);
            if (!sending.IsCompletedSuccessfully)
            {
                _ = WriteRestAsync(frame, sending, stopping);
                return;
            }

            if (!TryTakeNext(ref frame))
            {
                return;
            }

            if (writes == WritesPerSender)
            {
                HandOver(frame, stopping);
                return;
            }
        }
    }

    // By itself: its closure would be made for every write.
    private void HandOver(OutboundFrame frame, CancellationToken stopping) =>
        _ = Background.Run(() => WriteRestAsync(frame, SendAsync(frame, stopping), stopping));

    private async Task WriteRestAsync(OutboundFrame frame, ValueTask sending, CancellationToken stopping)
    {
        try
        {
            await sending;
            while (TryTakeNext(ref frame))
            {
                await SendAsync(frame, stopping);
            }
        }
        // The transport is gone, and with it what waited; the connection's owner hears of that by itself.
#pragma warning disable CA1031
        catch (Exception)
#pragma warning restore CA1031
        {
            Complete();
            TryTakeNext(ref frame);
        }
    }

    /// <summary>Throws nothing by itself, whatever the transport does: who sends has others to serve.</summary>
    private ValueTask SendAsync(OutboundFrame frame, CancellationToken stopping)
    {
        try
        {
            return frame.Notice switch
            {
                { Control: { } control } => transport.SendControlAsync(control, stopping),
                { Call: { } call } => transport.SendCallAsync(call, stopping),
                _ => transport.SendEventsAsync(frame.Events!, stopping),
            };
        }
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return ValueTask.FromException(exception);
        }
    }

    /// <summary>A frame has been written; takes the next, if there is one.</summary>
    private bool TryTakeNext(ref OutboundFrame frame)
    {
        if (frame.Events is { } events)
        {
            instruments.Delivered(tenant, events.Events.Count);
        }

        lock (_lock)
        {
            _queue.Release(frame.Bytes);
            _writing = !_completed && _queue.TryTake(FrameBytes, Taken_NeedsLock, out frame);
            if (!_writing)
            {
                _idle?.TrySetResult();
            }

            return _writing;
        }
    }

    private CancellationToken Stopping_NeedsLock() => (_stopping ??= new CancellationTokenSource()).Token;

    /// <summary>Its events leave now; it may leave again after its interval.</summary>
    private void Taken_NeedsLock(ConflatedEvents conflated)
    {
        var now = time.GetTimestamp();
        conflated.DueAt = now + (long)(conflated.Interval.TotalSeconds * time.TimestampFrequency);
        if (conflated.Dropped > 0
            && (conflated.ToldAt == 0 || time.GetElapsedTime(conflated.ToldAt, now) >= TellInterval)
            && _queue.TryEnqueue(new Notice(new Control { Type = Control.Dropped, Topic = conflated.Topic.Name.Value, Count = conflated.Dropped })))
        {
            (conflated.Dropped, conflated.ToldAt) = (0, now);
        }
    }

    private Turn EnqueueWhenDue_NeedsLock(ConflatedEvents conflated)
    {
        if (_completed || conflated.IsQueued)
        {
            return Wait_NeedsLock(fits: true);
        }

        conflated.IsQueued = true;
        var wait = conflated.Interval == TimeSpan.Zero ? TimeSpan.Zero : time.GetElapsedTime(time.GetTimestamp(), conflated.DueAt);
        if (wait <= TimeSpan.Zero)
        {
            return Enqueue_NeedsLock(conflated);
        }

        conflated.Timer ??= time.CreateTimer(_ => SendDue(conflated), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        conflated.Timer.Change(wait, Timeout.InfiniteTimeSpan);
        return Wait_NeedsLock(fits: true);
    }

    private void SendDue(ConflatedEvents conflated)
    {
        Turn turn;
        lock (_lock)
        {
            turn = _completed ? Wait_NeedsLock(fits: true) : Enqueue_NeedsLock(conflated);
        }

        Take(turn);
    }

    private Turn Enqueue_NeedsLock(ConflatedEvents conflated)
    {
        _queue.Enqueue(conflated);
        if (_writing || !_queue.TryTake(FrameBytes, Taken_NeedsLock, out var frame))
        {
            return Wait_NeedsLock(fits: true);
        }

        _writing = true;
        return new Turn(frame, Overflows: false, Stopping_NeedsLock());
    }

    /// <summary>What a sender has to do after it has left the lock: write, or say that there is no room, or nothing.</summary>
    private readonly record struct Turn(OutboundFrame Frame, bool Overflows, CancellationToken Stopping);
}
