using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Whether a subscribe has the form that it should have, and what its topic's type offers. Pure.</summary>
internal static class SubscribeForm
{
    private const int MinIntervalMs = 10;
    private const int MaxIntervalMs = 60_000;
    private const int MaxConsumerLength = 64;

    /// <param name="request">Untrusted; every member but the topic is validated here.</param>
    /// <param name="policy">The topic type's.</param>
    /// <exception cref="RealtimeException">What is wrong, with a code.</exception>
    public static SubscriptionOptions Validate(SubscribeRequest request, TopicPolicy policy)
    {
        RequireStart(request);
        return new SubscriptionOptions(request.Qos?.Mode ?? QosMode.All, IntervalOf(request.Qos, policy), request.Ephemeral, PresenceOf(request.Presence, policy));
    }

    /// <param name="presence">Untrusted.</param>
    /// <param name="policy">The topic type's.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>presence_not_offered</c>.</exception>
    public static PresenceMode PresenceOf(string? presence, TopicPolicy policy) => presence switch
    {
        null or "none" => PresenceMode.None,
        "occupancy" or "members" when !policy.Presence => throw new RealtimeException(ErrorCode.PresenceNotOffered),
        "occupancy" => PresenceMode.Occupancy,
        "members" => PresenceMode.Members,
        _ => throw new RealtimeException(ErrorCode.RequestInvalid, "presence is \"none\", \"occupancy\" or \"members\"."),
    };

    /// <exception cref="RealtimeException"><c>consumer_invalid</c>.</exception>
    public static string RequireConsumer(string? consumer) =>
        consumer is { Length: > 0 and <= MaxConsumerLength } && !consumer.AsSpan().ContainsAnyExceptInRange('!', '~')
            ? consumer
            : throw new RealtimeException(ErrorCode.ConsumerInvalid);

    private static void RequireStart(SubscribeRequest request)
    {
        if (request.Position is { IsWellFormed: false })
        {
            throw new RealtimeException(ErrorCode.PositionInvalid);
        }

        if ((request.Position is null ? 0 : 1) + (request.Rewind is null ? 0 : 1) + (request.From is null ? 0 : 1) > 1)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Give a position, a rewind or from, and only one of them.");
        }

        if (request.Rewind is { } rewind && (rewind.Count is null == rewind.Since is null || rewind.Count < 1))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A rewind is a count of 1 or more, or a time since.");
        }

        if (request.From is not null)
        {
            if (request.From != SubscribeRequest.FromCursor)
            {
                throw new RealtimeException(ErrorCode.RequestInvalid, "from is \"cursor\", or missing.");
            }

            RequireConsumer(request.Consumer);
        }
    }

    private static TimeSpan IntervalOf(QosRequest? qos, TopicPolicy policy)
    {
        if (qos is null)
        {
            return TimeSpan.Zero;
        }

        if (!policy.Qos.Contains(qos.Mode))
        {
            throw new RealtimeException(ErrorCode.QosNotAllowed);
        }

        if (qos.Mode is not QosMode.Conflate)
        {
            return TimeSpan.Zero;
        }

        return qos.IntervalMs is >= MinIntervalMs and <= MaxIntervalMs
            ? TimeSpan.FromMilliseconds(qos.IntervalMs.Value)
            : throw new RealtimeException(ErrorCode.RequestInvalid, $"conflate takes an intervalMs of {MinIntervalMs} to {MaxIntervalMs}.");
    }
}
