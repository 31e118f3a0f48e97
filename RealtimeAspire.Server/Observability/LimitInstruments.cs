using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RealtimeAspire.Server.Observability;

/// <summary>What was refused because it was too much.</summary>
internal sealed class LimitInstruments
{
    private readonly Counter<long> _refusals;

    public LimitInstruments(IMeterFactory meters) => _refusals = meters.Create(RealtimeInstruments.MeterName)
        .CreateCounter<long>("realtime.limits.refusals", "{refusal}", "What was refused because it was too much, by the limit.");

    /// <param name="limit">One of <see cref="LimitNames"/>.</param>
    /// <param name="tenant">Whose; null where nobody has said yet who comes.</param>
    /// <param name="region">From where, where that is why.</param>
    public void Refused(string limit, string? tenant, string? region = null)
    {
        var tags = new TagList { { TagNames.Limit, limit } };
        if (tenant is not null)
        {
            tags.Add(TagNames.Tenant, tenant);
        }

        if (region is not null)
        {
            tags.Add(TagNames.Region, region);
        }

        _refusals.Add(1, tags);
    }
}

/// <summary>The limits, in counts.</summary>
internal static class LimitNames
{
    public const string ConnectionPublishes = "connection_publishes";
    public const string UserPublishes = "user_publishes";
    public const string TenantPublishes = "tenant_publishes";
    public const string Requests = "requests";
    public const string Connects = "connects";
    public const string UserLogins = "user_logins";
    public const string AddressLogins = "address_logins";
    public const string Connections = "connections";
    public const string UserConnections = "user_connections";
    public const string TenantConnections = "tenant_connections";
    public const string TenantTopics = "tenant_topics";
    public const string RegionConnects = "region_connects";
    public const string RegionConnections = "region_connections";
    public const string RegionBlocked = "region_blocked";
}
