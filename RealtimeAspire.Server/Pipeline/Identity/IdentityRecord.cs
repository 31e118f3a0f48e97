using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>What happens to identities, told in one place each: to the audit trail, and what an operator should see to the log. No password and no token is in it.</summary>
internal sealed partial class IdentityRecord(AuditTrail audit, ILogger<IdentityRecord> logger)
{
    /// <param name="tenant">The tenant.</param>
    /// <param name="user">Whose account.</param>
    /// <param name="identity"><c>built-in</c>, or <c>development</c> for a name alone.</param>
    /// <param name="source">From where.</param>
    public void SignedIn(string tenant, string user, string identity, AuditSource source) =>
        audit.Record(AuditAction.SignIn, tenant, AuditActor.User(user), source: source, details: ("identity", identity));

    /// <summary>Nobody has shown to be of the tenant, so it is not in its chain.</summary>
    public void SignInFailed(string tenant, string user, ErrorCode error, AuditSource source) =>
        audit.Record(AuditAction.SignInFailed, AuditEntry.NoTenant, AuditActor.Unknown, $"{tenant}/{user}", error.Code, source);

    /// <summary>A refresh token that had been used came again: somebody else has it.</summary>
    public void RefreshReused(string tenant, string user, AuditSource source)
    {
        LogReused(tenant, user);
        audit.Record(AuditAction.RefreshReuse, tenant, AuditActor.User(user), "refresh", ErrorCode.TokenRevoked.Code, source);
    }

    /// <param name="tenant">The tenant.</param>
    /// <param name="what"><c>user</c>, <c>token</c> or <c>sign_in</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="by">Who did it; null for whoever had the token.</param>
    /// <param name="source">From where.</param>
    public void Revoked(string tenant, string what, string user, Caller? by, AuditSource source)
    {
        LogRevoked(what, tenant, user);
        audit.Record(AuditAction.Revoked, tenant, by is null ? AuditActor.User(user) : AuditActor.Of(by), user, source: source, details: ("what", what));
    }

    /// <param name="by">Who did it.</param>
    /// <param name="what"><c>created</c>, <c>changed</c> or <c>deleted</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="source">From where.</param>
    public void AccountChanged(Caller by, string what, string user, AuditSource source)
    {
        LogAccount(by.Tenant, user, what);
        audit.Record(AuditAction.Admin, by.Tenant, AuditActor.Of(by), $"account:{user}", source: source, details: ("what", what));
    }

    [LoggerMessage(EventId = 1585, Level = LogLevel.Warning, Message = "A used refresh token of {Tenant}/{User} came again; its sign-in has been ended")]
    private partial void LogReused(string tenant, string user);

    [LoggerMessage(EventId = 1586, Level = LogLevel.Information, Message = "Revoked: {What} of {Tenant}/{User}")]
    private partial void LogRevoked(string what, string tenant, string user);

    [LoggerMessage(EventId = 1587, Level = LogLevel.Information, Message = "Account {Tenant}/{User}: {What}")]
    private partial void LogAccount(string tenant, string user, string what);
}
