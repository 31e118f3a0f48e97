using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>How a client is connected.</summary>
public enum ConnectionStatus
{
    /// <summary>Not asked to connect yet, or asked to disconnect.</summary>
    Disconnected,

    /// <summary>For the first time.</summary>
    Connecting,

    /// <summary>There is a connection.</summary>
    Connected,

    /// <summary>The connection was lost, or could not be had; it is tried again.</summary>
    Reconnecting,

    /// <summary>So for longer than <see cref="RealtimeClientOptions.SuspendAfter"/>; it is still tried, and it is time to tell the user.</summary>
    Suspended,

    /// <summary>For good.</summary>
    Closed,
}

/// <summary>How a client is connected, and why it is not.</summary>
/// <param name="Status">How.</param>
/// <param name="Reason">Why it is not connected.</param>
/// <param name="RetryAt">When the next attempt begins; null while one is under way.</param>
public sealed record ConnectionState(ConnectionStatus Status, RealtimeException? Reason = null, DateTimeOffset? RetryAt = null);
