using System.Collections.Frozen;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>Whether there is a table of tenants; without one there is <c>default</c>.</summary>
internal sealed record TenantsAreKept(bool Value);

/// <summary>
/// The tenants as this node knows them: a copy of their table, which <see cref="TenantWatch"/> replaces as a whole. To ask it is a
/// look-up, so every request and every publish does.
/// </summary>
internal sealed class TenantRegistry(IOptions<RealtimeOptions> options, IHostEnvironment environment, TenantsAreKept kept) : ITenantQuotas
{
    private static readonly ErrorCode NotRead = ErrorCode.LogUnavailable with { Sentence = "This node has not read yet which tenants there are; try again." };

    private readonly bool _isOpen = options.Value.Tenants.Open ?? environment.IsDevelopment();

    // Null until it is read.
    private volatile FrozenDictionary<string, Tenant>? _tenants = kept.Value ? null : FrozenDictionary<string, Tenant>.Empty;

    public bool IsRead => _tenants is not null;

    public TenantQuotas Of(string tenant) => _tenants is { } known && known.TryGetValue(tenant, out var found) ? found.Quotas : TenantQuotas.None;

    /// <summary>Why nothing of the tenant is taken; null when it is.</summary>
    public ErrorCode? RefusalOf(string tenant)
    {
        if (_tenants is not { } known)
        {
            return _isOpen ? null : NotRead;
        }

        if (known.TryGetValue(tenant, out var found))
        {
            return found.SuspendedAt is null ? null : ErrorCode.TenantSuspended;
        }

        return _isOpen || tenant == Caller.DefaultTenant ? null : ErrorCode.TenantUnknown;
    }

    /// <exception cref="RealtimeException"><c>tenant_suspended</c>, <c>tenant_unknown</c>, <c>log_unavailable</c>.</exception>
    public void Require(string tenant)
    {
        if (RefusalOf(tenant) is { } refusal)
        {
            throw new RealtimeException(refusal);
        }
    }

    /// <returns>False: nothing is different, and nothing was replaced.</returns>
    public bool TryReplace(IReadOnlyCollection<Tenant> tenants)
    {
        if (_tenants is { } known && known.Count == tenants.Count && tenants.All(tenant => known.TryGetValue(tenant.Name, out var same) && same == tenant))
        {
            return false;
        }

        _tenants = tenants.ToFrozenDictionary(tenant => tenant.Name, StringComparer.Ordinal);
        return true;
    }
}
