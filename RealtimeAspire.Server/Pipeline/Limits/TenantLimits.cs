using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>What one tenant may have, by the configuration and by its own quotas; null: as much as it likes.</summary>
internal readonly record struct TenantLimit
{
    /// <summary>On all nodes together.</summary>
    public int? PublishesPerSecond { get; init; }

    /// <inheritdoc cref="PublishesPerSecond"/>
    public int? Connections { get; init; }

    /// <summary>Topics with a subscriber: one that has some on two nodes counts twice.</summary>
    public int? Topics { get; init; }
}

/// <summary>What counts of each tenant here. Asked for each publish and connection: answers from memory.</summary>
/// <param name="options">What holds for all.</param>
/// <param name="quotas">What holds for one beside that; null: nothing.</param>
internal sealed class TenantLimits(IOptions<RealtimeOptions> options, ITenantQuotas? quotas = null)
{
    private readonly TenantLimit _all = new()
    {
        PublishesPerSecond = LimitOptions.Limited(options.Value.Limits.TenantPublishesPerSecond),
        Connections = LimitOptions.Limited(options.Value.Limits.TenantConnections),
        Topics = LimitOptions.Limited(options.Value.Limits.TenantTopics),
    };

    /// <param name="tenant">Of a valid token.</param>
    public TenantLimit Of(string tenant)
    {
        var own = quotas?.Of(tenant) ?? TenantQuotas.None;
        return _all with
        {
            PublishesPerSecond = Least(_all.PublishesPerSecond, own.PublishesPerSecond),
            Connections = Least(_all.Connections, own.Connections),
        };
    }

    private static int? Least(int? one, int? other) => one < other || other is null ? one : other;
}
