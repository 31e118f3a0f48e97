using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Http;

/// <summary>Makes, changes and takes back service keys: authorize, validate, put it on record, store.</summary>
internal sealed class KeyPath(ServiceKeyStore store, AuditTrail audit, TimeProvider time)
{
    private const int MaxNameLength = 100;

    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(3_650);
    private static readonly TimeSpan LongestOverlap = TimeSpan.FromDays(30);
    private static readonly TopicName Managed = TopicName.Parse("system:keys");

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>request_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task<KeyReply> CreateAsync(Caller caller, KeyRequest request, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Managed);
        if (request.Name is not { Length: > 0 and <= MaxNameLength } name || name.Any(char.IsControl))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"A name has 1 to {MaxNameLength} characters.");
        }

        if (request.ExpiresInSeconds is { } seconds && (seconds < 1 || seconds > LongestLife.TotalSeconds))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"expiresInSeconds is 1 to {LongestLife.TotalSeconds:0}.");
        }

        try
        {
            Grants.Read(request.Grants);
        }
        catch (FormatException exception)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, exception.Message, exception);
        }

        var (id, secret) = ServiceKey.Make();
        DateTimeOffset? expires = request.ExpiresInSeconds is { } life ? time.GetUtcNow().AddSeconds(life) : null;
        await RecordAsync(AuditAction.KeyCreated, caller, id);
        await store.AddAsync(caller.Tenant, id, ServiceKey.HashOf(secret), name, request.Grants, caller.UserId, expires, cancellationToken);
        return new KeyReply(id, ServiceKey.ToText(id, secret));
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<ServiceKeyInfo>> ListAsync(Caller caller, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Managed);
        return store.ListAsync(caller.Tenant, cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>request_invalid</c>, <c>not_found</c>, <c>log_unavailable</c>.</exception>
    public async Task<KeyReply> RotateAsync(Caller caller, string id, KeyRotation request, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Managed);
        if (request.OverlapSeconds < 0 || request.OverlapSeconds > LongestOverlap.TotalSeconds)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, $"overlapSeconds is 0 to {LongestOverlap.TotalSeconds:0}.");
        }

        var (_, secret) = ServiceKey.Make();
        await RecordAsync(AuditAction.KeyRotated, caller, id);
        return await store.RotateAsync(caller.Tenant, id, ServiceKey.HashOf(secret), time.GetUtcNow().AddSeconds(request.OverlapSeconds), cancellationToken) is null
            ? throw Unknown()
            : new KeyReply(id, ServiceKey.ToText(id, secret));
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>not_found</c>, <c>log_unavailable</c>.</exception>
    public async Task RevokeAsync(Caller caller, string id, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Managed);
        await RecordAsync(AuditAction.KeyRevoked, caller, id);
        if (!await store.RevokeAsync(caller.Tenant, id, cancellationToken))
        {
            throw Unknown();
        }
    }

    private Task RecordAsync(AuditAction action, Caller caller, string id) =>
        audit.RecordAsync(action, caller.Tenant, AuditActor.Of(caller), $"{Caller.KeyPrefix}{id}");

    private static RealtimeException Unknown() => new(ErrorCode.NotFound, "There is no such key, or it counts no more.");
}
