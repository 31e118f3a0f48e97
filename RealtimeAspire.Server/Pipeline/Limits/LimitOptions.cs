using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Hosting;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>The section <c>Realtime:Limits</c>.</summary>
internal sealed class LimitOptions
{
    public const int DefaultRequestsPerSecond = 200;
    public const int DefaultConnectsPerSecond = 50;
    public const int DefaultLoginsPerMinute = 10;
    public const int DefaultAddressLoginsPerMinute = 100;
    public const int DefaultUserConnections = 100;

    private const int EnvelopeBytes = 16 * 1024;

    /// <summary>The largest payload, in bytes of its JSON. Default: 64 KiB.</summary>
    [Range(1, 16 * 1024 * 1024)]
    public int PayloadBytes { get; set; } = 64 * 1024;

    /// <summary>How many members the objects of a payload may have in all. Default: 1,000.</summary>
    [Range(1, 1_000_000)]
    public int PayloadMembers { get; set; } = 1_000;

    /// <summary>How many publishes a user has per second on this node; a payload counts once more for each 16 KiB. Default: 500.</summary>
    [Range(1, 1_000_000)]
    public int PublishesPerSecond { get; set; } = 500;

    /// <summary>How many publishes a user may save up. Default: 2,000.</summary>
    [Range(1, 10_000_000)]
    public int PublishBurst { get; set; } = 2_000;

    /// <summary>How many publishes a connection has per second, with a burst in proportion to its user's; 0: as many as its user. Default: 0.</summary>
    [Range(0, 1_000_000)]
    public int ConnectionPublishesPerSecond { get; set; }

    /// <summary>How many publishes a tenant has per second on all nodes together, and may save up for a second; 0: any number. Default: 0.</summary>
    [Range(0, 100_000_000)]
    public int TenantPublishesPerSecond { get; set; }

    /// <summary>
    /// How many requests beside publishes and calls a user has per second on this node: a subscribe of one topic, 50 events of a page of the
    /// past, an acknowledge; 0: any number. Default: 200, in development any number.
    /// </summary>
    [Range(0, 1_000_000)]
    public int? RequestsPerSecond { get; set; }

    /// <summary>How many of them a user may save up. Default: 5,000.</summary>
    [Range(1, 10_000_000)]
    public int RequestBurst { get; set; } = 5_000;

    /// <summary>
    /// How often addresses that are taken for one may connect per second on this node, or come for a token, whoever they say they are; 0: any
    /// number. Default: 50, in development any number.
    /// </summary>
    [Range(0, 1_000_000)]
    public int? ConnectsPerSecond { get; set; }

    /// <summary>How many connects they may save up. Default: 250.</summary>
    [Range(1, 10_000_000)]
    public int ConnectBurst { get; set; } = 250;

    /// <summary>How many bits IPv4 addresses share that are taken for one. Default: 32.</summary>
    [Range(8, 32)]
    public int AddressPrefixV4 { get; set; } = 32;

    /// <summary>How many bits IPv6 addresses share that are taken for one. Default: 64.</summary>
    [Range(16, 128)]
    public int AddressPrefixV6 { get; set; } = 64;

    /// <summary>How often a name may be tried per minute to sign in, on all nodes together; 0: any number. Default: 10, in development any number.</summary>
    [Range(0, 1_000_000)]
    public int? LoginsPerMinute { get; set; }

    /// <summary>The same for addresses that are taken for one, whatever the name. Default: 100, in development any number.</summary>
    [Range(0, 1_000_000)]
    public int? AddressLoginsPerMinute { get; set; }

    /// <summary>How many connections this node has at most; 0: any number. Default: 100,000.</summary>
    [Range(0, 10_000_000)]
    public int Connections { get; set; } = 100_000;

    /// <summary>How many connections a tenant has at most, on all nodes together; 0: any number. Default: 0.</summary>
    [Range(0, 100_000_000)]
    public int TenantConnections { get; set; }

    /// <summary>How many connections a user has at most on this node; 0: any number. Default: 100, in development any number.</summary>
    [Range(0, 1_000_000)]
    public int? UserConnections { get; set; }

    /// <summary>How many topics of a tenant have subscribers at most, on all nodes together; 0: any number. Default: 0.</summary>
    [Range(0, 100_000_000)]
    public int TenantTopics { get; set; }

    /// <summary>How many topics one connection may subscribe to. Default: 1,000.</summary>
    [Range(1, 100_000)]
    public int SubscriptionsPerConnection { get; set; } = 1_000;

    /// <summary>How many bytes may wait for one connection before it is closed as too slow. Default: 1 MiB.</summary>
    [Range(64 * 1024, 256 * 1024 * 1024)]
    public int QueueBytes { get; set; } = 1024 * 1024;

    /// <summary>How many bytes of recent events this node keeps in memory for those who come back. Default: 128 MiB.</summary>
    [Range(1024 * 1024, int.MaxValue)]
    public int TailBytes { get; set; } = 128 * 1024 * 1024;

    /// <summary>The most events in one reply. Default: 1,000.</summary>
    [Range(1, 10_000)]
    public int HistoryEvents { get; set; } = 1_000;

    /// <summary>The most publishes in one array. Default: 1,000.</summary>
    [Range(1, 10_000)]
    public int BatchPublishes { get; set; } = 1_000;

    /// <summary>How many publishes may wait for the log on this node. Default: 20,000.</summary>
    [Range(100, 1_000_000)]
    public int WaitingPublishes { get; set; } = 20_000;

    /// <summary>How many bytes of payload may wait for the log on this node. Default: 64 MiB.</summary>
    [Range(1024 * 1024, int.MaxValue)]
    public int WaitingBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>How long a publish waits for the log before it fails as unavailable, in seconds. Default: 10.</summary>
    [Range(1, 300)]
    public int PublishTimeoutSeconds { get; set; } = 10;

    /// <summary>The file that says which addresses are of which region, lines <c>cidr,region</c> or JSON. Default: none.</summary>
    [StringLength(4_096, MinimumLength = 1)]
    public string? RegionsFile { get; set; }

    /// <summary>What holds for regions, by their names in that file. Default: nothing.</summary>
    [MaxLength(1_000)]
    public Dictionary<string, RegionOptions> Regions { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The longest message that the hub takes: a payload over its limit, up to twice that, is still told so by name.</summary>
    public long HubMessageBytes => (PayloadBytes * 2L) + EnvelopeBytes;

    /// <summary>Null: there is no such limit.</summary>
    public static int? Limited(int configured) => configured == 0 ? null : configured;

    /// <summary>A limit that stands in the way of development unless it is set. Null: there is none.</summary>
    public static int? Limited(int? configured, int otherwise, IHostEnvironment environment) =>
        Limited(configured ?? (environment.IsDevelopment() ? 0 : otherwise));
}
