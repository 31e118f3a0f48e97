using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>What the policies of durable types mean for the tables.</summary>
internal static class PostgresRetention
{
    /// <summary>The class of events whose time is never over.</summary>
    public const int Unlimited = 0;

    /// <summary>Whose events go together: the days that they are kept, rounded up.</summary>
    public static int ClassOf(TopicPolicy policy) => policy.Retention.Age is { } age ? (int)Math.Ceiling(age.TotalDays) : Unlimited;

    /// <summary>The longest time that an id is remembered on any durable topic.</summary>
    public static TimeSpan LongestWindow(TopicCatalog catalog) => catalog.Policies
        .Where(policy => policy.Durability is Durability.Durable)
        .Select(policy => policy.IdempotencyWindow)
        .Append(TimeSpan.Zero)
        .Max();
}
