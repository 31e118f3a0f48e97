using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Server.Pipeline.Authorization;
using Xunit;

namespace RealtimeAspire.Tests.Server.Identity;

/// <summary>A token that was found good a moment ago is good for nothing else.</summary>
public sealed class KnownTokensTests
{
    [Fact]
    public async Task One_that_is_known_is_refused_as_soon_as_it_is_revoked()
    {
        await using var server = await TestServer.StartAsync();
        var token = TestServer.Token("bob");
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, token));
        Assert.NotNull(server.Services.GetRequiredService<KnownTokens>().Find(token));

        var claims = TokenClaims.Read(token.Split('.')[1]);
        server.Services.GetRequiredService<Revocations>().Set(new Revocation(new Revocation.Subject("default", Revocation.Token, claims.TokenId!), claims.IssuedAt!.Value));

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server, token));
    }

    [Fact]
    public async Task One_that_looks_like_it_is_another_one()
    {
        await using var server = await TestServer.StartAsync();
        var token = TestServer.Token("bob");
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, token));

        var parts = token.Split('.');
        var forged = TestServer.Token("eve").Split('.')[1];
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server, $"{parts[0]}.{forged}.{parts[2]}"));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server, $"{parts[0]}.{parts[1]}."));
    }

    [Fact]
    public async Task One_of_an_authority_that_has_other_keys_now_is_looked_at_again()
    {
        await using var authority = await OidcProvider.StartAsync();
        await using var server = await TestServer.StartAsync(
            ("Realtime:Auth:Authority", authority.Issuer), ("Realtime:Auth:KeyRefreshSeconds", "1"));
        var token = authority.Token();
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, token));

        authority.Keys.RemoveAt(0);
        // A key that nobody knows makes the node read them again.
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                await GetAsync(server, authority.Token(kid: $"{Guid.NewGuid():N}"));
                return await GetAsync(server, token) == HttpStatusCode.Unauthorized;
            },
            "the token of a key that is gone counts on");
    }

    private static async Task<HttpStatusCode> GetAsync(TestServer server, string token)
    {
        using var http = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        using var answer = await http.GetAsync("/topics/room:a/events", TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
