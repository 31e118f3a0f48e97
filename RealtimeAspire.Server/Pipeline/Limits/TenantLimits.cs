using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>What one tenant may have; null: as much as it likes.</summary>
internal sealed record TenantQuota
{
    /// <summary>On all nodes together.</summary>
    public int? PublishesPerSecond { get; init; }

    /// <inheritdoc cref="PublishesPerSecond"/>
    public int? Connections { get; init; }

    /// <summary>Topics with a subscriber: one that has some on two nodes counts twice.</summary>
    public int? Topics { get; init; }
}

/// <summary>The one place that knows what each tenant may have. Asked for each publish and connection: answers from memory.</summary>
internal sealed class TenantLimits(IOptions<RealtimeOptions> options)
{
    private readonly TenantQuota _all = new()
    {
        PublishesPerSecond = LimitOptions.Limited(options.Value.Limits.TenantPublishesPerSecond),
        Connections = LimitOptions.Limited(options.Value.Limits.TenantConnections),
        Topics = LimitOptions.Limited(options.Value.Limits.TenantTopics),
    };

    /// <param name="tenant">Of a valid token.</param>
    public TenantQuota Of(string tenant) => _all;
}
