using System.ComponentModel.DataAnnotations;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>The configuration section <c>Realtime</c>.</summary>
internal sealed class RealtimeOptions
{
    public const string Section = "Realtime";

    /// <summary>Run without Redis, as the only node: recoverable topics are kept in memory. Default: false.</summary>
    public bool SingleNode { get; set; }

    /// <summary>The origins whose pages may call the API and the hub, <c>https://host[:port]</c> each. Default: none but its own.</summary>
    [MaxLength(100)]
    public string[] AllowedOrigins { get; set; } = [];

    /// <summary>The proxies whose word counts for who asks and whether by https: addresses, or ranges as 10.0.0.0/24. Default: none.</summary>
    [MaxLength(100)]
    public string[] TrustedProxies { get; set; } = [];

    public ConnectionOptions Connections { get; set; } = new();

    public LimitOptions Limits { get; set; } = new();

    public EventOptions Events { get; set; } = new();

    public AuthOptions Auth { get; set; } = new();

    /// <summary>What every signed-in user may do whose token says nothing of grants, beside what is open. Default: nothing.</summary>
    [MaxLength(100)]
    public GrantOptions[] Grants { get; set; } = [];

    public TenantOptions Tenants { get; set; } = new();

    public SignalOptions Signals { get; set; } = new();

    public AuditOptions Audit { get; set; } = new();

    public HookOptions Hooks { get; set; } = new();

    public FaultOptions Faults { get; set; } = new();

    /// <summary>The policies of topic types, by type. <c>room</c> is built in.</summary>
    public Dictionary<string, TopicTypeOptions> TopicTypes { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The configured type whose policy holds for topics of any other type. Default: none, such topics are refused.</summary>
    public string? DefaultTopicType { get; set; }
}
