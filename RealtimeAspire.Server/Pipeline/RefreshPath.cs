using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Identity;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// A new token for a living connection: authenticate it as at the door, compare who it names, end what it gives no right to, prolong the connection.
/// </summary>
internal sealed class RefreshPath(IServiceScopeFactory scopes, RightsCheck check, IdentityRecord record, TimeProvider time)
{
    /// <param name="connection">Whose token it shall be.</param>
    /// <param name="token">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, <c>token_revoked</c>, <c>token_subject_mismatch</c>; the old token counts on.</exception>
    public async Task<RefreshReply> RefreshAsync(Connection connection, string? token)
    {
        await using var scope = scopes.CreateAsyncScope();
        var door = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        door.Request.Headers.Authorization = $"{JwtBearerDefaults.AuthenticationScheme} {token}";
        var result = await door.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        if (!result.Succeeded)
        {
            var refused = result.Failure as RealtimeException ?? new RealtimeException(ErrorCode.TokenInvalid);
            record.TokenRefused(refused.Code);
            throw refused;
        }

        var caller = Caller.From(result.Principal);
        if (caller.Expires is not { } expiry)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid);
        }

        if (caller != connection.Caller)
        {
            throw new RealtimeException(ErrorCode.TokenSubjectMismatch);
        }

        connection.Caller = caller;
        check.Of(connection);
        connection.ExpireAt(expiry, BearerTokens.Grace, time, warns: true);
        return new RefreshReply { ExpiresAt = expiry };
    }
}
