namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>What is put on record. The names are stable: programs compare them, and rows keep them for as long as they are kept.</summary>
/// <param name="Name">The stable name.</param>
/// <param name="IsHot">
/// Whoever asks often enough can cause it at will: what is the same is counted, and becomes a row a minute at most.
/// </param>
internal sealed record AuditAction(string Name, bool IsHot = false)
{
    /// <summary>Somebody was given a token.</summary>
    public static readonly AuditAction SignIn = new("auth.sign_in", IsHot: true);

    /// <summary>Somebody was not.</summary>
    public static readonly AuditAction SignInFailed = new("auth.sign_in_failed", IsHot: true);

    /// <summary>A refresh token came a second time, so that somebody has a copy of it.</summary>
    public static readonly AuditAction RefreshReuse = new("auth.refresh_reuse");

    /// <summary>A token was not accepted; the code says why.</summary>
    public static readonly AuditAction TokenRefused = new("auth.token_refused", IsHot: true);

    /// <summary>A living connection was to go on as somebody else.</summary>
    public static readonly AuditAction SubjectMismatch = new("auth.subject_mismatch", IsHot: true);

    /// <summary>A page of a foreign origin wanted to connect.</summary>
    public static readonly AuditAction OriginRefused = new("auth.origin_refused", IsHot: true);

    /// <summary>An authenticated caller was refused what it has no right to.</summary>
    public static readonly AuditAction AccessRefused = new("access.refused", IsHot: true);

    /// <summary>Who may do what was changed.</summary>
    public static readonly AuditAction GrantChanged = new("access.grant_changed");

    /// <summary>Who belongs to a topic, or as what, was changed.</summary>
    public static readonly AuditAction MemberChanged = new("access.member_changed");

    /// <summary>A user was put out of a topic.</summary>
    public static readonly AuditAction Kick = new("access.kick");

    /// <summary>A moderator has deleted a message, muted somebody, dealt with a report or changed a room.</summary>
    public static readonly AuditAction RoomModerated = new("room.moderated");

    /// <summary>A user, token, key or connection counts no more.</summary>
    public static readonly AuditAction Revoked = new("access.revoked");

    /// <summary>A service key was made.</summary>
    public static readonly AuditAction KeyCreated = new("key.created");

    /// <summary>A service key came in.</summary>
    public static readonly AuditAction KeyUsed = new("key.used", IsHot: true);

    /// <summary>A service key was replaced by another.</summary>
    public static readonly AuditAction KeyRotated = new("key.rotated");

    /// <summary>A service key counts no more.</summary>
    public static readonly AuditAction KeyRevoked = new("key.revoked");

    /// <summary>Somebody's public key was registered, with which he signs what he publishes.</summary>
    public static readonly AuditAction SigningKeyRegistered = new("signing_key.registered");

    /// <summary>Nothing is accepted with such a key any more.</summary>
    public static readonly AuditAction SigningKeyRevoked = new("signing_key.revoked");

    /// <summary>An event was refused for its signature, or because it had none; the code says why.</summary>
    public static readonly AuditAction SignatureRefused = new("signature.refused", IsHot: true);

    /// <summary>An act of the administration that has no name of its own.</summary>
    public static readonly AuditAction Admin = new("admin.act");

    /// <summary>Somebody was held back by a limit; the target says by which.</summary>
    public static readonly AuditAction LimitTripped = new("limit.tripped", IsHot: true);

    /// <summary>A hook has not answered; the code says what was done without it.</summary>
    public static readonly AuditAction HookFailed = new("hook.failed", IsHot: true);

    /// <summary>Something unusual was seen.</summary>
    public static readonly AuditAction SignalRaised = new("signal.raised", IsHot: true);

    /// <summary>What was done about something unusual was ended before its time.</summary>
    public static readonly AuditAction SignalLifted = new("signal.lifted");

    /// <summary>A tenant was made, or its settings were changed.</summary>
    public static readonly AuditAction TenantChanged = new("tenant.changed");

    /// <summary>A tenant is served no more.</summary>
    public static readonly AuditAction TenantSuspended = new("tenant.suspended");

    /// <summary>A suspended tenant is served again.</summary>
    public static readonly AuditAction TenantResumed = new("tenant.resumed");

    /// <summary>All that a tenant has was read.</summary>
    public static readonly AuditAction TenantExported = new("tenant.exported");

    /// <summary>Entries that found no room while the database was away: so many as the count says.</summary>
    public static readonly AuditAction Dropped = new("audit.dropped");

    /// <summary>A month of the trail was removed because its time is over.</summary>
    public static readonly AuditAction Pruned = new("audit.pruned");

    public override string ToString() => Name;
}
