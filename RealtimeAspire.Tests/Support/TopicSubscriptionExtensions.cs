using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Support;

internal static class TopicSubscriptionExtensions
{
    /// <summary>The next events, as soon as there are so many.</summary>
    public static async Task<List<TopicEvent>> TakeAsync(this TopicSubscription subscription, int count, TimeSpan? within = null)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Topology.Cancelled);
        limit.CancelAfter(within ?? TimeSpan.FromSeconds(30));
        var events = new List<TopicEvent>();
        await foreach (var item in subscription.WithCancellation(limit.Token))
        {
            events.Add(item);
            if (events.Count == count)
                break;
        }

        return events;
    }
}
