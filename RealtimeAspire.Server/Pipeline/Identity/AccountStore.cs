using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>What there is to know before a password is looked at.</summary>
/// <param name="Wait">How long signing in is locked.</param>
/// <param name="PasswordHash">Null: there is no such account that counts.</param>
/// <param name="Grants">What its tokens grant, as JSON.</param>
internal sealed record SignInAttempt(TimeSpan Wait, string? PasswordHash, string? Grants);

/// <summary>What has become of a refresh token.</summary>
/// <param name="Outcome"><c>rotated</c>, <c>again</c>, <c>reused</c>, <c>revoked</c>, <c>expired</c> or <c>unknown</c>.</param>
/// <param name="Tenant">The tenant.</param>
/// <param name="User">Whose sign-in it is.</param>
/// <param name="Grants">What the account's tokens grant, as JSON.</param>
/// <param name="IssuedUntil">Up to when the user's tokens have been taken back.</param>
internal sealed record RefreshOutcome(string Outcome, string Tenant, string User, string? Grants, DateTimeOffset? IssuedUntil);

/// <summary>Accounts and sign-ins, in Postgres.</summary>
internal sealed class AccountStore(AccessDatabase database)
{
    public bool Exists => database.Exists;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> HasAsync(string tenant, string user, CancellationToken cancellationToken)
    {
        var has = false;
        await database.ReadAsync("select 1 from realtime.accounts where tenant = $1 and user_id = $2", _ => has = true, cancellationToken, tenant, user);
        return has;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<SignInAttempt> BeginAsync(string tenant, string user, AuthOptions options, CancellationToken cancellationToken)
    {
        SignInAttempt? attempt = null;
        await database.ReadAsync(
            "select wait, password_hash, grants from realtime.begin_sign_in($1, $2, $3, $4, $5)",
            reader => attempt = new SignInAttempt(TimeSpan.FromSeconds(reader.GetDouble(0)), TextAt(reader, 1), TextAt(reader, 2)),
            cancellationToken,
            tenant,
            user,
            options.LockoutFailures,
            TimeSpan.FromSeconds(options.LockoutSeconds),
            TimeSpan.FromSeconds(options.LockoutMaxSeconds));
        return attempt!;
    }

    /// <returns>False: the account is not any more what it was. The moment: up to when the user's tokens have been taken back.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<(bool IsStarted, DateTimeOffset? IssuedUntil)> StartAsync(
        string tenant, string user, string passwordHash, RefreshToken token, AuthOptions options, CancellationToken cancellationToken)
    {
        (bool, DateTimeOffset?) started = (false, null);
        await database.ReadAsync(
            "select issued_until from realtime.start_sign_in($1, $2, $3, $4, $5, $6, $7)",
            reader => started = (true, TimeAt(reader, 0)),
            cancellationToken,
            tenant,
            user,
            passwordHash,
            token.SignInId,
            token.Hash,
            TimeSpan.FromHours(options.RefreshIdleHours),
            TimeSpan.FromHours(options.RefreshMaxHours));
        return started;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<RefreshOutcome> RefreshAsync(RefreshToken token, RefreshToken next, AuthOptions options, CancellationToken cancellationToken)
    {
        RefreshOutcome? outcome = null;
        await database.ReadAsync(
            "select outcome, coalesce(tenant, ''), coalesce(user_id, ''), grants, issued_until from realtime.refresh_sign_in($1, $2, $3, $4, $5, $6)",
            reader => outcome = new RefreshOutcome(reader.GetString(0), reader.GetString(1), reader.GetString(2), TextAt(reader, 3), TimeAt(reader, 4)),
            cancellationToken,
            token.SignInId,
            token.Hash,
            next.Hash,
            TimeSpan.FromHours(options.RefreshIdleHours),
            TimeSpan.FromSeconds(options.RefreshGraceSeconds),
            KeepOf(options));
        return outcome!;
    }

    /// <summary>Ends the sign-in that a refresh token is of.</summary>
    /// <returns>Whose it was; null: nobody's.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<(string Tenant, string User)?> RevokeSignInAsync(RefreshToken token, AuthOptions options, CancellationToken cancellationToken)
    {
        (string, string)? whose = null;
        await database.ReadAsync(
            "select tenant, user_id, realtime.revoke_sign_in(sign_in_id, tenant, $2) from realtime.sign_ins where sign_in_id = $1",
            reader => whose = (reader.GetString(0), reader.GetString(1)),
            cancellationToken,
            token.SignInId,
            KeepOf(options));
        return whose;
    }

    /// <summary>Takes back whatever was issued to a user, and ends his sign-ins.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task RevokeUserAsync(string tenant, string user, DateTimeOffset until, DateTimeOffset? forgetAt, CancellationToken cancellationToken) => database.RunAsync(
        "select realtime.revoke_user($1, $2, $3, $4, true)", cancellationToken, tenant, user, until, forgetAt);

    /// <returns><c>created</c>, <c>changed</c> or <c>missing</c>.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<string> SetAsync(
        string tenant, string user, string? passwordHash, string? grants, bool isDisabled, string by, DateTimeOffset until, DateTimeOffset? forgetAt, CancellationToken cancellationToken)
    {
        var became = "";
        await database.ReadAsync(
            "select realtime.set_account($1, $2, $3, $4, $5, $6, $7, $8)",
            reader => became = reader.GetString(0),
            cancellationToken,
            tenant,
            user,
            passwordHash ?? "",
            grants ?? "",
            isDisabled,
            by,
            until,
            forgetAt);
        return became;
    }

    /// <returns>False: there is none.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> DeleteAsync(string tenant, string user, DateTimeOffset until, DateTimeOffset? forgetAt, CancellationToken cancellationToken)
    {
        var existed = false;
        await database.ReadAsync(
            "select realtime.delete_account($1, $2, $3, $4)", reader => existed = reader.GetBoolean(0), cancellationToken, tenant, user, until, forgetAt);
        return existed;
    }

    /// <summary>As long as an access token may live.</summary>
    private static TimeSpan KeepOf(AuthOptions options) => TimeSpan.FromSeconds(options.TokenSeconds) + BearerTokens.Grace + options.ClockSkew;

    private static string? TextAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    private static DateTimeOffset? TimeAt(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);
}
