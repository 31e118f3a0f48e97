using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>Opens an event name of a feature to clients.</summary>
/// <param name="TopicType">On topics of this type.</param>
/// <param name="Event">The event name.</param>
/// <param name="Validate">Says what is wrong with an untrusted payload; null when nothing is.</param>
internal sealed record EventRule(string TopicType, string Event, Func<JsonElement, string?> Validate);

/// <summary>The event names that features have opened, with their validators.</summary>
internal sealed class EventCatalog(IEnumerable<EventRule> rules)
{
    public const int MaxNameLength = 64;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private readonly FrozenDictionary<(string TopicType, string Event), EventRule> _rules =
        rules.ToFrozenDictionary(rule => (rule.TopicType, rule.Event));

    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && char.IsAsciiLetter(name[0]) && !name.AsSpan().ContainsAnyExcept(NameCharacters);

    public bool IsOpen(string topicType, string eventName) => _rules.ContainsKey((topicType, eventName));

    /// <summary>What is wrong with the payload, null when nothing is or no feature knows the event.</summary>
    public string? Validate(string topicType, string eventName, JsonElement payload) =>
        _rules.TryGetValue((topicType, eventName), out var rule) ? rule.Validate(payload) : null;
}
