using System.Diagnostics;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>Offers a topic's events to those who listen: what is ready at a moment in one batch, many listeners in slices. Only the feed's loop uses it.</summary>
internal sealed class FanOut(TopicKey topic, long number, FeedAudience audience, FeedContext context)
{
    // So many bytes of events leave in one frame.
    private const int BatchBytes = 64 * 1024;

    // A fan-out to more than this many lets others have the thread in between.
    private const int SliceLength = 256;

    private static readonly TimeSpan ShortestGathering = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestGathering = TimeSpan.FromMilliseconds(5);

    // What is watched for jumps is told in sums of this at least.
    private const int DeliveriesTold = 1_000;

    private int _counted;
    private int _bytes;
    private long _deliveries;

    /// <summary>What is to leave next, in order.</summary>
    public List<EncodedEvent> Ready { get; } = [];

    /// <summary>
    /// How long a loop that is behind lets events gather before the next fan-out: half of what the last one to many took, if a
    /// timer can tell that from nothing. So a topic near what a core can do sends more in each write, instead of each event
    /// later than the one before.
    /// </summary>
    public TimeSpan Gathering { get; private set; }

    /// <summary>Sends what is ready if that fills a frame.</summary>
    public ValueTask SendFullAsync()
    {
        for (; _counted < Ready.Count; _counted++)
        {
            _bytes += Ready[_counted].Json.Length;
        }

        return _bytes >= BatchBytes ? SendAsync() : ValueTask.CompletedTask;
    }

    /// <summary>Sends what is ready.</summary>
    public async ValueTask SendAsync()
    {
        if (Ready.Count == 0)
        {
            return;
        }

        foreach (var encoded in Ready)
        {
            encoded.Number = number;
        }

        var batch = new EventBatch([.. Ready]);
        Clear();
        var subscriptions = audience.Advance(batch);
        var activities = StartDeliveries(batch, subscriptions.Length);
        var started = context.Time.GetTimestamp();
        for (var i = 0; i < subscriptions.Length; i++)
        {
            if (i > 0 && i % SliceLength == 0)
            {
                await Task.Yield();
            }

            subscriptions[i].Offer(batch);
        }

        Count(batch, subscriptions.Length);
        var gathering = subscriptions.Length > SliceLength ? context.Time.GetElapsedTime(started) / 2 : TimeSpan.Zero;
        Gathering = gathering < ShortestGathering ? TimeSpan.Zero : gathering < LongestGathering ? gathering : LongestGathering;
        foreach (var activity in activities)
        {
            activity.Dispose();
        }
    }

    /// <summary>Forgets what is ready.</summary>
    public void Clear()
    {
        Ready.Clear();
        (_counted, _bytes) = (0, 0);
    }

    private void Count(EventBatch batch, int subscribers)
    {
        _deliveries += (long)batch.Events.Count * subscribers;
        if (_deliveries >= DeliveriesTold)
        {
            context.Signals?.FannedOut(topic.Tenant, batch.Events[^1], _deliveries);
            _deliveries = 0;
        }
    }

    private List<Activity> StartDeliveries(EventBatch batch, int subscribers)
    {
        List<Activity> activities = [];
        foreach (var encoded in batch.Events)
        {
            if (context.Tracing.StartDeliver(encoded.Trace, topic, encoded.Position.Offset, subscribers) is { } activity)
            {
                activities.Add(activity);
            }
        }

        return activities;
    }
}
