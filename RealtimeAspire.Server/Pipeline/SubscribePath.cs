using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// From "I have seen this far" to live, without a hole. This and <see cref="PublishPath"/> are the only places that see every stage.
/// <code>
/// client ── hub ──►  1  Limits         admit: subscriptions of the connection
///                    2  Authorization  may this identity read this topic?
///                    3  Feeds          attach and buffer: from here on every committed event reaches the buffer
///                    4  TopicLogs      read from the position
///                    5  merge          what was read, then what was buffered
///                    6  prove          same incarnation, each offset the last one + 1; else read on
///                    7  reply
///                    8  live           what the feed brings goes to the connection's queue
/// </code>
/// </summary>
/// <remarks>
/// The switch from buffer to live is one step under the subscription's lock, so events may leave before the reply does;
/// clients merge them by offset. A reply with <c>more</c> leaves nothing attached.
/// </remarks>
internal sealed class SubscribePath(
    TopicAccess access, TopicCatalog topics, ITopicLog log, FeedRegistry feeds, IOptions<RealtimeOptions> options)
{
    private const int MaxAttempts = 5;

    private readonly int _pageSize = options.Value.Limits.HistoryEvents;

    /// <param name="connection">Who subscribes.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <param name="cancellationToken">Ends with the connection.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<SubscribeAnswer> SubscribeAsync(Connection connection, SubscribeRequest request, CancellationToken cancellationToken)
    {
        var name = TopicName.Parse(request.Topic);
        var policy = topics.Get(name);
        var topic = new TopicKey(connection.Caller.Tenant, name);
        RequireForm(request);

        // 1.
        var announced = connection.Announce(topic);
        try
        {
            // 2.
            access.RequireSubscribe(policy);

            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                if (await AttachAndJoinAsync(new Subscription(connection, topic), announced, request, cancellationToken) is { } answer)
                {
                    return answer;
                }
            }
        }
        finally
        {
            connection.Withdraw(topic, announced);
        }

        throw new RealtimeException(ErrorCode.Overloaded, "The topic moves faster than it can be read; try again.");
    }

    /// <summary>Leaves nothing attached unless it is live. Null: as <see cref="JoinAsync"/>.</summary>
    private async Task<SubscribeAnswer?> AttachAndJoinAsync(
        Subscription subscription, object announced, SubscribeRequest request, CancellationToken cancellationToken)
    {
        try
        {
            // 3.
            await feeds.AttachAsync(subscription, cancellationToken);
            return await JoinAsync(subscription, announced, request, cancellationToken);
        }
        finally
        {
            if (!subscription.IsLive)
            {
                subscription.Connection.Drop(subscription, reason: null);
            }
        }
    }

    /// <summary>Null: the feed was reset meanwhile, or cannot be caught up with; attach again.</summary>
    private async Task<SubscribeAnswer?> JoinAsync(
        Subscription subscription, object announced, SubscribeRequest request, CancellationToken cancellationToken)
    {
        var events = new List<EncodedEvent>();
        var (at, recovery, more) = await ReadFirstAsync(subscription.Topic, request, events, cancellationToken);
        var added = subscription.Connection.TryAdd(subscription, announced);

        // 5. and 6.
        for (var attempt = 0; added && !more && attempt < MaxAttempts; attempt++)
        {
            if (subscription.TryGoLive(ref at, events))
            {
                // 7. and 8.
                return new SubscribeAnswer(subscription.Topic.Name.Value, at, recovery, events);
            }

            if (subscription.HasEnded)
            {
                break;
            }

            // 4. again: the buffer has overflowed, or the feed was behind what was read.
            var page = await log.ReadAsync(subscription.Topic, new LogRange.After(at.Offset), _pageSize, cancellationToken);
            if (RecoveryDecision.Decide(at, page) is not Recovery.Recovered)
            {
                return null;
            }

            (at, more) = Take(page, at, events);
        }

        // With more to come nothing is live; and a client that has asked for something else meanwhile, for another subscribe
        // or an unsubscribe, gets this answer for good measure.
        return more || !subscription.Connection.IsWanted(subscription.Topic, announced)
            ? new SubscribeAnswer(subscription.Topic.Name.Value, at, recovery, events, more)
            : null;
    }

    /// <summary>What was asked for: where the reader then is, what became of its position, and whether there is more.</summary>
    private async Task<(Position At, Recovery Recovery, bool More)> ReadFirstAsync(
        TopicKey topic, SubscribeRequest request, List<EncodedEvent> events, CancellationToken cancellationToken)
    {
        // 4.
        LogRange range = request switch
        {
            { Position: { } position } => new LogRange.After(position.Offset),
            { Rewind.Count: { } count } => new LogRange.Newest(Math.Min(count, _pageSize)),
            { Rewind.Since: { } since } => new LogRange.Since(since),
            _ => new LogRange.Newest(0),
        };
        var page = await log.ReadAsync(topic, range, _pageSize, cancellationToken);
        if (request.Position is not { } asked)
        {
            var (tip, more) = page.Events.Count == 0 ? (page.Tip, false) : Take(page, page.Tip, events);
            return (tip, Recovery.None, more);
        }

        var recovery = RecoveryDecision.Decide(asked, page);
        if (recovery is not Recovery.Recovered)
        {
            return (page.Tip, recovery, false);
        }

        var (at, rest) = Take(page, asked, events);
        return (at, recovery, rest);
    }

    private static (Position At, bool More) Take(LogPage page, Position at, List<EncodedEvent> events)
    {
        foreach (var logged in page.Events)
        {
            events.Add(EncodedEvent.Encode(logged));
            at = logged.Position;
        }

        return (at, at.Offset < page.Tip.Offset);
    }

    private static void RequireForm(SubscribeRequest request)
    {
        if (request.Position is { IsWellFormed: false })
        {
            throw new RealtimeException(ErrorCode.PositionInvalid);
        }

        if (request is { Position: not null, Rewind: not null })
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Give a position or a rewind, not both.");
        }

        if (request.Rewind is { } rewind && (rewind.Count is null == rewind.Since is null || rewind.Count < 1))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A rewind is a count of 1 or more, or a time since.");
        }
    }
}
