using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>Takes tokens back: one, what came of a sign-in, or whatever a user has. Every node hears of it when the transaction has committed.</summary>
internal sealed class RevokePath(IServiceScopeFactory scopes, AccountStore accounts, AccessStore access, IdentityRecord record, IOptions<RealtimeOptions> options, TimeProvider time)
{
    /// <summary>Who may manage this may look after accounts.</summary>
    public static readonly TopicName Accounts = TopicName.Parse("system:accounts");

    private readonly AuthOptions _options = options.Value.Auth;

    /// <summary>Up to when somebody needs to know of a user's revocation; an authority's tokens may last for ever.</summary>
    public DateTimeOffset? ForgetAt => _options.HasAuthority ? null : time.GetUtcNow().AddSeconds(_options.TokenSeconds) + BearerTokens.Grace + _options.ClockSkew;

    /// <param name="caller">Who wants it; null: nobody that is known.</param>
    /// <param name="user">Untrusted.</param>
    /// <param name="source">From where it comes.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>token_required</c>, <c>request_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task UserAsync(Caller? caller, string user, AuditSource source, CancellationToken cancellationToken)
    {
        if (caller is null)
        {
            throw new RealtimeException(ErrorCode.TokenRequired);
        }

        if (caller.UserId != user)
        {
            TopicAccess.RequireManage(caller, Accounts);
        }

        if (user.Length is 0 or > 255 || user.Contains('\0', StringComparison.Ordinal) || user.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "There is no such user: a subject is 1 to 255 characters, and service keys are revoked as such.");
        }

        await accounts.RevokeUserAsync(caller.Tenant, user, time.GetUtcNow(), ForgetAt, cancellationToken);
        record.Revoked(caller.Tenant, "user", user, caller, source);
    }

    /// <summary>Whoever has it may take it back. One that does not count is no error: what was wanted is so.</summary>
    /// <param name="text">Untrusted.</param>
    /// <param name="source">From where it comes.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task SignInAsync(string text, AuditSource source, CancellationToken cancellationToken)
    {
        if (RefreshToken.TryParse(text, out var token) && await accounts.RevokeSignInAsync(token, _options, cancellationToken) is { } whose)
        {
            record.Revoked(whose.Tenant, "sign_in", whose.User, null, source);
        }
    }

    /// <inheritdoc cref="SignInAsync"/>
    /// <exception cref="RealtimeException"><c>request_invalid</c>: it has no id. <c>authority_unavailable</c>, <c>log_unavailable</c>.</exception>
    public async Task TokenAsync(string text, AuditSource source, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var door = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        door.Request.Headers.Authorization = $"{JwtBearerDefaults.AuthenticationScheme} {text}";
        var result = await door.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        if (result.Failure is RealtimeException { Error.Retryable: true } later)
        {
            throw later;
        }

        if (!result.Succeeded || Caller.From(result.Principal) is not { IsService: false } named)
        {
            return;
        }

        var id = named.TokenId ?? throw new RealtimeException(ErrorCode.RequestInvalid, "The token has no id (jti); revoke its user instead.");
        var end = (named.Expires ?? time.GetUtcNow()) + BearerTokens.Grace;
        await access.RevokeAsync(new Revocation(new Revocation.Subject(named.Tenant, Revocation.Token, id), end), end, cancellationToken);
        record.Revoked(named.Tenant, "token", named.UserId, null, source);
    }
}
