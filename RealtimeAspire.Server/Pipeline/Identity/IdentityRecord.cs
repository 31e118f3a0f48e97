using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>What happens to identities, told in one place each. No password and no token is in it.</summary>
internal sealed partial class IdentityRecord(ILogger<IdentityRecord> logger)
{
    public void SignedIn(string tenant, string user) => LogSignedIn(tenant, user);

    public void SignInFailed(string tenant, string user) => LogSignInFailed(tenant, user);

    public void LockedOut(string tenant, string user) => LogLockedOut(tenant, user);

    public void Refreshed(string tenant, string user) => LogRefreshed(tenant, user);

    /// <summary>A refresh token that had been used came again: somebody else has it.</summary>
    public void RefreshReused(string tenant, string user) => LogReused(tenant, user);

    /// <param name="tenant">The tenant.</param>
    /// <param name="what"><c>user</c>, <c>token</c> or <c>sign_in</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="by">Who did it; empty for whoever had the token.</param>
    public void Revoked(string tenant, string what, string user, string by) => LogRevoked(tenant, what, user, by);

    /// <param name="tenant">The tenant.</param>
    /// <param name="what"><c>created</c>, <c>changed</c> or <c>deleted</c>.</param>
    /// <param name="user">Whose.</param>
    /// <param name="by">Who did it.</param>
    public void AccountChanged(string tenant, string what, string user, string by) => LogAccount(tenant, what, user, by);

    /// <summary>At the door, or for a living connection.</summary>
    public void TokenRefused(string code) => LogTokenRefused(code);

    [LoggerMessage(EventId = 1585, Level = LogLevel.Debug, Message = "{Tenant}/{User} has signed in")]
    private partial void LogSignedIn(string tenant, string user);

    [LoggerMessage(EventId = 1586, Level = LogLevel.Debug, Message = "Signing in as {Tenant}/{User} has failed")]
    private partial void LogSignInFailed(string tenant, string user);

    [LoggerMessage(EventId = 1587, Level = LogLevel.Debug, Message = "Signing in as {Tenant}/{User} is locked")]
    private partial void LogLockedOut(string tenant, string user);

    [LoggerMessage(EventId = 1588, Level = LogLevel.Debug, Message = "{Tenant}/{User} has a new token")]
    private partial void LogRefreshed(string tenant, string user);

    [LoggerMessage(EventId = 1589, Level = LogLevel.Warning, Message = "A used refresh token of {Tenant}/{User} came again; its sign-in has been ended")]
    private partial void LogReused(string tenant, string user);

    [LoggerMessage(EventId = 1590, Level = LogLevel.Information, Message = "Revoked {What} of {Tenant}/{User}, by {By}")]
    private partial void LogRevoked(string tenant, string what, string user, string by);

    [LoggerMessage(EventId = 1591, Level = LogLevel.Information, Message = "Account {Tenant}/{User} {What}, by {By}")]
    private partial void LogAccount(string tenant, string what, string user, string by);

    [LoggerMessage(EventId = 1592, Level = LogLevel.Debug, Message = "A token was refused: {Code}")]
    private partial void LogTokenRefused(string code);
}
