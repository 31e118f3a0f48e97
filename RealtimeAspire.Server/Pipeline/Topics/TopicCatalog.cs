using System.Collections.Frozen;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>A topic in its tenant.</summary>
internal readonly record struct TopicKey(string Tenant, TopicName Name)
{
    public override string ToString() => $"{Tenant}/{Name}";
}

/// <summary>What holds for every topic of a type.</summary>
/// <param name="Type">The type.</param>
/// <param name="Durability">What is promised about its events.</param>
/// <param name="Open">Whether every signed-in user may subscribe and publish; null: in development only.</param>
/// <param name="ClientEvents">Names, or beginnings with a last <c>*</c>.</param>
internal sealed record TopicPolicy(string Type, Durability Durability, bool? Open, string[] ClientEvents)
{
    public bool ClientsMayPublish(string eventName) => Array.Exists(ClientEvents, pattern => pattern.EndsWith('*')
        ? eventName.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal)
        : eventName == pattern);
}

/// <summary>The topic types of this server: those that are built in, and the configuration over them.</summary>
internal sealed class TopicCatalog
{
    public const string Room = "room";

    private static readonly string[] DefaultClientEvents = ["app:*"];

    private readonly FrozenDictionary<string, TopicPolicy> _policies;

    public TopicCatalog(IOptions<RealtimeOptions> options)
    {
        var types = new Dictionary<string, TopicTypeOptions>(StringComparer.Ordinal) { [Room] = new() };
        foreach (var (type, configured) in options.Value.TopicTypes)
        {
            types[type] = configured;
        }

        _policies = types.ToFrozenDictionary(
            type => type.Key,
            type => new TopicPolicy(type.Key, type.Value.Durability, type.Value.Open, type.Value.ClientEvents ?? DefaultClientEvents),
            StringComparer.Ordinal);
    }

    /// <exception cref="RealtimeException"><c>topic_type_unknown</c>.</exception>
    public TopicPolicy Get(TopicName topic) => _policies.TryGetValue(topic.Type, out var policy)
        ? policy
        : throw new RealtimeException(ErrorCode.TopicTypeUnknown);
}
