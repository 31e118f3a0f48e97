using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>What a subscriber has chosen.</summary>
/// <param name="Mode">What happens when it is slower than the topic.</param>
/// <param name="Interval">With <see cref="QosMode.Conflate"/>: the time between two flushes.</param>
/// <param name="Ephemeral">Whether it wants the topic's ephemeral events.</param>
/// <param name="Presence">What it wants to be told of who is there.</param>
internal readonly record struct SubscriptionOptions(QosMode Mode, TimeSpan Interval, bool Ephemeral, PresenceMode Presence = PresenceMode.None)
{
    public static readonly SubscriptionOptions Default = new(QosMode.All, TimeSpan.Zero, Ephemeral: true);
}

/// <summary>A connection's place in a topic.</summary>
internal sealed class Subscription
{
    private readonly ConflatedEvents? _conflated;
    private readonly bool _ephemeral;
    private Position _skipTo;
    private volatile bool _ended;

    public Subscription(Connection connection, TopicKey topic, SubscriptionOptions options)
    {
        (Connection, Topic, Presence, _ephemeral) = (connection, topic, options.Presence, options.Ephemeral);
        _conflated = options.Mode is QosMode.All ? null : new ConflatedEvents(topic, options.Interval);
    }

    public Connection Connection { get; }

    public TopicKey Topic { get; }

    public PresenceMode Presence { get; }

    /// <summary>Hears that it has ended; set when it is live, on topics that offer presence.</summary>
    public IPresence? Observer { get; set; }

    /// <summary>The feed it is attached to; set before anything else sees the subscription.</summary>
    public TopicFeed? Feed { get; set; }

    /// <summary>Its place among the feed's live subscriptions; only under the feed's lock.</summary>
    public int Slot { get; set; } = FeedAudience.Detached;

    public bool HasEnded => _ended;

    /// <summary>The reader has events that the feed has yet to fan out: they are left out. Set before it goes live.</summary>
    public void SkipTo(Position position) => _skipTo = position;

    /// <summary>The feed's next events; called by the feed's loop, in order.</summary>
    public void Offer(EventBatch offered)
    {
        if (_ended)
        {
            return;
        }

        if (_skipTo.Offset > 0 || (offered.HasEphemeral && !_ephemeral))
        {
            if (Filter(offered) is not { } rest)
            {
                return;
            }

            offered = rest;
        }

        if (_conflated is null)
        {
            Connection.Send(offered);
        }
        else
        {
            Connection.Send(_conflated, offered);
        }
    }

    /// <summary>Of events that were missed, those that the subscriber's quality of service still sends.</summary>
    public IReadOnlyList<EncodedEvent> Conflate(List<EncodedEvent> missed) => _conflated is null ? missed : ConflatedEvents.NewestOf(missed);

    /// <summary>Nothing is offered any more, but for what is on its way at this moment.</summary>
    /// <param name="forGood">Nobody is expected back in its place.</param>
    public void End(bool forGood = false)
    {
        _ended = true;
        Observer?.Left(this, forGood);
        Feed?.Remove(this);
        if (_conflated is not null)
        {
            Connection.Forget(_conflated);
        }
    }

    private EventBatch? Filter(EventBatch offered)
    {
        var kept = offered.Events.Where(IsWanted).ToArray();
        if (offered.Events[^1].Position is { Offset: > 0 } last && last.Offset >= _skipTo.Offset)
        {
            _skipTo = default;
        }

        return kept.Length == 0 ? null : kept.Length == offered.Events.Count ? offered : new EventBatch(kept);
    }

    private bool IsWanted(EncodedEvent offered) => offered.IsEphemeral
        ? _ephemeral
        : offered.Position.Offset > _skipTo.Offset || offered.Position.Epoch != _skipTo.Epoch;
}
