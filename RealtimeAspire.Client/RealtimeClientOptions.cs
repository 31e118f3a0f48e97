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

    /// <summary>After so many requests over HTTP that failed in a row none is sent for <see cref="BreakerPause"/>.</summary>
    public int BreakerFailures { get; init; } = 5;

    /// <summary>For how long none is sent; then one shows whether it is better.</summary>
    public TimeSpan BreakerPause { get; init; } = TimeSpan.FromSeconds(5);

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

    /// <summary>
    /// Told when the application's backend has subscribed this connection to a topic that this client is not subscribed to, with the position that its events follow:
    /// subscribe from there to have them. Must not block.
    /// </summary>
    public Action<string, Position>? OnSubscribed { get; init; }

    /// <summary>For which share of the events, 0 to 1, the server is told that they have arrived. It then shows how long they take. Default: 0.</summary>
    public double Receipts { get; init; }

    /// <summary>
    /// Signs what is published, before it waits for anything: <c>Sign = request => signer.Sign(request)</c>, of an <see cref="EventSigner"/> whose key is
    /// registered. What it answers null for is not signed.
    /// </summary>
    public Func<PublishRequest, EventSignature?>? Sign { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <exception cref="RealtimeException"><c>option_invalid</c>, with the option's name.</exception>
    internal void Validate()
    {
        Require(Transports.Count > 0 && Transports.All(Enum.IsDefined), $"{nameof(Transports)} are some of WebSocket, Stream and Poll.");
        Require(RetryWebSocketAfter >= TimeSpan.Zero, $"{nameof(RetryWebSocketAfter)} is 0 or more.");
        Require(SuspendAfter >= TimeSpan.Zero, $"{nameof(SuspendAfter)} is 0 or more.");
        Require(Heartbeat > TimeSpan.Zero, $"{nameof(Heartbeat)} is more than 0.");
        Require(OpenTimeout > TimeSpan.Zero, $"{nameof(OpenTimeout)} is more than 0.");
        Require(AnswerTimeout > TimeSpan.Zero, $"{nameof(AnswerTimeout)} is more than 0.");
        Require(Silence > Heartbeat, $"{nameof(Silence)} is more than {nameof(Heartbeat)}.");
        Require(Reconnect.First > TimeSpan.Zero && Reconnect.Longest >= Reconnect.First, $"{nameof(Reconnect)}.First is more than 0, and {nameof(Reconnect)}.Longest not less.");
        Require(BreakerFailures >= 1, $"{nameof(BreakerFailures)} is 1 or more.");
        Require(BreakerPause > TimeSpan.Zero, $"{nameof(BreakerPause)} is more than 0.");
        Require(OutboxCount >= 1, $"{nameof(OutboxCount)} is 1 or more.");
        Require(
            OutboxAge > TimeSpan.Zero && OutboxAge < TimeSpan.FromHours(24),
            $"{nameof(OutboxAge)} is more than 0 and less than the 24 hours for which the server remembers ids.");
        Require(Receipts is >= 0 and <= 1, $"{nameof(Receipts)} is a share, 0 to 1.");
    }

    private static void Require(bool holds, string sentence)
    {
        if (!holds)
        {
            throw new RealtimeException(ClientErrors.OptionInvalid, sentence);
        }
    }
}
