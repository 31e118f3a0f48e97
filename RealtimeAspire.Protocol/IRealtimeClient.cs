namespace RealtimeAspire.Protocol;

/// <summary>What the hub at <c>/realtime</c> calls on its clients.</summary>
public interface IRealtimeClient
{
    /// <summary>Events of one or more topics, ascending per topic. May arrive before the reply of their subscribe.</summary>
    /// <param name="events">One or more.</param>
    Task Events(IReadOnlyList<TopicEvent> events);

    /// <summary>Something about a subscription or the connection.</summary>
    /// <param name="control">What.</param>
    Task Control(Control control);

    /// <summary>A call of a method that this connection handles.</summary>
    /// <param name="call">To be answered once, with <c>Reply</c>.</param>
    Task Request(IncomingCall call);
}
