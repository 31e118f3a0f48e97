using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Presence;

/// <summary>What a subscription is told of who is on its topic.</summary>
internal enum PresenceMode
{
    None,

    /// <summary>How many.</summary>
    Occupancy,

    /// <summary>Who.</summary>
    Members,
}

/// <summary>Who is on topics: hears of subscriptions on topics whose type offers it. The feature of that name implements it, where the application has it.</summary>
internal interface IPresence
{
    /// <summary>A subscription is live. Never waits.</summary>
    void Joined(Subscription subscription);

    /// <summary>A subscription has ended, perhaps before it was said to be live. Never waits.</summary>
    /// <param name="subscription">Which.</param>
    /// <param name="forGood">Its client has left; else it may come back in a moment.</param>
    void Left(Subscription subscription, bool forGood);

    /// <summary>What a user says of himself, and of the connection over which he says it.</summary>
    /// <param name="caller">Who it is.</param>
    /// <param name="connection">Null: over none.</param>
    /// <param name="request">Untrusted; every member is validated.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    Task SetAsync(Caller caller, Connection? connection, PresenceRequest request);

    /// <summary>A page of who is on a topic.</summary>
    /// <param name="caller">Who asks: whoever has <c>presence</c> on it.</param>
    /// <param name="request">Untrusted; every member is validated.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    Task<PresencePage> ListAsync(Caller caller, PresencePageRequest request, CancellationToken cancellationToken);
}
