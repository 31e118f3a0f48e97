using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// The feeds of this node: made for a topic's first subscriber, closed some time after the last has left. Its loop compares
/// them with the log, which brings what the backplane has lost.
/// </summary>
internal sealed partial class FeedRegistry(FeedContext context, ILogger<FeedRegistry> logger) : BackgroundService
{
    private static readonly TimeSpan AttachTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CheckIntervalAlone = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<TopicKey, TopicFeed> _feeds = new();

    /// <summary>Attaches: every event that is committed after this completes is offered to the subscription.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task AttachAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var feed = _feeds.GetOrAdd(subscription.Topic, (topic, context) => new TopicFeed(topic, context), context);
                if (feed.TryAdd(subscription))
                {
                    await feed.Started.WaitAsync(AttachTimeout, context.Time, cancellationToken);
                    return;
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

    /// <summary>An event of this node, for its own subscribers. Only enqueues.</summary>
    public void Post(EncodedEvent posted)
    {
        if (_feeds.TryGetValue(posted.Topic, out var feed))
        {
            feed.Post(posted);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var interval = context.Backplane.IsConnected ? CheckInterval : CheckIntervalAlone;
            // Jittered, so that the nodes do not ask all at once.
            await Task.Delay(interval * (0.75 + (Random.Shared.NextDouble() / 2)), context.Time, stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            CloseIdle();
            await CompareTipsAsync(stoppingToken);
        }

        foreach (var (_, feed) in _feeds)
        {
            feed.Close();
        }

        await Task.WhenAll(_feeds.Values.Select(feed => feed.Finished));
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

    private async Task CompareTipsAsync(CancellationToken cancellationToken)
    {
        var asOf = _feeds.Where(feed => feed.Value.Started.IsCompletedSuccessfully).ToDictionary(feed => feed.Key, feed => feed.Value.LastOffset);
        if (asOf.Count == 0 || cancellationToken.IsCancellationRequested)
        {
            return;
        }

        try
        {
            foreach (var (topic, tip) in await context.Log.ReadTipsAsync(asOf.Keys, cancellationToken))
            {
                if (_feeds.TryGetValue(topic, out var feed))
                {
                    feed.PostTip(tip, asOf[topic]);
                }
            }
        }
        catch (RealtimeException exception)
        {
            LogCheckFailed(exception, asOf.Count);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    [LoggerMessage(EventId = 1211, Level = LogLevel.Warning, Message = "The tips of {Count} topics cannot be read")]
    private partial void LogCheckFailed(Exception exception, int count);
}
