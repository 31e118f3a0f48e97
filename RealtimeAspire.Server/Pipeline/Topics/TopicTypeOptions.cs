using System.ComponentModel.DataAnnotations;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>The section <c>Realtime:TopicTypes:{type}</c>.</summary>
internal sealed class TopicTypeOptions
{
    /// <summary>What is promised about its events: Ephemeral, Recoverable or Durable. Default: Durable.</summary>
    [EnumDataType(typeof(Durability))]
    public Durability Durability { get; set; } = Durability.Durable;

    /// <summary>Whether every signed-in user may subscribe and publish. Default: in development only.</summary>
    public bool? Open { get; set; }

    /// <summary>Who may publish at all: Clients (the hub and HTTP), Servers (code in the process and SQL), or both. Default: both.</summary>
    public Publishers Publishers { get; set; } = Publishers.Clients | Publishers.Servers;

    /// <summary>The event names that clients may publish, beside those a feature opens; a last <c>*</c> stands for any end. Default: <c>app:*</c>.</summary>
    [MaxLength(100)]
    public string[]? ClientEvents { get; set; }

    /// <summary>The event names that are passed on without being stored, whatever the durability; a last <c>*</c> stands for any end. Default: none.</summary>
    [MaxLength(100)]
    public string[]? EphemeralEvents { get; set; }

    /// <summary>What becomes of events that nobody has registered: Allow, with any payload, or Refuse. Default: Allow.</summary>
    [EnumDataType(typeof(UnknownEvents))]
    public UnknownEvents UnknownEvents { get; set; } = UnknownEvents.Allow;

    /// <summary>Whether events have to be signed by their publishers: None (one that is given is verified and kept all the same) or Required. Default: None.</summary>
    [EnumDataType(typeof(SignedEvents))]
    public SignedEvents Signed { get; set; } = SignedEvents.None;

    /// <summary>Whether who is on a topic is known and told, where the server has that feature. Default: for <c>room</c>.</summary>
    public bool? Presence { get; set; }

    /// <summary>The largest payload, in bytes of its JSON, at most <c>Realtime:Limits:PayloadBytes</c>, which is the default.</summary>
    [Range(1, 16 * 1024 * 1024)]
    public int? PayloadBytes { get; set; }

    /// <summary>How much of a topic is kept.</summary>
    public RetentionOptions Retention { get; set; } = new();

    /// <summary>The most events that a rewind yields, 0 to 10,000. Default: <c>Realtime:Limits:HistoryEvents</c>.</summary>
    [Range(0, 10_000)]
    public int? RewindEvents { get; set; }

    /// <summary>What a subscription may choose: All, Latest, Conflate. Default: each of them.</summary>
    [MinLength(1)]
    public QosMode[]? Qos { get; set; }

    /// <summary>How long an id is remembered. Default: 24 h for durable types (at most 7 days), 5 minutes for recoverable ones (at most 1 h).</summary>
    public TimeSpan? IdempotencyWindow { get; set; }
}

/// <summary>The section <c>Realtime:TopicTypes:{type}:Retention</c>.</summary>
internal sealed class RetentionOptions
{
    /// <summary>The newest so many events of a topic are kept. Default: 10,000 for recoverable types (at most 1,000,000), unlimited for durable ones.</summary>
    [Range(1L, long.MaxValue)]
    public long? Events { get; set; }

    /// <summary>Events of this age are gone. Default: 1 h for recoverable types (10 s to 7 days), unlimited for durable ones (1 h to 10 years).</summary>
    public TimeSpan? Age { get; set; }
}

/// <summary>What is promised about a topic's events.</summary>
internal enum Durability
{
    /// <summary>Stored in Postgres before the publish is acknowledged.</summary>
    Durable,

    /// <summary>Stored in Redis, or in memory by a single node, before the publish is acknowledged; kept for a while.</summary>
    Recoverable,

    /// <summary>Stored nowhere: passed on to who listens.</summary>
    Ephemeral,
}

/// <summary>What becomes of events that nobody has registered.</summary>
internal enum UnknownEvents
{
    /// <summary>They may have any payload.</summary>
    Allow,

    /// <summary>They are refused with <c>event_unknown</c>.</summary>
    Refuse,
}

/// <summary>Whether events have to be signed by their publishers.</summary>
internal enum SignedEvents
{
    /// <summary>They may be.</summary>
    None,

    /// <summary>Others are refused with <c>signature_required</c>.</summary>
    Required,
}

/// <summary>Who may publish on topics of a type.</summary>
[Flags]
internal enum Publishers
{
    /// <summary>Nobody; not to be configured.</summary>
    None = 0,

    /// <summary>Whoever comes over the hub or HTTP with a token.</summary>
    Clients = 1,

    /// <summary>Code in the server's process, and SQL.</summary>
    Servers = 2,
}
