using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>What happens to identities, put on record in one place each. No password and no token is in it.</summary>
internal sealed partial class IdentityRecord(AuditTrail audit, ILogger<IdentityRecord> logger)
{
    public void SignedIn(string tenant, string user, AuditSource source) => audit.Record(AuditAction.SignIn, tenant, AuditActor.User(user), source: source);

    /// <param name="tenant">The tenant.</param>
    /// <param name="user">As whom somebody tried.</param>
    /// <param name="code"><c>sign_in_failed</c> or <c>locked_out</c>.</param>
    /// <param name="source">Where he is.</param>
    public void SignInFailed(string tenant, string user, ErrorCode code, AuditSource source) =>
        audit.Record(AuditAction.SignInFailed, tenant, AuditActor.Unknown, user, code.Code, source);

    /// <summary>A refresh token that had been used came again: somebody else has it.</summary>
    public void RefreshReused(string tenant, string user)
    {
        audit.Record(AuditAction.RefreshReuse, tenant, AuditActor.Unknown, user, ErrorCode.TokenRevoked.Code);
        LogReused(tenant, user);
    }

    /// <param name="tenant">The tenant.</param>
    /// <param name="what"><c>user</c>, <c>token</c> or <c>sign_in</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="by">Who did it; empty for whoever had the token.</param>
    public void Revoked(string tenant, string what, string user, string by) =>
        audit.Record(AuditAction.Revoked, tenant, by.Length == 0 ? AuditActor.Unknown : AuditActor.User(by), user, details: ("what", what));

    /// <param name="tenant">The tenant.</param>
    /// <param name="what"><c>created</c>, <c>changed</c> or <c>deleted</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="by">Who did it.</param>
    public void AccountChanged(string tenant, string what, string user, string by) =>
        audit.Record(AuditAction.Admin, tenant, AuditActor.User(by), user, details: ("account", what));

    [LoggerMessage(EventId = 1589, Level = LogLevel.Warning, Message = "A used refresh token of {Tenant}/{User} came again; its sign-in has been ended")]
    private partial void LogReused(string tenant, string user);
}
