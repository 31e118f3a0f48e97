using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>
/// Carries events between nodes, quickly and as well as it can. What it loses, the feeds find in the log.
/// </summary>
internal interface IBackplane
{
    /// <summary>Whether events are thought to arrive; if not, feeds look at the log more often.</summary>
    bool IsConnected { get; }

    /// <summary>Events may have been missed until now, and arrive again: feeds look at the log at once.</summary>
    event Action? Restored;

    /// <summary>Starts to send an event to every node that has a subscriber; never waits, never fails. Keeps the order of calls.</summary>
    void Publish(EncodedEvent published);

    /// <summary>
    /// Hears a topic's events until disposed; at most one subscription per topic and node. Completes when the channel is
    /// attached, or when that cannot be had in a moment: then <see cref="Restored"/> tells when it is.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="received">Called in order; must only enqueue.</param>
    Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received);
}
