using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>An event that a feature or an application has registered.</summary>
/// <param name="TopicType">On topics of this type.</param>
/// <param name="Event">The event name.</param>
/// <param name="Payload">What its payload is.</param>
/// <param name="FromClients">Whether clients may publish it; else only where the type's <c>ClientEvents</c> say so.</param>
internal sealed record EventRule(string TopicType, string Event, PayloadSchema Payload, bool FromClients);

/// <summary>The events that were registered.</summary>
internal sealed class EventCatalog(IEnumerable<EventRule> rules)
{
    public const int MaxNameLength = 64;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private readonly FrozenDictionary<(string TopicType, string Event), EventRule> _rules =
        rules.ToFrozenDictionary(rule => (rule.TopicType, rule.Event));

    public IReadOnlyCollection<EventRule> Rules => _rules.Values;

    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && char.IsAsciiLetter(name[0]) && !name.AsSpan().ContainsAnyExcept(NameCharacters);

    public bool IsOpen(string topicType, string eventName) => _rules.TryGetValue((topicType, eventName), out var rule) && rule.FromClients;

    /// <summary>What is wrong with the payload, null when nothing is or nobody has registered the event.</summary>
    public string? Validate(string topicType, string eventName, JsonElement payload) =>
        _rules.TryGetValue((topicType, eventName), out var rule) ? rule.Payload.Refuse(payload) : null;
}
