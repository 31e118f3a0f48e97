namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What tells of a notification beside the inbox.</summary>
internal enum Channel
{
    Push,
    Email,
}

/// <summary>How it is with a notification in somebody's inbox.</summary>
/// <param name="Priority">How much it matters.</param>
/// <param name="Created">When it was sent.</param>
/// <param name="Expires">When it is over.</param>
/// <param name="IsRead">It was read, wherever.</param>
/// <param name="IsAcknowledged">Some device has dealt with it.</param>
/// <param name="IsRemoved">It is not in the inbox any more.</param>
internal readonly record struct LadderEntry(
    NotificationPriority Priority, DateTimeOffset Created, DateTimeOffset Expires, bool IsRead = false, bool IsAcknowledged = false, bool IsRemoved = false);

/// <summary>What a channel does about it: tell at a moment, now where that has passed, or never.</summary>
/// <param name="At">When.</param>
/// <param name="Never">Why not at all.</param>
internal readonly record struct LadderStep(DateTimeOffset? At, string? Never)
{
    public static LadderStep Tell(DateTimeOffset at) => new(at, null);

    public static LadderStep Not(string why) => new(null, why);
}

/// <summary>
/// Live, then the inbox, then Web Push, then e-mail: each later one only when the ones before were not heard. Pure; asked when a notification comes in, and
/// again before anything is sent.
/// </summary>
internal static class Ladder
{
    public const string Off = "off";
    public const string Removed = "removed";
    public const string Read = "read";
    public const string Acknowledged = "acknowledged";
    public const string Expired = "expired";

    /// <param name="channel">Which step.</param>
    /// <param name="kind">The notification's.</param>
    /// <param name="preferences">The recipient's.</param>
    /// <param name="entry">How it is with it.</param>
    /// <param name="delay">How long the steps before have.</param>
    /// <param name="now">The moment.</param>
    public static LadderStep Decide(Channel channel, KindRule kind, Preferences preferences, LadderEntry entry, TimeSpan delay, DateTimeOffset now)
    {
        if (!preferences.Takes(kind, channel))
        {
            return LadderStep.Not(Off);
        }

        if (entry.IsRemoved || entry.IsRead || entry.IsAcknowledged)
        {
            return LadderStep.Not(entry.IsRemoved ? Removed : entry.IsRead ? Read : Acknowledged);
        }

        var due = entry.Created + delay;
        var at = due > now ? due : now;
        if (entry.Priority is not NotificationPriority.Urgent && preferences.QuietHours?.EndFrom(at) is { } end)
        {
            at = end;
        }

        return at >= entry.Expires ? LadderStep.Not(Expired) : LadderStep.Tell(at);
    }
}
