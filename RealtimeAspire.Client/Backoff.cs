namespace RealtimeAspire.Client;

/// <summary>
/// How long to wait before the next attempt: anything up to <see cref="First"/>, twice that, four times … <see cref="Longest"/>. Full
/// jitter, so that the clients of a node that went away do not all arrive at the next one at once (M. Brooker, "Exponential Backoff
/// and Jitter", 2015). Never gives up.
/// </summary>
public sealed record Backoff
{
    /// <summary>The first wait is at most this.</summary>
    public TimeSpan First { get; init; } = TimeSpan.FromSeconds(0.2);

    /// <summary>No wait is longer.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(10);

    internal Random Random { get; init; } = Random.Shared;

    /// <summary>The wait before an attempt.</summary>
    /// <param name="failed">How many attempts have failed, from 0.</param>
    public TimeSpan DelayAfter(long failed)
    {
        var most = First * Math.Pow(2, Math.Min(failed, 30));
        // Spreads load; nothing secret depends on it.
#pragma warning disable CA5394
        return (most < Longest ? most : Longest) * Random.NextDouble();
#pragma warning restore CA5394
    }
}
