namespace RealtimeAspire.Tests.Support;

/// <summary>Waits for a condition; the limit is there for the run that goes wrong, not for the one that goes well.</summary>
public static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static Task BecomesTrueAsync(Func<bool> condition, string otherwise, TimeSpan? within = null) =>
        BecomesTrueAsync(() => Task.FromResult(condition()), otherwise, within);

    public static async Task BecomesTrueAsync(Func<Task<bool>> condition, string otherwise, TimeSpan? within = null)
    {
        var limit = within ?? TimeSpan.FromSeconds(30);
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            // Looked at before the condition is: what holds after a stall holds.
            var isOver = TimeProvider.System.GetElapsedTime(started) > limit;
            if (await condition())
            {
                return;
            }

            if (isOver)
            {
                throw new TimeoutException($"After {limit.TotalSeconds} s: {otherwise}");
            }

            await Task.Delay(Pause, TimeProvider.System, Topology.Cancelled);
        }
    }
}
