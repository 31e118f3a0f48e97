namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>What one tenant may have at most, beside what holds for everybody; null: nothing of its own.</summary>
internal sealed record TenantQuotas
{
    public static readonly TenantQuotas None = new();

    /// <summary>Connections at the same time, over all nodes.</summary>
    public int? Connections { get; init; }

    /// <summary>Topics that have been published to and are kept in Postgres.</summary>
    public int? Topics { get; init; }

    public int? SubscriptionsPerConnection { get; init; }

    /// <summary>Publishes per second, over all nodes.</summary>
    public int? PublishesPerSecond { get; init; }

    public int? PayloadBytes { get; init; }

    /// <summary>For how many days events are kept.</summary>
    public int? RetentionDays { get; init; }
}

/// <summary>Knows what each tenant may have. Synchronous and cheap: it is asked for every publish.</summary>
internal interface ITenantQuotas
{
    /// <summary>The same object for as long as nothing changes.</summary>
    TenantQuotas Of(string tenant);
}
