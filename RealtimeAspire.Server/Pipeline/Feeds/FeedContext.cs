using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>What every feed of a node works with.</summary>
internal sealed record FeedContext(
    LogCatalog Logs,
    IBackplane Backplane,
    TailMemory Tails,
    RealtimeInstruments Instruments,
    RealtimeTracing Tracing,
    TimeProvider Time,
    ILogger<TopicFeed> Logger,
    SignalWatch? Signals = null);
