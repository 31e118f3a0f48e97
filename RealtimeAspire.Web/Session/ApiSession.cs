using System.Globalization;
using System.Security.Claims;
using RealtimeAspire.Web.Api;

namespace RealtimeAspire.Web.Session;

/// <summary>An API token and when it ends.</summary>
internal sealed record ApiToken(string Value, DateTimeOffset ExpiresAt);

/// <summary>
/// The signed-in user's way to the API: the token from the session cookie while it is good, else a new one. One per request
/// or circuit.
/// </summary>
internal sealed class ApiSession(RealtimeApi api, TimeProvider time)
{
    public const string TokenClaim = "api_token";
    public const string ExpiryClaim = "api_token_expires";

    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(5);

    private ApiToken? _renewed;

    /// <summary>A token that is good for some minutes.</summary>
    /// <param name="user">Signed in; its cookie carries a token.</param>
    /// <param name="renew">Ask for a new one even if the old one has not expired: the API did not accept it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException">A new one was needed and not given.</exception>
    public async ValueTask<ApiToken> GetTokenAsync(ClaimsPrincipal user, bool renew, CancellationToken cancellationToken)
    {
        var current = _renewed ?? Read(user);
        if (!renew && current is not null && current.ExpiresAt - Margin > time.GetUtcNow())
        {
            return current;
        }

        return _renewed = await IssueAsync(user.Identity!.Name!, cancellationToken);
    }

    /// <summary>The token and the name become the session's identity.</summary>
    public async Task<ClaimsPrincipal> SignInAsync(string name, CancellationToken cancellationToken) =>
        ToPrincipal(name, await IssueAsync(name, cancellationToken));

    public static ClaimsPrincipal ToPrincipal(string name, ApiToken token) => new(new ClaimsIdentity(
        [
            new(ClaimTypes.Name, name),
            new(TokenClaim, token.Value),
            new(ExpiryClaim, token.ExpiresAt.ToString("O", CultureInfo.InvariantCulture)),
        ],
        SessionFeature.Scheme));

    private async Task<ApiToken> IssueAsync(string name, CancellationToken cancellationToken)
    {
        var issued = await api.IssueTokenAsync(name, cancellationToken);
        return new ApiToken(issued.AccessToken, time.GetUtcNow().AddSeconds(issued.ExpiresIn));
    }

    private static ApiToken? Read(ClaimsPrincipal user) =>
        user.FindFirstValue(TokenClaim) is { } value
        && DateTimeOffset.TryParse(user.FindFirstValue(ExpiryClaim), CultureInfo.InvariantCulture, out var expiresAt)
            ? new ApiToken(value, expiresAt)
            : null;
}
