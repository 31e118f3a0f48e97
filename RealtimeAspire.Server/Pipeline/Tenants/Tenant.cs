using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>A tenant as its row has it.</summary>
/// <param name="Name">What tokens say.</param>
/// <param name="CreatedAt">Since when it is there.</param>
/// <param name="SuspendedAt">Since when nothing of it comes in or goes out; null: it is not suspended.</param>
/// <param name="Reason">Why, for its operator.</param>
/// <param name="Quotas">What it may have at most.</param>
internal sealed record Tenant(string Name, DateTimeOffset CreatedAt, DateTimeOffset? SuspendedAt, string? Reason, TenantQuotas Quotas);
