namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>How long another try waits: twice as long each time up to a limit, and by chance down to half of that, so that what failed together does not come back together. Pure.</summary>
internal static class RetryDelay
{
    private const int MostDoublings = 30;

    /// <param name="attempts">How many have failed, 1 or more.</param>
    /// <param name="first">The wait after the first.</param>
    /// <param name="last">The longest.</param>
    /// <param name="chance">0 to 1.</param>
    /// <param name="asked">What the other side has asked for.</param>
    public static TimeSpan After(int attempts, TimeSpan first, TimeSpan last, double chance, TimeSpan? asked = null)
    {
        var longest = Math.Min(first.TotalSeconds * Math.Pow(2, Math.Min(attempts - 1, MostDoublings)), last.TotalSeconds);
        var wait = TimeSpan.FromSeconds(longest * (0.5 + (chance / 2)));
        return asked > wait ? (asked > last ? last : asked.Value) : wait;
    }
}
