using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// The feeds of this node: made for a topic's first subscriber, closed some time after the last has left. Its loop compares
/// them with their logs, which brings what the backplane has lost.
/// </summary>
internal sealed partial class FeedRegistry(FeedContext context, IOptions<RealtimeOptions> options, ILogger<FeedRegistry> logger) : BackgroundService
{
    private static readonly TimeSpan AttachTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ReadTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CheckIntervalAlone = TimeSpan.FromMilliseconds(500);

    private readonly int _pageSize = options.Value.Limits.HistoryEvents;
    private readonly ConcurrentDictionary<TopicKey, TopicFeed> _feeds = new();
    private readonly ConcurrentDictionary<ITopicLog, bool> _failing = new();
    private readonly SemaphoreSlim _hurry = new(0, 1);

    // What is to be looked at before the next round; all of it when a backplane was away.
    private readonly ConcurrentDictionary<TopicKey, bool> _changed = new();
    private volatile bool _allChanged;

    private long _lastNumber;

    /// <summary>Whether changes that nobody announces to this node are thought to happen: then it looks more often.</summary>
    public Func<bool> IsAlone { get; set; } = static () => false;

    /// <summary>Attaches: every event that is committed after this completes reaches the feed.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<TopicFeed> AttachAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var feed = _feeds.GetOrAdd(subscription.Topic, MakeFeed);
                if (feed.TryAdd(subscription))
                {
                    await feed.Started.WaitAsync(AttachTimeout, context.Time, cancellationToken);
                    return feed;
                }

                await feed.Finished.WaitAsync(AttachTimeout, context.Time, cancellationToken);
                _feeds.TryRemove(KeyValuePair.Create(subscription.Topic, feed));
            }
        }
        catch (TimeoutException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }

    /// <summary>An event of this node, for its own subscribers.</summary>
    /// <inheritdoc cref="TopicFeed.Post(EncodedEvent, bool)"/>
    public void Post(EncodedEvent posted, bool lendThread = false)
    {
        if (_feeds.TryGetValue(posted.Topic, out var feed))
        {
            feed.Post(posted, lendThread);
        }
    }

    /// <summary>A topic's log has grown in a way that no backplane tells: its feed looks at once.</summary>
    public void Check(TopicKey topic)
    {
        if (_feeds.ContainsKey(topic))
        {
            _changed[topic] = true;
            Hurry();
        }
    }

    /// <summary>Events may have been missed: every feed looks at once.</summary>
    public void CheckAll()
    {
        _allChanged = true;
        Hurry();
    }

    public override void Dispose()
    {
        _hurry.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        context.Backplane.Restored += CheckAll;
        var next = NextRound();
        while (!stoppingToken.IsCancellationRequested)
        {
            await WaitAsync(next - context.Time.GetUtcNow(), stoppingToken);
            var changed = _changed.Keys.Where(topic => _changed.TryRemove(topic, out _)).ToList();
            if (_allChanged || context.Time.GetUtcNow() >= next)
            {
                _allChanged = false;
                next = NextRound();
                CloseIdle();
                await CompareTipsAsync(_feeds.Values, stoppingToken);
            }
            else
            {
                await CompareTipsAsync(changed.Select(topic => _feeds.GetValueOrDefault(topic)).OfType<TopicFeed>(), stoppingToken);
            }
        }

        context.Backplane.Restored -= CheckAll;
        foreach (var (_, feed) in _feeds)
        {
            feed.Close();
        }

        await Task.WhenAll(_feeds.Values.Select(feed => feed.Finished));
    }

    private TopicFeed MakeFeed(TopicKey topic) => new(topic, Interlocked.Increment(ref _lastNumber), context, _pageSize);

    /// <summary>Jittered, so that the nodes do not ask all at once.</summary>
    private DateTimeOffset NextRound()
    {
        var interval = context.Backplane.IsConnected && !IsAlone() ? CheckInterval : CheckIntervalAlone;
        return context.Time.GetUtcNow() + (interval * (0.75 + (Random.Shared.NextDouble() / 4)));
    }

    private async Task WaitAsync(TimeSpan time, CancellationToken stoppingToken)
    {
        using var round = new CancellationTokenSource(time > TimeSpan.Zero ? time : TimeSpan.Zero, context.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, round.Token);
        await _hurry.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Hurry()
    {
        try
        {
            _hurry.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody has said so already.
        }
        catch (ObjectDisposedException)
        {
            // The node has stopped.
        }
    }

    /// <summary>
    /// A feed stays until it has left its channel, so that another can join it only then; that may take long while Redis is
    /// down, and nobody waits for it here.
    /// </summary>
    private void CloseIdle()
    {
        foreach (var feed in _feeds)
        {
            if (feed.Value.TryClose(IdleTime) && feed.Value.Finished.IsCompleted)
            {
                _feeds.TryRemove(feed);
            }
        }
    }

    /// <summary>One question to each log, whatever the number of feeds; a log that is down keeps no other from answering.</summary>
    private Task CompareTipsAsync(IEnumerable<TopicFeed> feeds, CancellationToken cancellationToken) => Task.WhenAll(feeds
        .Where(feed => feed.Log is not NoTopicLog && feed.Started.IsCompletedSuccessfully)
        .GroupBy(feed => feed.Log)
        .Select(group => CompareTipsAsync(group.Key, group.ToDictionary(feed => feed, feed => feed.Audience.Last.Offset), cancellationToken)));

    private async Task CompareTipsAsync(ITopicLog log, Dictionary<TopicFeed, long> asOf, CancellationToken cancellationToken)
    {
        try
        {
            var tips = await log.ReadTipsAsync([.. asOf.Keys.Select(feed => feed.Topic)], cancellationToken).WaitAsync(ReadTime, context.Time, cancellationToken);
            foreach (var (feed, offset) in asOf)
            {
                feed.PostTip(tips[feed.Topic], offset);
            }

            _failing.TryRemove(log, out _);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The node stops.
        }
        // Whatever it is: this loop must live, and the next round asks again.
#pragma warning disable CA1031
        catch (Exception exception)
#pragma warning restore CA1031
        {
            // Once for each time it is down.
            if (_failing.TryAdd(log, true))
            {
                LogCheckFailed(exception, asOf.Count);
            }
        }
    }

    [LoggerMessage(EventId = 1211, Level = LogLevel.Warning, Message = "The tips of {Count} topics cannot be read; the node tries again until they can")]
    private partial void LogCheckFailed(Exception exception, int count);
}
