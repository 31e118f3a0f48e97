using System.Collections.Immutable;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>What the topics of a node have in common.</summary>
/// <param name="Options">The configuration.</param>
/// <param name="Time">Measures.</param>
/// <param name="Users">Those of the node.</param>
/// <param name="Instruments">Count.</param>
/// <param name="Wake">Has a topic looked at in the next window.</param>
/// <param name="Leases">Who is alive.</param>
/// <param name="Redis">Null: there are no other nodes.</param>
internal sealed record PresenceContext(
    PresenceOptions Options, TimeProvider Time, PresenceUsers Users, PresenceInstruments Instruments, Action<PresenceTopic> Wake, PresenceLeases Leases, RedisPresence? Redis);

/// <summary>What the client of a connection says of it, also for topics that it is yet to be subscribed to.</summary>
/// <param name="Active">Whether somebody uses it.</param>
/// <param name="Data">JSON, on all topics; null: nothing.</param>
/// <param name="ByTopic">JSON, where there is something else to say; null: nothing.</param>
internal sealed record ConnectionSays(bool Active, string? Data, ImmutableDictionary<TopicName, string?> ByTopic)
{
    public static readonly ConnectionSays Nothing = new(true, null, ImmutableDictionary<TopicName, string?>.Empty);

    public string? DataOn(TopicName topic) => ByTopic.TryGetValue(topic, out var data) ? data : Data;
}
