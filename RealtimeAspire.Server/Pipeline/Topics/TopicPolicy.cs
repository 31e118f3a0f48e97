using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>What holds for every topic of a type: the configuration with its defaults filled in.</summary>
internal sealed record TopicPolicy
{
    /// <summary>The type; for topics of a type that is not configured, the default type's.</summary>
    public required string Type { get; init; }

    public required Durability Durability { get; init; }

    /// <summary>Whether every signed-in user may subscribe and publish; null: in development only.</summary>
    public bool? Open { get; init; }

    public Publishers Publishers { get; init; } = Publishers.Clients | Publishers.Servers;

    /// <summary>Names, or beginnings with a last <c>*</c>.</summary>
    public IReadOnlyList<string> ClientEvents { get; init; } = [];

    /// <inheritdoc cref="ClientEvents"/>
    public IReadOnlyList<string> EphemeralEvents { get; init; } = [];

    public UnknownEvents UnknownEvents { get; init; }

    public SignedEvents Signed { get; init; }

    /// <summary>Whether who is on a topic is known and told.</summary>
    public bool Presence { get; init; }

    public required int PayloadBytes { get; init; }

    public Retention Retention { get; init; }

    public required int RewindEvents { get; init; }

    public IReadOnlyList<QosMode> Qos { get; init; } = [QosMode.All, QosMode.Latest, QosMode.Conflate];

    /// <summary>How long an id is remembered.</summary>
    public TimeSpan IdempotencyWindow { get; init; }

    public bool ClientsMayPublish(string eventName) => Publishers.HasFlag(Publishers.Clients) && EventPattern.Matches(ClientEvents, eventName);

    /// <summary>Whether an event of this name is passed on without being stored.</summary>
    public bool IsEphemeral(string eventName) => Durability is Durability.Ephemeral || EventPattern.Matches(EphemeralEvents, eventName);
}

/// <summary>How much of a topic is kept; null: no limit.</summary>
/// <param name="Events">The newest so many events.</param>
/// <param name="Age">Events younger than this.</param>
internal readonly record struct Retention(long? Events, TimeSpan? Age);
