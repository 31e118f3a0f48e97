using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;

namespace RealtimeAspire.Tests.Server.Identity;

/// <summary>The keys of an authority: read, kept, replaced.</summary>
public sealed class AuthorityTests : IAsyncLifetime
{
    private OidcProvider _provider = null!;

    public async ValueTask InitializeAsync() => _provider = await OidcProvider.StartAsync();

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task A_token_of_a_new_key_is_taken_at_once_and_one_of_a_key_that_is_gone_is_not()
    {
        await using var server = await StartAsync();
        Assert.Equal((HttpStatusCode.OK, ""), await KnockAsync(server, _provider.Token()));
        using var next = RSA.Create(2_048);
        _provider.Keys.Clear();
        _provider.Keys.Add(OidcProvider.Jwk("r2", next));

        await Eventually.BecomesTrueAsync(async () => (await KnockAsync(server, _provider.Token(kid: "r2", rsa: next))).Status is HttpStatusCode.OK, "the authority's keys are not what they should be");

        Assert.Equal((HttpStatusCode.Unauthorized, "token_invalid"), await KnockAsync(server, _provider.Token()));
    }

    [Fact]
    public async Task Many_tokens_of_unknown_keys_make_it_ask_once()
    {
        await using var server = await StartAsync(("Realtime:Auth:KeyRefreshSeconds", "3600"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => KnockAsync(server, _provider.Token(kid: $"unknown{i}"))));

        Assert.All(answers, answer => Assert.Equal("token_invalid", answer.Code));
        // Those have waited for one answer; this one comes when it is known.
        Assert.Equal("token_invalid", (await KnockAsync(server, _provider.Token(kid: "unknown"))).Code);
        Assert.Equal((HttpStatusCode.OK, ""), await KnockAsync(server, _provider.Token()));
        Assert.Equal(1, _provider.Reads);
    }

    [Fact]
    public async Task While_it_cannot_be_reached_known_keys_count_and_others_are_told_to_try_again()
    {
        await using var server = await StartAsync();
        await using var fresh = await StartAsync();
        Assert.Equal((HttpStatusCode.OK, ""), await KnockAsync(server, _provider.Token()));
        _provider.IsDown = true;

        await Eventually.BecomesTrueAsync(async () => await KnockAsync(server, _provider.Token(kid: "r2")) == (HttpStatusCode.ServiceUnavailable, "authority_unavailable"), "the authority's keys are not what they should be");
        Assert.Equal((HttpStatusCode.OK, ""), await KnockAsync(server, _provider.Token()));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "authority_unavailable"), await KnockAsync(fresh, _provider.Token()));
        _provider.IsDown = false;

        await Eventually.BecomesTrueAsync(async () => (await KnockAsync(fresh, _provider.Token())).Status is HttpStatusCode.OK, "the authority's keys are not what they should be");
    }

    [Fact]
    public async Task Without_the_built_in_identity_its_tokens_are_nobody_s()
    {
        await using var server = await StartAsync(("Realtime:Auth:BuiltIn", "false"), ("Realtime:Auth:SigningKey", ""));
        using var http = new HttpClient { BaseAddress = server.Address };
        using var asked = await http.PostAsync("/auth/token", new StringContent("""{"user":"ada"}""", new MediaTypeHeaderValue("application/json")), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.Unauthorized, "token_invalid"), await KnockAsync(server, TestServer.Token()));
        Assert.Equal((HttpStatusCode.OK, ""), await KnockAsync(server, _provider.Token()));
        Assert.Equal(HttpStatusCode.NotFound, asked.StatusCode);
    }

    private Task<TestServer> StartAsync(params (string, string)[] settings) =>
        TestServer.StartAsync([("Realtime:Auth:Authority", _provider.Issuer), ("Realtime:Auth:KeyRefreshSeconds", "1"), .. settings]);

    private static async Task<(HttpStatusCode Status, string Code)> KnockAsync(TestServer server, string token)
    {
        using var http = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        using var response = await http.GetAsync("/topics/room:a/events", TestContext.Current.CancellationToken);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return (response.StatusCode, body.RootElement.TryGetProperty("code", out var code) ? code.GetString()! : "");
    }
}
