using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// Puts one topic's events in order on one node and fans them out. Events reach it through one queue, whoever brings them;
/// one loop takes them, drops what is older, and fills holes from the log. Ephemeral events pass as they come.
/// </summary>
internal sealed partial class TopicFeed
{
    private const int FillPage = 500;

    /// <summary>Two nodes' messages may cross; what is still missing after this time is read from the log.</summary>
    private static readonly TimeSpan CrossingTime = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan RetryTime = TimeSpan.FromMilliseconds(500);

    private readonly TopicKey _topic;
    private readonly FeedContext _context;
    private readonly ITopicLog _log;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly FeedQueue _queue;

    // Only the loop touches these.
    private readonly FeedSequence _sequence = new();
    private readonly FanOut _fanOut;
    private long? _holeSince;
    private long _holeAfter;
    private bool _failing;

    // Under the lock.
    private Task? _loop;
    private long _idleSince;

    private volatile bool _closed;

    /// <param name="topic">The topic.</param>
    /// <param name="number">Stands for the topic's name as long as this feed lives; no other feed of the node has it.</param>
    /// <param name="context">What it works with.</param>
    /// <param name="pageSize">The most events that a reader is given at once.</param>
    public TopicFeed(TopicKey topic, long number, FeedContext context, int pageSize)
    {
        (_topic, Number, _context, _log, _logger) = (topic, number, context, context.Logs.Of(topic), context.Logger);
        _queue = new FeedQueue(context.Time);
        Audience = new FeedAudience(context.Tails);
        _fanOut = new FanOut(topic, number, Audience, context);
        Reader = new FeedReader(_log, context.Logs.TipsOf(topic), topic, pageSize);
    }

    /// <summary>Who listens, and how far the feed has come.</summary>
    public FeedAudience Audience { get; }

    public FeedReader Reader { get; }

    public TopicKey Topic => _topic;

    public long Number { get; }

    /// <summary>Where the topic's events are kept.</summary>
    public ITopicLog Log => _log;

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
        subscription.Feed = this;
        if (!Audience.TryAttach(subscription))
        {
            return false;
        }

        lock (_lock)
        {
            _loop ??= Background.Run(RunAsync);
        }

        return true;
    }

    public void Remove(Subscription subscription)
    {
        if (Audience.Detach(subscription))
        {
            Volatile.Write(ref _idleSince, _context.Time.GetTimestamp());
        }
    }

    /// <summary>Closes a feed that nobody has listened to for so long. True: it is closed.</summary>
    public bool TryClose(TimeSpan idle)
    {
        if (!_closed && Audience.Count == 0 && _context.Time.GetElapsedTime(Volatile.Read(ref _idleSince)) >= idle && Audience.TryClose())
        {
            Close();
        }

        return _closed;
    }

    public void Close()
    {
        Audience.Close();
        _closed = true;
        _queue.Close();
    }

    /// <summary>An event, from this node or another. Only enqueues.</summary>
    public void Post(EncodedEvent posted) => Post(posted, lendThread: false);

    /// <summary>An event of this node.</summary>
    /// <param name="posted">The event.</param>
    /// <param name="lendThread">Lets the loop go on in the caller's thread, for some hundred subscribers at most; else this only enqueues.</param>
    public void Post(EncodedEvent posted, bool lendThread)
    {
        // What a log has is found there; an ephemeral event is gone.
        if (!_queue.TryPost(posted, lendThread) && posted.IsEphemeral && !_closed)
        {
            _context.Instruments.Dropped(_topic.Tenant, 1);
        }
    }

    /// <summary>The log's tip, as read a moment ago. Only enqueues.</summary>
    /// <param name="tip">What was read.</param>
    /// <param name="asOf">The feed's last offset before the log was asked: the tip of a sound log is not below it.</param>
    public void PostTip(Position tip, long asOf) => _queue.PostTip(tip, asOf);

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
            LogFailed(exception, _topic);
            Close();
            Reset(_sequence.Last);
        }
        finally
        {
            // Gives its memory back, and lets nobody wait for what does not come.
            Audience.Restart(Position.Origin);
            _started.TrySetResult();
        }
    }

    private async Task FeedAsync()
    {
        await using var channel = await _context.Backplane.SubscribeAsync(_topic, Post);
        await StartAtTipAsync();
        while (await WaitAsync())
        {
            while (_queue.TryTake(out var input))
            {
                await TakeAsync(input);
            }

            await _fanOut.SendAsync();
            if (HoleIsOld())
            {
                await FillAsync();
            }
        }
    }

    private async Task StartAtTipAsync()
    {
        while (!_closed)
        {
            if (await ReadTipAsync() is { } tip)
            {
                Restart(tip);
                _started.TrySetResult();
                return;
            }

            await Task.Delay(RetryTime, _context.Time);
        }
    }

    /// <summary>Waits for an event, or with a hole for the time that crossing messages have. False: closed.</summary>
    private async ValueTask<bool> WaitAsync()
    {
        if (_queue.IsOver)
        {
            return false;
        }

        if (!_sequence.HasHole)
        {
            _holeSince = null;
            await _queue.RestAsync(_fanOut.Gathering);
            return !_queue.IsOver;
        }

        if (_holeSince is null || _holeAfter != _sequence.Last.Offset)
        {
            // Another hole than the last time: it has its own time to close by itself.
            (_holeSince, _holeAfter) = (_context.Time.GetTimestamp(), _sequence.Last.Offset);
        }

        await _queue.RestAsync(_fanOut.Gathering, CrossingTime);
        return !_queue.IsOver;
    }

    private bool HoleIsOld() =>
        _sequence.HasHole && _holeAfter == _sequence.Last.Offset && _holeSince is { } since && _context.Time.GetElapsedTime(since) >= CrossingTime;

    private async ValueTask TakeAsync(FeedInput input)
    {
        if (input.Event is { } posted)
        {
            if (posted.IsEphemeral)
            {
                _fanOut.Ready.Add(posted);
            }
            else if (_sequence.Take(posted, _fanOut.Ready) is FeedVerdict.Foreign)
            {
                await CompareWithLogAsync();
                return;
            }

            await _fanOut.SendFullAsync();
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
        await _fanOut.SendAsync();
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
            var last = _sequence.Last;
            if (await ReadPageAsync(last.Offset) is not { } page)
            {
                await Task.Delay(RetryTime, _context.Time);
                return;
            }

            if ((last.Offset > 0 && page.Tip.Epoch != last.Epoch) || page.Tip.Offset < last.Offset)
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
                await FanOutFilledAsync(page);
            }
        }
    }

    private async Task FanOutFilledAsync(LogPage page)
    {
        if (_sequence.Last.Offset == 0)
        {
            _sequence.Adopt(page.Tip.Epoch);
        }

        foreach (var logged in page.Events)
        {
            _sequence.Take(EncodedEvent.Encode(logged), _fanOut.Ready);
            await _fanOut.SendFullAsync();
        }

        _context.Instruments.HoleFilled(_topic.Tenant, page.Events.Count);
        await _fanOut.SendAsync();
    }

    /// <summary>The log is another one, or a hole in it cannot be filled: everybody subscribes again and is told.</summary>
    private void Reset(Position tip)
    {
        LogReset(_topic, _sequence.Last, tip);
        _context.Instruments.FeedReset(_topic.Tenant);
        foreach (var subscription in Restart(tip))
        {
            subscription.Connection.Drop(subscription, new Control { Type = Control.Reset, Topic = _topic.Name.Value, Position = tip });
        }
    }

    private Subscription[] Restart(Position position)
    {
        _sequence.Restart(position);
        _fanOut.Clear();
        return Audience.Restart(position);
    }

    private Task<Position?> ReadTipAsync() => TryReadAsync(async () => (Position?)await Reader.ReadTipAsync(CancellationToken.None));

    private Task<LogPage?> ReadPageAsync(long after) =>
        TryReadAsync(async () => (LogPage?)await _log.ReadAsync(_topic, new LogRange.After(after), FillPage, CancellationToken.None));

    /// <summary>Null: the log cannot be read at the moment, which is said once.</summary>
    private async Task<T?> TryReadAsync<T>(Func<Task<T?>> read)
    {
        try
        {
            var result = await read();
            _failing = false;
            return result;
        }
        catch (RealtimeException exception)
        {
            if (!_failing)
            {
                _failing = true;
                LogReadFailed(exception, _topic);
            }

            return default;
        }
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Warning, Message = "The log of {Topic} cannot be read; the feed tries again")]
    private partial void LogReadFailed(Exception exception, TopicKey topic);

    [LoggerMessage(EventId = 1203, Level = LogLevel.Error, Message = "The feed of {Topic} failed")]
    private partial void LogFailed(Exception exception, TopicKey topic);

    [LoggerMessage(EventId = 1202, Level = LogLevel.Warning, Message = "The feed of {Topic} was at {Last}, the log is at {Tip}: its subscriptions are reset")]
    private partial void LogReset(TopicKey topic, Position last, Position tip);
}
