using System.Diagnostics;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>
/// The client's spans: of publishes and calls, which the server's continue, and of what deals with events, which continue the server's.
/// Where nobody listens to <see cref="SourceName"/> they cost nothing.
/// </summary>
public static class ClientTracing
{
    /// <summary>The name of the <see cref="ActivitySource"/>, for <c>AddSource</c> of OpenTelemetry.</summary>
    public const string SourceName = "RealtimeAspire.Client";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>
    /// A span in the event's trace, for what an application does with it; to be disposed. Around a handler given as
    /// <see cref="SubscribeOptions.OnEvent"/> there is one already.
    /// </summary>
    /// <param name="received">The event.</param>
    /// <returns>Null where nobody listens, or the event is not traced.</returns>
    public static Activity? StartActivity(this TopicEvent received)
    {
        ArgumentNullException.ThrowIfNull(received);
        return Continue("process", ActivityKind.Consumer, received.TraceId, received.Topic)?.SetTag("realtime.event", received.Event).SetTag("realtime.offset", received.Offset);
    }

    internal static Activity? Start(string name, ActivityKind kind, string topic, string subject) =>
        Source.StartActivity(name, kind)?.SetTag("realtime.topic", topic).SetTag(kind is ActivityKind.Producer ? "realtime.event" : "realtime.method", subject);

    internal static Activity? Continue(string name, ActivityKind kind, string? traceParent, string topic) =>
        Source.HasListeners() && ActivityContext.TryParse(traceParent, null, isRemote: true, out var context)
            ? Source.StartActivity(name, kind, context)?.SetTag("realtime.topic", topic)
            : null;

    /// <summary>The span lasts until there is an answer; the caller's own goes on at once.</summary>
    internal static Task<T> EndWith<T>(this Activity? activity, Task<T> answer)
    {
        if (activity is not null)
        {
            Activity.Current = activity.Parent;
            _ = answer.ContinueWith(
                answered =>
                {
                    activity.SetStatus(answered.IsCompletedSuccessfully ? ActivityStatusCode.Unset : ActivityStatusCode.Error, (answered.Exception?.InnerException as RealtimeException)?.Code);
                    activity.Dispose();
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        return answer;
    }
}
