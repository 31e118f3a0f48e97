using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>The section <c>Realtime:Presence</c>. The times hold for the node that has them; leases of nodes may differ.</summary>
internal sealed class PresenceOptions
{
    public const string Section = "Realtime:Presence";

    /// <summary>For so many seconds a user whose connection is gone is still there: if he comes back meanwhile, to whichever node, nobody notices. Default: 10.</summary>
    [Range(0.0, 300.0)]
    public double GraceSeconds { get; set; } = 10;

    /// <summary>A node that has not been heard of for so many seconds is gone, and its members with it. It is told five times in that. Default: 10.</summary>
    [Range(1.0, 300.0)]
    public double LeaseSeconds { get; set; } = 10;

    /// <summary>What changes within so many milliseconds is told together. Default: 200.</summary>
    [Range(20, 5_000)]
    public int WindowMs { get; set; } = 200;

    /// <summary>On topics with more users than this subscribers are told how many there are, and read who by pages. Default: 500.</summary>
    [Range(1, 10_000)]
    public int LargeTopic { get; set; } = 500;

    /// <summary>The window of such topics, in milliseconds. Default: 2,000.</summary>
    [Range(20, 60_000)]
    public int LargeWindowMs { get; set; } = 2_000;

    /// <summary>The most that there may be to say of a connection, in bytes of its JSON. Default: 1,024.</summary>
    [Range(2, 16_384)]
    public int DataBytes { get; set; } = 1_024;

    public TimeSpan Grace => TimeSpan.FromSeconds(GraceSeconds);

    public TimeSpan Lease => TimeSpan.FromSeconds(LeaseSeconds);

    public TimeSpan Window => TimeSpan.FromMilliseconds(WindowMs);

    public TimeSpan LargeWindow => TimeSpan.FromMilliseconds(LargeWindowMs);
}
