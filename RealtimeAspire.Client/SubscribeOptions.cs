using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>Where a subscription starts, and what to do when events were lost. Without either, from now on.</summary>
public sealed record SubscribeOptions
{
    /// <summary>Continue after this position, for example one stored with the last event that was handled.</summary>
    public Position? Position { get; init; }

    /// <summary>Start with events of the past.</summary>
    public Rewind? Rewind { get; init; }

    /// <summary>
    /// Called when events between the last one and the given position cannot be had (<see cref="Recovery.Gap"/> or
    /// <see cref="Recovery.NewEpoch"/>): read the state they led to from where it is kept. Must not block.
    /// </summary>
    public Action<Recovery, Position>? OnLost { get; init; }
}
