using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>Events between what was read and the position cannot be had.</summary>
/// <param name="Recovery"><see cref="Recovery.Gap"/> or <see cref="Recovery.NewEpoch"/>.</param>
/// <param name="Position">The newest event at the time: what comes next follows it.</param>
public sealed record Lost(Recovery Recovery, Position Position);

/// <summary>What a subscription is told of who is on its topic.</summary>
public enum PresenceMode
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>How many.</summary>
    Occupancy,

    /// <summary>Who.</summary>
    Members,
}

/// <summary>
/// Where a subscription starts, and what to do with what comes. At most one of <see cref="Position"/>, <see cref="Rewind"/> and
/// <see cref="Consumer"/>; without, from now on.
/// </summary>
public sealed record SubscribeOptions
{
    /// <summary>Continue after this position, for example one stored with the last event that was handled.</summary>
    public Position? Position { get; init; }

    /// <summary>
    /// Continue where the store says that the application has come to, and keep that there: a <see cref="FilePositionStore"/>. An event
    /// that was dealt with when the process ended may come again; to see it once, store its position together with its effect, in one
    /// transaction of your own, and give it as <see cref="Position"/> the next time.
    /// </summary>
    public IPositionStore? Positions { get; init; }

    /// <summary>Start with events of the past.</summary>
    public Rewind? Rewind { get; init; }

    /// <summary>Continue after what this consumer, a device of the user, has acknowledged.</summary>
    public string? Consumer { get; init; }

    /// <summary>What a reader gets who is slower than the topic; everything by default.</summary>
    public QosRequest? Qos { get; init; }

    /// <summary>False declines the topic's ephemeral events.</summary>
    public bool? Ephemeral { get; init; }

    /// <summary>What comes, as ephemeral events <c>presence:…</c>, of who is on the topic; nothing by default. <see cref="Client.Presence"/> makes a list of it.</summary>
    public PresenceMode Presence { get; init; }

    /// <summary>Called with one event at a time; the next waits until it has completed. What it throws ends the subscription.</summary>
    public Func<TopicEvent, Task>? OnEvent { get; init; }

    /// <summary>
    /// Called where events were lost, after those before them: read the state that they led to. If it was read as of another
    /// position than the one given, return that; read the position first, then the state. Null is the one given.
    /// </summary>
    public Func<Lost, Task<Position?>>? Reload { get; init; }

    /// <summary>Told what became of each return to the topic. Must not block.</summary>
    public Action<Recovery, Position>? OnRecovery { get; init; }

    /// <summary>Told how many events the server has left out, as <see cref="Qos"/> says. Must not block.</summary>
    public Action<long>? OnDropped { get; init; }

    /// <summary>So many events may wait for the application; then the topic is left, and joined again from there when they are dealt with.</summary>
    public int MaxQueued { get; init; } = 10_000;
}
