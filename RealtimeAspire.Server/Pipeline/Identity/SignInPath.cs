using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>The built-in identity: a name and a password for tokens, and one refresh token for the next.</summary>
internal sealed class SignInPath(
    AccountStore accounts, PasswordCheck passwords, TokenIssuer issuer, Revocations revocations, IdentityRecord record, IOptions<RealtimeOptions> options, IHostEnvironment environment, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly AuthOptions _options = options.Value.Auth;
    private long? _failedAt;

    /// <param name="request">Untrusted.</param>
    /// <param name="source">From where it comes.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>sign_in_failed</c>, <c>locked_out</c>, <c>development_only</c>, <c>user_invalid</c>, <c>request_invalid</c>, <c>overloaded</c>, <c>log_unavailable</c>.</exception>
    public async Task<TokenReply> SignInAsync(TokenRequest request, AuditSource source, CancellationToken cancellationToken)
    {
        RequireBuiltIn();
        var user = TokenIssuer.RequireUser(request.User, request.Tenant);
        var tenant = request.Tenant ?? Caller.DefaultTenant;
        if (request.Password is { } password)
        {
            return request.Grants is null
                ? await CheckAsync(tenant, user, password, source, cancellationToken)
                : throw new RealtimeException(ErrorCode.RequestInvalid, "What an account's tokens grant is the account's; leave grants out.");
        }

        if (!environment.IsDevelopment() || await HasAccountAsync(tenant, user, cancellationToken))
        {
            record.SignInFailed(tenant, user, ErrorCode.SignInFailed, source);
            throw new RealtimeException(ErrorCode.SignInFailed);
        }

        var reply = issuer.Issue(user, request.Tenant, request.Grants, issuedAt: Behind(time.GetUtcNow(), revocations.IssuedUntil(tenant, user)));
        record.SignedIn(tenant, user, "development", source);
        return reply;
    }

    /// <param name="text">Untrusted.</param>
    /// <param name="source">From where it comes.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, <c>token_revoked</c>, <c>development_only</c>, <c>log_unavailable</c>.</exception>
    public async Task<TokenReply> RefreshAsync(string? text, AuditSource source, CancellationToken cancellationToken)
    {
        RequireBuiltIn();
        if (!RefreshToken.TryParse(text, out var token))
        {
            throw new RealtimeException(ErrorCode.TokenInvalid, "This is no refresh token of this server.");
        }

        // Before the database is asked: what is revoked meanwhile counts for it.
        var now = time.GetUtcNow();
        var next = token.Next(_options.SigningKey);
        var refresh = await accounts.RefreshAsync(token, next, _options, cancellationToken);
        switch (refresh.Outcome)
        {
            case "rotated" or "again":
                return Reply(refresh.Tenant, refresh.User, refresh.Grants, next, Behind(now, refresh.IssuedUntil));
            case "reused":
                record.RefreshReused(refresh.Tenant, refresh.User, source);
                throw new RealtimeException(ErrorCode.TokenRevoked, "This refresh token has been used before; sign in again.");
            case "revoked":
                throw new RealtimeException(ErrorCode.TokenRevoked);
            default:
                throw new RealtimeException(ErrorCode.TokenInvalid, "The refresh token is not known here, or has expired; sign in again.");
        }
    }

    /// <exception cref="RealtimeException"><c>development_only</c>.</exception>
    public void RequireBuiltIn()
    {
        if (!_options.IsBuiltIn)
        {
            throw new RealtimeException(ErrorCode.DevelopmentOnly);
        }
    }

    private async Task<TokenReply> CheckAsync(string tenant, string user, string password, AuditSource source, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var attempt = await accounts.BeginAsync(tenant, user, _options, cancellationToken);
        if (attempt.Wait > TimeSpan.Zero)
        {
            record.SignInFailed(tenant, user, ErrorCode.LockedOut, source);
            throw new RealtimeException(ErrorCode.LockedOut) { RetryAfter = attempt.Wait };
        }

        var token = RefreshToken.Make();
        if (await passwords.IsRightAsync(password, attempt.PasswordHash, cancellationToken)
            && await accounts.StartAsync(tenant, user, attempt.PasswordHash!, token, _options, cancellationToken) is { IsStarted: true } started)
        {
            record.SignedIn(tenant, user, "built-in", source);
            return Reply(tenant, user, attempt.Grants, token, Behind(now, started.IssuedUntil));
        }

        record.SignInFailed(tenant, user, ErrorCode.SignInFailed, source);
        throw new RealtimeException(ErrorCode.SignInFailed);
    }

    private TokenReply Reply(string tenant, string user, string? grants, RefreshToken token, DateTimeOffset issuedAt) =>
        issuer.Issue(user, tenant, grants is null ? null : JsonElement.Parse(grants), token.SignInId, issuedAt) with { RefreshToken = token.ToString() };

    /// <summary>Tokens tell whole seconds, and a new one shall not count as one of before a revocation in the same second.</summary>
    private static DateTimeOffset Behind(DateTimeOffset now, DateTimeOffset? revoked) =>
        revoked is { } until && until.ToUnixTimeSeconds() >= now.ToUnixTimeSeconds() && until - now < TimeSpan.FromSeconds(2) ? until.AddSeconds(1) : now;

    /// <summary>In development anybody may be anybody, and gain nothing by it: what cannot be looked up stops nobody there.</summary>
    private async Task<bool> HasAccountAsync(string tenant, string user, CancellationToken cancellationToken)
    {
        if (!accounts.Exists || (_failedAt is { } failed && time.GetElapsedTime(failed) < Pause))
        {
            return false;
        }

        try
        {
            return await accounts.HasAsync(tenant, user, cancellationToken);
        }
        catch (RealtimeException)
        {
            _failedAt = time.GetTimestamp();
            return false;
        }
    }
}
