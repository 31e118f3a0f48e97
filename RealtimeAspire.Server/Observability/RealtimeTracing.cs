using System.Diagnostics;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Calls;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Observability;

/// <summary>The spans of an event's life. One trace goes from the publish over Redis to the delivery on every node.</summary>
internal sealed class RealtimeTracing : IDisposable
{
    public const string SourceName = "RealtimeAspire";

    private const int MaxLinks = 32;

    private readonly ActivitySource _source = new(SourceName);

    /// <summary>A publish, from its admission to its acknowledgement: in the trace that its request names, or in that of its call.</summary>
    public Activity? StartPublish(Caller caller, TopicName topic, string? trace) =>
        _source.StartActivity("publish", ActivityKind.Producer, trace.ToActivityContext())?
            .SetTag(TagNames.Tenant, caller.Tenant)
            .SetTag(TagNames.Topic, topic.Value);

    /// <summary>A call, from its admission to its answer.</summary>
    public Activity? StartCall(Caller caller, CallTarget target, string? trace) =>
        _source.StartActivity("call", ActivityKind.Server, trace.ToActivityContext())?
            .SetTag(TagNames.Tenant, caller.Tenant)
            .SetTag(TagNames.Topic, target.Topic.Name.Value)
            .SetTag(TagNames.Method, target.Method);

    /// <summary>A transaction that stores publishes: part of the first one's trace, linked to the others.</summary>
    public Activity? StartAppend(IReadOnlyList<PendingAppend> appends)
    {
        if (!_source.HasListeners() || appends.Count == 0)
        {
            return null;
        }

        var links = appends.Skip(1).Take(MaxLinks).Where(pending => pending.Append.Trace != default).Select(pending => new ActivityLink(pending.Append.Trace));
        return _source.StartActivity(ActivityKind.Internal, appends[0].Append.Trace, links: links, name: "append")?
            .SetTag(TagNames.BatchSize, appends.Count);
    }

    /// <summary>The Redis PUBLISH of an event.</summary>
    public Activity? StartRedisPublish(ActivityContext parent, TopicKey topic)
    {
        if (!parent.IsRecorded())
        {
            return null;
        }

        return _source.StartActivity("PUBLISH", ActivityKind.Client, parent)?
            .SetTag(TagNames.DbSystem, "redis")
            .SetTag(TagNames.DbSystemName, "redis")
            .SetTag(TagNames.DbOperation, "PUBLISH")
            .SetTag(TagNames.Tenant, topic.Tenant)
            .SetTag(TagNames.Topic, topic.Name.Value);
    }

    /// <summary>The fan-out of an event on one node.</summary>
    public Activity? StartDeliver(ActivityContext publish, TopicKey topic, long offset, int subscribers)
    {
        if (!publish.IsRecorded())
        {
            return null;
        }

        return _source.StartActivity("deliver", ActivityKind.Consumer, publish)?
            .SetTag(TagNames.Tenant, topic.Tenant)
            .SetTag(TagNames.Topic, topic.Name.Value)
            .SetTag(TagNames.Offset, offset)
            .SetTag(TagNames.Subscribers, subscribers);
    }

    /// <summary>An event on its way to a client, who has said that it has arrived: from its timestamp until then, as far as can be told.</summary>
    public void AddReceipt(Caller caller, TopicName topic, string? trace, DateTimeOffset published, DateTimeOffset received)
    {
        if (trace.ToActivityContext() is var publish && publish.IsRecorded())
        {
            using var activity = _source.StartActivity(ActivityKind.Consumer, publish, startTime: published, name: "receive");
            activity?.SetTag(TagNames.Tenant, caller.Tenant).SetTag(TagNames.Topic, topic.Value).SetEndTime(received.UtcDateTime);
        }
    }

    public void Dispose() => _source.Dispose();
}

internal static class ActivityContextExtensions
{
    public static bool IsRecorded(this ActivityContext context) =>
        context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded);

    /// <summary>The context of a traceparent, or none.</summary>
    public static ActivityContext ToActivityContext(this string? traceParent) =>
        ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}
