using System.Buffers.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Signing;

/// <summary>
/// Registers and takes back public keys: admit, authorize, validate, put it on record, store. What would change nothing is not put on record.
/// One's own keys are one's own affair; others' are for who has the operation <c>manage</c> on <c>system:signing-keys</c>.
/// </summary>
internal sealed class SigningKeyPath(
    RequestLimiter limits,
    SigningKeyStore store,
    AccessStore access,
    Memberships memberships,
    ServiceKeys services,
    ServerSigningKeys servers,
    RightsCheck check,
    AuditTrail audit)
{
    private const int MaxUserLength = 255;

    /// <summary>A user has some devices. Every node that he is at has them in memory.</summary>
    private const int MostKeys = 20;
    private const int MostKeysEver = 1_000;

    private static readonly TopicName Managed = TopicName.Parse("system:signing-keys");

    /// <returns>The key, and whether it was new.</returns>
    /// <exception cref="RealtimeException">
    /// <c>request_invalid</c>, <c>signing_key_invalid</c>, <c>signing_key_conflict</c>, <c>quota_exceeded</c>, <c>user_invalid</c>, <c>forbidden</c>, <c>log_unavailable</c>, <c>audit_unavailable</c>.
    /// </exception>
    public async Task<(SigningKeyInfo Key, bool IsNew)> RegisterAsync(Caller caller, SigningKeyRequest request, CancellationToken cancellationToken)
    {
        limits.Admit(caller);
        var user = RequireOwner(caller, request.User);
        var jwk = Read(request);
        var keyId = jwk.ToKeyId();
        if (await store.FindAsync(caller.Tenant, keyId, cancellationToken) is { } known)
        {
            return (RequireSame(known, user), IsNew: false);
        }

        RequireRoom(await store.ListAsync(caller.Tenant, user, cancellationToken));
        await RecordAsync(AuditAction.SigningKeyRegistered, caller, keyId, user);
        await store.AddAsync(caller.Tenant, keyId, user, jwk.ToBytes(), caller.UserId, MostKeys, MostKeysEver, cancellationToken);
        var added = await store.FindAsync(caller.Tenant, keyId, cancellationToken) ?? throw NoRoom();
        await LearnAsync(caller.Tenant, user, cancellationToken);
        return (RequireSame(added, user), IsNew: true);
    }

    /// <summary>Any key of the tenant: whoever reads events has to know the keys that have signed them.</summary>
    /// <exception cref="RealtimeException"><c>not_found</c>, <c>log_unavailable</c>.</exception>
    public Task<SigningKeyInfo> FindAsync(Caller caller, string keyId, CancellationToken cancellationToken)
    {
        limits.Admit(caller);
        return FindAsync(caller.Tenant, keyId, cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>user_invalid</c>, <c>forbidden</c>, <c>rate_limited</c>, <c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<SigningKeyInfo>> ListAsync(Caller caller, string? user, CancellationToken cancellationToken)
    {
        limits.AdmitPage(caller, MostKeysEver);
        return store.ListAsync(caller.Tenant, RequireOwner(caller, user), cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>not_found</c>, <c>forbidden</c>, <c>log_unavailable</c>, <c>audit_unavailable</c>.</exception>
    public async Task RevokeAsync(Caller caller, string keyId, CancellationToken cancellationToken)
    {
        var known = await FindAsync(caller, keyId, cancellationToken);
        var user = RequireOwner(caller, known.User ?? "");
        if (known.RevokedAt is not null)
        {
            return;
        }

        await RecordAsync(AuditAction.SigningKeyRevoked, caller, keyId, user);
        await store.RevokeAsync(caller.Tenant, keyId, cancellationToken);
        await LearnAsync(caller.Tenant, user, cancellationToken);
    }

    private static string RequireOwner(Caller caller, string? user)
    {
        if (user is null || user == caller.UserId)
        {
            return caller.UserId;
        }

        TopicAccess.RequireManage(caller, Managed);
        return user.Length <= MaxUserLength && !user.Any(char.IsControl)
            ? user
            : throw new RealtimeException(ErrorCode.UserInvalid, $"A user is 1 to {MaxUserLength} characters; nothing stands for the server itself.");
    }

    private static SigningJwk Read(SigningKeyRequest request)
    {
        try
        {
            return request switch
            {
                { Jwk: { } jwk, Spki: null } => SigningJwk.Read(jwk),
                { Jwk: null, Spki: { } spki } => SigningJwk.ReadSpki(spki),
                _ => throw new RealtimeException(ErrorCode.RequestInvalid, "Give one of jwk and spki."),
            };
        }
        catch (FormatException exception)
        {
            throw new RealtimeException(ErrorCode.SigningKeyInvalid, exception.Message, exception);
        }
    }

    private static void RequireRoom(IReadOnlyList<SigningKeyInfo> keys)
    {
        if (keys.Count >= MostKeysEver || keys.Count(key => key.RevokedAt is null) >= MostKeys)
        {
            throw NoRoom();
        }
    }

    private static RealtimeException NoRoom() => new(ErrorCode.QuotaExceeded, $"One has at most {MostKeys} keys that count, and {MostKeysEver} in all: revoke some.");

    /// <summary>Who registers somebody else's key could pass off that one's events as his own; one that was revoked stays so.</summary>
    private static SigningKeyInfo RequireSame(SigningKeyInfo known, string user) => (known.User ?? "") == user && known.RevokedAt is null
        ? known
        : throw new RealtimeException(ErrorCode.SigningKeyConflict);

    private Task RecordAsync(AuditAction action, Caller caller, string keyId, string user) =>
        audit.RecordAsync(action, caller.Tenant, AuditActor.Of(caller), $"signing-key:{keyId}", details: [("user", user)]);

    /// <summary>Who has changed it finds it changed at this node; the others hear of it. What cannot be read now is read when the database is back.</summary>
    private async Task LearnAsync(string tenant, string user, CancellationToken cancellationToken)
    {
        try
        {
            if (user.Length == 0)
            {
                await servers.LoadAsync(cancellationToken);
            }
            else if (user.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal))
            {
                await services.ReloadAsync(user[Caller.KeyPrefix.Length..], cancellationToken);
                check.Of(caller => caller.UserId == user);
            }
            else if (memberships.FindPlaces(tenant, user) is { } places)
            {
                await places.LoadAsync(access, tenant, user, cancellationToken);
            }
        }
        catch (RealtimeException)
        {
            // It is done all the same.
        }
    }

    private async Task<SigningKeyInfo> FindAsync(string tenant, string keyId, CancellationToken cancellationToken) =>
        (keyId.Length == SigningJwk.KeyIdLength && Base64Url.IsValid(keyId) ? await store.FindAsync(tenant, keyId, cancellationToken) : null)
        ?? throw new RealtimeException(ErrorCode.NotFound, "There is no such key.");
}
