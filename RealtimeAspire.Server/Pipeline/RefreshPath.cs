using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>A new token for a living connection: authenticate it as at the door, compare who it names, prolong the connection.</summary>
internal sealed class RefreshPath(IServiceScopeFactory scopes, TimeProvider time)
{
    /// <param name="connection">Whose token it shall be.</param>
    /// <param name="token">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>token_invalid</c>, <c>token_subject_mismatch</c>; the old token counts on.</exception>
    public async Task<RefreshReply> RefreshAsync(Connection connection, string? token)
    {
        await using var scope = scopes.CreateAsyncScope();
        var door = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        door.Request.Headers.Authorization = $"{JwtBearerDefaults.AuthenticationScheme} {token}";
        var result = await door.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        if (!result.Succeeded || BearerTokens.ExpiryOf(result.Principal) is not { } expiry)
        {
            throw new RealtimeException(ErrorCode.TokenInvalid);
        }

        if (Caller.From(result.Principal) != connection.Caller)
        {
            throw new RealtimeException(ErrorCode.TokenSubjectMismatch);
        }

        connection.ExpireAt(expiry, BearerTokens.Grace, time, warns: true);
        return new RefreshReply { ExpiresAt = expiry };
    }
}
