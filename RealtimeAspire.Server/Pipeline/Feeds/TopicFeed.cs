using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// Puts one topic's events in order on one node and fans them out. Events reach it through one queue, whoever brings them;
/// one loop takes them, drops what is older, and fills holes from the log.
/// </summary>
internal sealed partial class TopicFeed(TopicKey topic, FeedContext context)
{
    private const int QueueLength = 10_000;
    private const int QueueBytes = 16 * 1024 * 1024;
    private const int FillPage = 500;

    /// <summary>Two nodes' messages may cross; what is still missing after this time is read from the log.</summary>
    private static readonly TimeSpan CrossingTime = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan RetryTime = TimeSpan.FromMilliseconds(500);

    private readonly ILogger _logger = context.Logger;
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<Subscription, bool> _subscriptions = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // A full queue refuses: the sequence then sees a hole and reads the log.
    private readonly Channel<Input> _queue = Channel.CreateBounded<Input>(new BoundedChannelOptions(QueueLength) { SingleReader = true });

    private readonly ByteBudget _queueBytes = new(QueueBytes);

    // Only the loop touches these.
    private readonly FeedSequence _sequence = new();
    private readonly List<EncodedEvent> _ready = [];
    private long? _holeSince;

    // Written by the loop, read by anybody.
    private long _lastOffset;
    private int _subscribers;

    // Under the lock.
    private Task? _loop;
    private long _idleSince;
    private bool _closed;

    public TopicKey Topic => topic;

    /// <summary>The offset of the last event that was fanned out.</summary>
    public long LastOffset => Volatile.Read(ref _lastOffset);

    /// <summary>Completes when the backplane's channel is attached and the log's tip is known: what comes after is seen.</summary>
    public Task Started => _started.Task;

    /// <summary>Completes when a closed feed has left the backplane's channel.</summary>
    public Task Finished
    {
        get
        {
            lock (_lock)
            {
                return _loop ?? Task.CompletedTask;
            }
        }
    }

    /// <summary>False: the feed is closing, wait for <see cref="Finished"/> and take another.</summary>
    public bool TryAdd(Subscription subscription)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            subscription.Feed = this;
            _subscriptions.TryAdd(subscription, true);
            _subscribers++;
            _loop ??= Background.Run(RunAsync);
            return true;
        }
    }

    public void Remove(Subscription subscription)
    {
        lock (_lock)
        {
            if (_subscriptions.TryRemove(subscription, out _) && --_subscribers == 0)
            {
                _idleSince = context.Time.GetTimestamp();
            }
        }
    }

    /// <summary>Closes a feed that nobody has listened to for so long.</summary>
    public bool TryClose(TimeSpan idle)
    {
        lock (_lock)
        {
            if (!_closed && _subscribers == 0 && context.Time.GetElapsedTime(_idleSince) >= idle)
            {
                Close_NeedsLock();
            }

            return _closed;
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            Close_NeedsLock();
        }
    }

    /// <summary>An event, from this node or another. Only enqueues.</summary>
    public void Post(EncodedEvent posted)
    {
        if (_queueBytes.TryTake(posted.Json.Length) && !_queue.Writer.TryWrite(new Input(posted, default, 0)))
        {
            _queueBytes.Release(posted.Json.Length);
        }
    }

    /// <summary>The log's tip, as read a moment ago. Only enqueues.</summary>
    /// <param name="tip">What was read.</param>
    /// <param name="asOf"><see cref="LastOffset"/> before the log was asked: the tip of a sound log is not below it.</param>
    public void PostTip(Position tip, long asOf) => _queue.Writer.TryWrite(new Input(null, tip, asOf));

    private void Close_NeedsLock()
    {
        _closed = true;
        _queue.Writer.TryComplete();
    }

    private async Task RunAsync()
    {
        try
        {
            await FeedAsync();
        }
        // A fault of ours: this feed ends, its subscribers come back to a new one.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogFailed(exception, topic);
            Close();
            Reset(_sequence.Last);
        }
    }

    private async Task FeedAsync()
    {
        await using var channel = await context.Backplane.SubscribeAsync(topic, Post);
        await StartAtTipAsync();
        while (await WaitAsync())
        {
            while (_queue.Reader.TryRead(out var input))
            {
                await TakeAsync(input);
            }

            if (HoleIsOld())
            {
                await FillAsync();
            }
        }
    }

    private async Task StartAtTipAsync()
    {
        while (!IsClosed())
        {
            if (await ReadTipAsync() is { } tip)
            {
                _sequence.Restart(tip);
                Volatile.Write(ref _lastOffset, tip.Offset);
                _started.TrySetResult();
                return;
            }

            await Task.Delay(RetryTime, context.Time);
        }
    }

    private bool IsClosed()
    {
        lock (_lock)
        {
            return _closed;
        }
    }

    /// <summary>Waits for an event, or with a hole for the time that crossing messages have. False: closed.</summary>
    private async Task<bool> WaitAsync()
    {
        if (!_sequence.HasHole)
        {
            _holeSince = null;
            return await _queue.Reader.WaitToReadAsync();
        }

        _holeSince ??= context.Time.GetTimestamp();
        using var crossing = new CancellationTokenSource(CrossingTime, context.Time);
        try
        {
            return await _queue.Reader.WaitToReadAsync(crossing.Token);
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private bool HoleIsOld() =>
        _sequence.HasHole && _holeSince is { } since && context.Time.GetElapsedTime(since) >= CrossingTime;

    private async Task TakeAsync(Input input)
    {
        if (input.Event is { } posted)
        {
            _queueBytes.Release(posted.Json.Length);
            if (_sequence.Take(posted, _ready) is FeedVerdict.Foreign)
            {
                await CompareWithLogAsync();
            }

            FanOut();
        }
        else if (input.Tip.Epoch == _sequence.Last.Epoch && input.Tip.Offset >= _sequence.Last.Offset)
        {
            _sequence.Expect(input.Tip.Offset);
        }
        else if (input.Tip.Epoch != _sequence.Last.Epoch || input.Tip.Offset < input.AsOf)
        {
            await CompareWithLogAsync();
        }
    }

    /// <summary>
    /// Something says that the log is another one or shorter. Only a tip read now can tell: everything fanned out was
    /// committed before, so it is at least as far, or the log has lost events.
    /// </summary>
    private async Task CompareWithLogAsync()
    {
        if (await ReadTipAsync() is not { } tip || tip == _sequence.Last)
        {
            return;
        }

        var sameLog = _sequence.Last.Offset == 0 || tip.Epoch == _sequence.Last.Epoch;
        if (sameLog && tip.Offset >= _sequence.Last.Offset)
        {
            if (_sequence.Last.Offset == 0)
            {
                _sequence.Restart(Position.Origin);
            }

            _sequence.Expect(tip.Offset);
        }
        else
        {
            Reset(tip);
        }
    }

    private async Task FillAsync()
    {
        while (_sequence.HasHole)
        {
            LogPage page;
            var last = _sequence.Last;
            try
            {
                page = await context.Log.ReadAsync(topic, new LogRange.After(last.Offset), FillPage, CancellationToken.None);
            }
            catch (RealtimeException exception)
            {
                LogFillFailed(exception, topic);
                await Task.Delay(RetryTime, context.Time);
                return;
            }

            if (last.Offset > 0 && page.Tip.Epoch != last.Epoch || page.Tip.Offset < last.Offset)
            {
                Reset(page.Tip);
            }
            else if (page.Tip.Offset == last.Offset)
            {
                // What was announced is not in the log.
                _sequence.Restart(last);
            }
            else if (page.Events.Count == 0 || page.Events[0].Position.Offset != last.Offset + 1)
            {
                Reset(page.Tip);
            }
            else
            {
                FanOutFilled(page);
            }
        }
    }

    private void FanOutFilled(LogPage page)
    {
        if (_sequence.Last.Offset == 0)
        {
            _sequence.Adopt(page.Tip.Epoch);
        }

        foreach (var logged in page.Events)
        {
            _sequence.Take(EncodedEvent.Encode(logged), _ready);
        }

        context.Instruments.HoleFilled(topic.Tenant, page.Events.Count);
        FanOut();
    }

    private void FanOut()
    {
        foreach (var ready in _ready)
        {
            using var activity = context.Tracing.StartDeliver(ready.Trace, topic, ready.Position.Offset, Volatile.Read(ref _subscribers));
            foreach (var (subscription, _) in _subscriptions)
            {
                subscription.Offer(ready);
            }
        }

        _ready.Clear();
        Volatile.Write(ref _lastOffset, _sequence.Last.Offset);
    }

    /// <summary>The log is another one, or a hole in it cannot be filled: everybody subscribes again and is told.</summary>
    private void Reset(Position tip)
    {
        LogReset(topic, _sequence.Last, tip);
        context.Instruments.FeedReset(topic.Tenant);
        _sequence.Restart(tip);
        Volatile.Write(ref _lastOffset, tip.Offset);
        _ready.Clear();
        foreach (var (subscription, _) in _subscriptions)
        {
            subscription.Connection.Drop(subscription, new Control { Type = Control.Reset, Topic = topic.Name.Value, Position = tip });
        }
    }

    private async Task<Position?> ReadTipAsync()
    {
        try
        {
            return (await context.Log.ReadTipsAsync([topic], CancellationToken.None))[topic];
        }
        catch (RealtimeException exception)
        {
            LogFillFailed(exception, topic);
            return null;
        }
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Warning, Message = "The log of {Topic} cannot be read; the feed tries again")]
    private partial void LogFillFailed(Exception exception, TopicKey topic);

    [LoggerMessage(EventId = 1203, Level = LogLevel.Error, Message = "The feed of {Topic} failed")]
    private partial void LogFailed(Exception exception, TopicKey topic);

    [LoggerMessage(EventId = 1202, Level = LogLevel.Warning, Message = "The feed of {Topic} was at {Last}, the log is at {Tip}: its subscriptions are reset")]
    private partial void LogReset(TopicKey topic, Position last, Position tip);

    private readonly record struct Input(EncodedEvent? Event, Position Tip, long AsOf);
}
