using Microsoft.AspNetCore.SignalR.Client;

namespace RealtimeAspire.Client;

/// <summary>
/// How long to wait before the next try: anything up to 0.2 s, 0.4 s, 0.8 s … 10 s. Full jitter, so that the clients of a
/// node that went away do not all arrive at the next one at once. Never gives up.
/// </summary>
public sealed class Backoff : IRetryPolicy
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(0.2);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private readonly Random _random;

    /// <summary>A backoff with its own randomness.</summary>
    public Backoff()
        : this(Random.Shared)
    {
    }

    internal Backoff(Random random) => _random = random;

    /// <summary>The wait before a try.</summary>
    /// <param name="failedTries">How many have failed, from 0.</param>
    public TimeSpan DelayAfter(long failedTries) =>
        First * Math.Pow(2, Math.Min(failedTries, 16)) is var wait && wait < Longest ? wait * Jitter() : Longest * Jitter();

    TimeSpan? IRetryPolicy.NextRetryDelay(RetryContext retryContext) => DelayAfter(retryContext.PreviousRetryCount);

    private double Jitter()
    {
        // Spreads load; nothing secret depends on it.
#pragma warning disable CA5394
        return _random.NextDouble();
#pragma warning restore CA5394
    }
}
