using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>The section <c>Realtime:Limits</c>.</summary>
internal sealed class LimitOptions
{
    private const int EnvelopeBytes = 16 * 1024;

    /// <summary>The largest payload, in bytes of its JSON. Default: 64 KiB.</summary>
    [Range(1, 16 * 1024 * 1024)]
    public int PayloadBytes { get; set; } = 64 * 1024;

    /// <summary>How many members the objects of a payload may have in all. Default: 1,000.</summary>
    [Range(1, 1_000_000)]
    public int PayloadMembers { get; set; } = 1_000;

    /// <summary>How many publishes a user has per second on this node. Default: 500.</summary>
    [Range(1, 1_000_000)]
    public int PublishesPerSecond { get; set; } = 500;

    /// <summary>How many publishes a user may save up. Default: 2,000.</summary>
    [Range(1, 10_000_000)]
    public int PublishBurst { get; set; } = 2_000;

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

    /// <summary>The longest message that the hub takes: a payload over its limit, up to twice that, is still told so by name.</summary>
    public long HubMessageBytes => (PayloadBytes * 2L) + EnvelopeBytes;
}
