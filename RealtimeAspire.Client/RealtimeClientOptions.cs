using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>What differs from the defaults.</summary>
public sealed record RealtimeClientOptions
{
    /// <summary>
    /// Asked for a token at each connect. True: the last one was refused, so another is wanted; where that is refused too, the
    /// client closes. To close it when the session has ended, throw a <see cref="RealtimeException"/> that is not retryable.
    /// </summary>
    public Func<bool, Task<string?>>? Token { get; init; }

    /// <summary>What may be used, the first that gets through. Default: all of them.</summary>
    public IReadOnlyList<Transport> Transports { get; init; } = [Transport.WebSocket, Transport.Stream, Transport.Poll];

    /// <summary>How long a WebSocket is not tried again where none got through. Then it takes the place of what is used meanwhile.</summary>
    public TimeSpan RetryWebSocketAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long to wait between attempts.</summary>
    public Backoff Reconnect { get; init; } = new();

    /// <summary>How long a lost connection is <see cref="ConnectionStatus.Reconnecting"/> before it is <see cref="ConnectionStatus.Suspended"/>.</summary>
    public TimeSpan SuspendAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long nothing comes until the server is asked whether it lives.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long nothing comes until the server is thought not to live; more than <see cref="Heartbeat"/>.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one attempt to connect may take.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long to wait for an answer before the same request is sent again.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many publishes may wait for an answer; more are refused with <c>outbox_full</c>.</summary>
    public int OutboxCount { get; init; } = 1_000;

    /// <summary>
    /// How long a publish may wait; then it fails with <c>outbox_expired</c>, or <c>unknown</c> where it was sent and not answered.
    /// Less than the 24 hours for which the server remembers ids.
    /// </summary>
    public TimeSpan OutboxAge { get; init; } = TimeSpan.FromHours(23);

    /// <summary>Keeps what waits when the process ends, for the next one: a <see cref="FileOutbox"/>. Memory only by default.</summary>
    public IOutboxStore? OutboxStore { get; init; }

    /// <summary>Told what became of publishes that an earlier run has left in the store. Must not block.</summary>
    public Action<LateOutcome>? OnLateOutcome { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
