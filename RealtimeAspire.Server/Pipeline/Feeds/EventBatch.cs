using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>
/// Events that leave together, in order. A feed makes one of what it has at a moment, and all its subscribers share it, with
/// the frame in which it is written.
/// </summary>
internal sealed class EventBatch
{
    private readonly EncodedEvent[] _events;
    private SerializedHubMessage? _frame;

    /// <param name="events">One or more; not changed afterwards.</param>
    public EventBatch(params EncodedEvent[] events)
    {
        _events = events;
        foreach (var encoded in events)
        {
            Bytes += encoded.Json.Length;
            HasEphemeral |= encoded.IsEphemeral;
        }
    }

    public IReadOnlyList<EncodedEvent> Events => _events;

    public int Bytes { get; }

    public bool HasEphemeral { get; }

    /// <summary>As one hub message, encoded once per protocol.</summary>
    // Two that come at once encode it twice, to the same bytes.
    public SerializedHubMessage Frame =>
        _frame ??= new SerializedHubMessage(new InvocationMessage(nameof(IRealtimeClient.Events), [_events]));
}
