using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>An event, in one of its versions, that a feature or an application has registered.</summary>
/// <param name="TopicType">On topics of this type.</param>
/// <param name="Event">The event name.</param>
/// <param name="Payload">What its payload is.</param>
/// <param name="FromClients">Whether clients may publish it; else only where the type's <c>ClientEvents</c> say so.</param>
/// <param name="Version">The version (<c>v</c>).</param>
/// <param name="File">Where its schema was read, if it was.</param>
internal sealed record EventRule(string TopicType, string Event, PayloadSchema Payload, bool FromClients, int Version = 1, string? File = null)
{
    /// <summary>Where it is ephemeral, only the newest of a sender matters, and one is passed on in so long; null: each is.</summary>
    public TimeSpan? Pace { get; init; }
}

/// <summary>The events that were registered.</summary>
internal sealed class EventCatalog(IEnumerable<EventRule> rules)
{
    public const int MaxNameLength = 64;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private readonly FrozenDictionary<(string TopicType, string Event), EventRule[]> _versions =
        rules.GroupBy(rule => (rule.TopicType, rule.Event)).ToFrozenDictionary(event_ => event_.Key, event_ => event_.OrderBy(rule => rule.Version).ToArray());

    /// <summary>By topic type, event and version.</summary>
    public IEnumerable<EventRule> Rules => _versions.Values
        .OrderBy(versions => versions[0].TopicType, StringComparer.Ordinal)
        .ThenBy(versions => versions[0].Event, StringComparer.Ordinal)
        .SelectMany(versions => versions);

    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && char.IsAsciiLetter(name[0]) && !name.AsSpan().ContainsAnyExcept(NameCharacters);

    /// <summary>Whether clients may publish the event in one of its versions.</summary>
    public bool IsOpen(string topicType, string eventName) => _versions.TryGetValue((topicType, eventName), out var versions) && Array.Exists(versions, rule => rule.FromClients);

    /// <inheritdoc cref="EventRule.Pace"/>
    public TimeSpan? PaceOf(string topicType, string eventName) => _versions.TryGetValue((topicType, eventName), out var versions) ? versions[0].Pace : null;

    /// <summary>The payload has the form that the event has in this version.</summary>
    /// <param name="policy">The topic's.</param>
    /// <param name="eventName">The event name.</param>
    /// <param name="version">Untrusted.</param>
    /// <param name="payload">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>payload_invalid</c>, <c>event_unknown</c>, <c>version_unknown</c>.</exception>
    public void Require(TopicPolicy policy, string eventName, int version, JsonElement payload)
    {
        if (!_versions.TryGetValue((policy.Type, eventName), out var versions))
        {
            if (policy.UnknownEvents is UnknownEvents.Refuse)
            {
                throw new RealtimeException(ErrorCode.EventUnknown);
            }

            return;
        }

        foreach (var rule in versions)
        {
            if (rule.Version == version)
            {
                if (rule.Payload.Refuse(payload) is { } wrong)
                {
                    throw new RealtimeException(ErrorCode.PayloadInvalid, wrong);
                }

                return;
            }
        }

        var known = string.Join(", ", versions.Select(rule => rule.Version.ToString(CultureInfo.InvariantCulture)));
        throw new RealtimeException(ErrorCode.VersionUnknown, $"{eventName} is registered here in version (v) {known}.");
    }
}
