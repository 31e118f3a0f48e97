using System.Diagnostics;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>Does something so many times a second, whatever becomes of it: an open loop.</summary>
internal static class Pacer
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    /// <param name="perSecond">How often.</param>
    /// <param name="send">Gets when it was due, as a timestamp of <see cref="Stopwatch"/>: a late start counts as latency.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="count">Ends it too.</param>
    /// <returns>How often it was done.</returns>
    public static async Task<long> RunAsync(double perSecond, Action<long> send, CancellationToken cancellationToken, long count = long.MaxValue)
    {
        var start = Stopwatch.GetTimestamp();
        for (var done = 0L; ; done++)
        {
            var due = start + (long)(done * Stopwatch.Frequency / perSecond);
            while (Stopwatch.GetTimestamp() < due && !cancellationToken.IsCancellationRequested)
            {
                var wait = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
                await Task.Delay(wait > Tick ? wait : Tick, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            if (cancellationToken.IsCancellationRequested || done >= count)
                return done;
            send(due);
        }
    }
}
