using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>A topic in its tenant.</summary>
internal readonly record struct TopicKey(string Tenant, TopicName Name)
{
    public override string ToString() => $"{Tenant}/{Name}";
}

/// <summary>That this server has the feature of presence.</summary>
internal sealed record PresenceOffer;

/// <summary>The topic types of this server: those that are built in, and the configuration over them.</summary>
internal sealed class TopicCatalog
{
    public const string Room = "room";

    /// <summary>Where it is configured, a topic of this type belongs to the user whose name it has.</summary>
    public const string User = "user";

    /// <summary>What there is to know of the server itself, for whom a grant lets read it.</summary>
    public const string System = "system";

    private static readonly string[] DefaultClientEvents = ["app:*"];
    private static readonly string[] RoomClientEvents = ["app:*", "typing", "cursor"];
    private static readonly string[] RoomEphemeralEvents = ["typing", "cursor", "chat:read"];
    private static readonly Retention RecoverableRetention = new(10_000, TimeSpan.FromHours(1));
    private static readonly TimeSpan SystemAge = TimeSpan.FromDays(7);
    private static readonly TimeSpan DurableWindow = TimeSpan.FromHours(24);
    private static readonly TimeSpan RecoverableWindow = TimeSpan.FromMinutes(5);

    private readonly FrozenDictionary<string, TopicPolicy> _policies;
    private readonly FrozenDictionary<string, TopicPolicy>.AlternateLookup<ReadOnlySpan<char>> _byType;
    private readonly TopicPolicy? _default;
    private readonly ITenantQuotas? _tenants;
    private readonly ConditionalWeakTable<TenantQuotas, ConcurrentDictionary<string, TopicPolicy>> _narrowed = [];

    /// <param name="options">The configuration.</param>
    /// <param name="tenants">What tenants have of it at most; null: all of it.</param>
    /// <param name="presence">Null: no type offers presence.</param>
    public TopicCatalog(IOptions<RealtimeOptions> options, ITenantQuotas? tenants = null, PresenceOffer? presence = null)
    {
        _tenants = tenants;
        var types = new Dictionary<string, TopicTypeOptions>(options.Value.TopicTypes, StringComparer.Ordinal);
        types.TryAdd(Room, new TopicTypeOptions());
        types.TryAdd(System, new TopicTypeOptions { Durability = Durability.Recoverable, Publishers = Publishers.Servers, Open = false, Retention = new() { Age = SystemAge } });
        _policies = types.ToFrozenDictionary(type => type.Key, type => ToPolicy(type.Key, type.Value, options.Value, presence is not null), StringComparer.Ordinal);
        _byType = _policies.GetAlternateLookup<ReadOnlySpan<char>>();
        _default = options.Value.DefaultTopicType is { } name ? _policies[name] : null;
    }

    /// <summary>The policies of all types, the default one's among them.</summary>
    public IReadOnlyCollection<TopicPolicy> Policies => _policies.Values;

    /// <summary>The policy of the topic's type, for every tenant.</summary>
    /// <exception cref="RealtimeException"><c>topic_type_unknown</c>.</exception>
    public TopicPolicy Get(TopicName topic) => Find(topic) ?? throw new RealtimeException(ErrorCode.TopicTypeUnknown);

    /// <summary>The policy of the topic's type, within its tenant's quotas.</summary>
    /// <exception cref="RealtimeException"><c>topic_type_unknown</c>.</exception>
    public TopicPolicy Get(TopicKey topic) => Narrow(Get(topic.Name), topic.Tenant);

    /// <summary>As <see cref="Get(TopicKey)"/>; null for a topic that was of a type of another configuration.</summary>
    public TopicPolicy? Find(TopicKey topic) => Find(topic.Name) is { } policy ? Narrow(policy, topic.Tenant) : null;

    private TopicPolicy? Find(TopicName topic)
    {
        var name = topic.Value.AsSpan();
        return _byType.TryGetValue(name[..name.IndexOf(':')], out var policy) ? policy : _default;
    }

    private TopicPolicy Narrow(TopicPolicy policy, string tenant) =>
        _tenants?.Of(tenant) is { } limits && (limits.PayloadBytes is not null || limits.RetentionDays is not null)
            ? _narrowed.GetValue(limits, static _ => new(StringComparer.Ordinal)).GetOrAdd(policy.Type, static (_, arguments) => Narrow(arguments.policy, arguments.limits), (policy, limits))
            : policy;

    private static TopicPolicy Narrow(TopicPolicy policy, TenantQuotas limits)
    {
        TimeSpan? age = limits.RetentionDays is { } days ? TimeSpan.FromDays(days) : null;
        return policy with
        {
            PayloadBytes = Math.Min(policy.PayloadBytes, limits.PayloadBytes ?? int.MaxValue),
            Retention = policy.Retention with { Age = policy.Retention.Age < age ? policy.Retention.Age : age ?? policy.Retention.Age },
        };
    }

    private static TopicPolicy ToPolicy(string type, TopicTypeOptions configured, RealtimeOptions options, bool offersPresence)
    {
        var fallback = configured.Durability is Durability.Recoverable ? RecoverableRetention : default;
        var room = type == Room;
        // Where people see each other they see who types and where he points.
        var together = room || configured.Presence is true;
        return new TopicPolicy
        {
            Type = type,
            Durability = configured.Durability,
            Open = configured.Open,
            Publishers = configured.Publishers,
            ClientEvents = configured.ClientEvents ?? (together ? RoomClientEvents : DefaultClientEvents),
            EphemeralEvents = configured.EphemeralEvents ?? (together ? RoomEphemeralEvents : []),
            UnknownEvents = configured.UnknownEvents,
            Signed = configured.Signed,
            Presence = offersPresence && (configured.Presence ?? room),
            PayloadBytes = configured.PayloadBytes ?? options.Limits.PayloadBytes,
            Retention = new Retention(configured.Retention.Events ?? fallback.Events, configured.Retention.Age ?? fallback.Age),
            RewindEvents = configured.RewindEvents ?? options.Limits.HistoryEvents,
            Qos = configured.Qos ?? [QosMode.All, QosMode.Latest, QosMode.Conflate],
            IdempotencyWindow = configured.IdempotencyWindow ?? (configured.Durability is Durability.Recoverable ? RecoverableWindow : DurableWindow),
        };
    }
}
