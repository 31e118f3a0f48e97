using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Features.Administration;

/// <summary>Creates, changes and forgets tenants. Every node does as it says within a second.</summary>
/// <param name="audit">Has it on record before it is done.</param>
/// <param name="store">Their table; null where there is no Postgres.</param>
/// <param name="log">Where their events are.</param>
/// <param name="dataSource">Where their topics are.</param>
internal sealed class TenantAdministration(AuditTrail audit, TenantStore? store = null, PostgresTopicLog? log = null, NpgsqlDataSource? dataSource = null)
{
    private const int MaxReasonLength = 500;

    private TenantStore Store => store ?? throw WithoutPostgres();

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<TenantEntry>> ListAsync(CancellationToken cancellationToken) =>
        [.. (await Store.ReadAllAsync(cancellationToken)).Select(ToEntry)];

    /// <param name="tenant">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>not_found</c>, <c>log_unavailable</c>.</exception>
    public async Task<TenantEntry> GetAsync(string tenant, CancellationToken cancellationToken) =>
        ToEntry(await Store.FindAsync(RequireName(tenant), cancellationToken) ?? throw Unknown());

    /// <param name="caller">Who does it; nobody shuts himself out.</param>
    /// <param name="tenant">Untrusted.</param>
    /// <param name="request">Untrusted; every member is validated here.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task<TenantEntry> PutAsync(Caller caller, string tenant, TenantRequest request, CancellationToken cancellationToken)
    {
        RequireName(tenant);
        RequireForm(request);
        if (request.Suspended && tenant == caller.Tenant)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Nobody suspends the tenant that he is of: he could not lift it again.");
        }

        var wasSuspended = (await Store.FindAsync(tenant, cancellationToken))?.SuspendedAt is not null;
        var action = request.Suspended == wasSuspended ? AuditAction.TenantChanged : request.Suspended ? AuditAction.TenantSuspended : AuditAction.TenantResumed;
        await RecordAsync(action, caller, tenant);
        return ToEntry(await Store.WriteAsync(tenant, request.Suspended, request.Reason, ToQuotas(request.Quotas ?? new QuotaEntry()), cancellationToken));
    }

    /// <param name="caller">Who does it.</param>
    /// <param name="tenant">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>not_found</c>, <c>log_unavailable</c>.</exception>
    public async Task DeleteAsync(Caller caller, string tenant, CancellationToken cancellationToken)
    {
        if (RequireName(tenant) == Caller.DefaultTenant || tenant == caller.Tenant)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"The tenant {Caller.DefaultTenant} is always there, and nobody forgets the one that he is of.");
        }

        await RecordAsync(AuditAction.TenantChanged, caller, tenant, ("what", "forgotten"));
        if (!await Store.DeleteAsync(tenant, cancellationToken))
        {
            throw Unknown();
        }
    }

    /// <summary>Writes the tenant's events as the answer.</summary>
    /// <param name="caller">Who reads them.</param>
    /// <param name="tenant">Untrusted.</param>
    /// <param name="after">Untrusted; null: from the beginning.</param>
    /// <param name="context">The request.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>log_unavailable</c>, <c>overloaded</c>; nothing has been written.</exception>
    public async Task ExportAsync(Caller caller, string tenant, string? after, HttpContext context)
    {
        RequireName(tenant);
        var start = after is null ? default : ExportPosition.Parse(after);
        var export = log is null || dataSource is null ? throw WithoutPostgres() : new TenantExport(dataSource, log, tenant);
        await RecordAsync(AuditAction.TenantExported, caller, tenant);
        await export.WriteAsync(start, context);
    }

    private static string RequireName(string tenant) => Caller.IsTenant(tenant)
        ? tenant
        : throw new RealtimeException(ErrorCode.RequestInvalid, "A tenant is 1 to 64 of letters, digits and . _ ~ -.");

    private static void RequireForm(TenantRequest request)
    {
        if (request.Reason is { Length: 0 or > MaxReasonLength } || request.Reason?.Any(char.IsControl) == true || (request.Reason is not null && !request.Suspended))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A reason is 1 to {MaxReasonLength} characters without control characters, of a tenant that is suspended.");
        }

        List<ValidationResult> wrong = [];
        if (request.Quotas is { } quotas && !Validator.TryValidateObject(quotas, new ValidationContext(quotas), wrong, validateAllProperties: true))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, string.Join(' ', wrong.Select(result => result.ErrorMessage)));
        }
    }

    private static TenantQuotas ToQuotas(QuotaEntry quotas) => new()
    {
        Connections = quotas.Connections,
        Topics = quotas.Topics,
        SubscriptionsPerConnection = quotas.SubscriptionsPerConnection,
        PublishesPerSecond = quotas.PublishesPerSecond,
        PayloadBytes = quotas.PayloadBytes,
        RetentionDays = quotas.RetentionDays,
    };

    private static TenantEntry ToEntry(Tenant tenant)
    {
        var own = tenant.Quotas;
        var quotas = new QuotaEntry(
            own.Connections, own.Topics, own.SubscriptionsPerConnection, own.PublishesPerSecond, own.PayloadBytes, own.RetentionDays);
        return new TenantEntry(tenant.Name, tenant.CreatedAt, tenant.SuspendedAt, tenant.Reason, quotas);
    }

    private Task RecordAsync(AuditAction action, Caller caller, string tenant, params ReadOnlySpan<(string Name, string Value)> details) =>
        audit.RecordAsync(action, caller.Tenant, AuditActor.Of(caller), $"tenant:{tenant}", details: details);

    private static RealtimeException Unknown() => new(ErrorCode.NotFound, "No such tenant was created.");

    private static RealtimeException WithoutPostgres() => new(ErrorCode.LogUnavailable, "This node has no Postgres, which has the tenants.");
}
