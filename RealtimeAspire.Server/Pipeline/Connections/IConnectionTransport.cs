using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>How one connection's bytes leave. Called by the connection only, one call at a time.</summary>
internal interface IConnectionTransport
{
    /// <summary>For the counts.</summary>
    string Name { get; }

    /// <summary>Whether events say their topic by its number, which a reader is then told when it subscribes.</summary>
    bool UsesNumbers => false;

    /// <summary>Writes and flushes; waits while the reader is slow.</summary>
    ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken);

    ValueTask SendControlAsync(Control control, CancellationToken cancellationToken);

    /// <summary>Only connections that can answer handle calls.</summary>
    ValueTask SendCallAsync(IncomingCall call, CancellationToken cancellationToken) => throw new NotSupportedException($"No calls come over {Name}.");

    /// <summary>Tells why, if that can be done in a moment, and ends the connection. May be called beside a send.</summary>
    Task CloseAsync(ErrorCode reason);
}
