namespace RealtimeAspire.Checker.Load;

/// <summary>Waits between tries and between publishes.</summary>
internal static class Pacing
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Before the next try: up to 50 ms, 100 ms … 1 s. Ends early, without an error, when the run does.</summary>
    public static Task BackOffAsync(Random random, int failures, TimeProvider time, CancellationToken cancellationToken)
    {
        var most = First * Math.Pow(2, Math.Min(failures, 10));
        return WaitAsync((most < Longest ? most : Longest) * random.NextDouble(), time, cancellationToken);
    }

    public static async Task WaitAsync(TimeSpan delay, TimeProvider time, CancellationToken cancellationToken) =>
        await Task.Delay(delay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
