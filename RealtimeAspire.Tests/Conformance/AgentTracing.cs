using System.Diagnostics;
using RealtimeAspire.Client;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>An application's tracing: somebody listens to the client's spans, and there are spans of its own.</summary>
internal static class AgentTracing
{
    private static readonly ActivitySource Source = new("RealtimeAspire.Tests.Agent");

    static AgentTracing() => ActivitySource.AddActivityListener(new ActivityListener
    {
        ShouldListenTo = source => source.Name is ClientTracing.SourceName || source == Source,
        // What belongs to no trace begins none.
        Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.Parent == default ? ActivitySamplingResult.None : ActivitySamplingResult.AllDataAndRecorded,
    });

    /// <summary>The id of the trace that runs; null outside of any.</summary>
    public static string? Current => Activity.Current?.Source.Name is ClientTracing.SourceName ? Activity.Current.TraceId.ToHexString() : null;

    public static T Within<T>(string? trace, Func<T> run)
    {
        using var activity = trace is null
            ? null
            : Source.StartActivity(ActivityKind.Internal, new ActivityContext(ActivityTraceId.CreateFromString(trace), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded), name: "test");
        return run();
    }
}
