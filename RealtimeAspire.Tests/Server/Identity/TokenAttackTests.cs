using System.Buffers.Text;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Tests.Server.Identity;

/// <summary>Tokens that somebody made to get in, at the real door of a node that takes an authority's tokens and its own.</summary>
public sealed class TokenAttackTests(TokenAttackTests.Door door) : IClassFixture<TokenAttackTests.Door>
{
    private readonly OidcProvider _provider = door.Provider;

    public static TheoryData<string> Attacks { get; } = [.. All().Select(attack => attack.Name)];

    [Fact]
    public async Task Good_tokens_of_both_sources_are_taken()
    {
        var claims = JsonSerializer.Serialize(_provider.Claims());
        string[] good =
        [
            TestServer.Token(), _provider.Token(), _provider.Sign("""{"alg":"RS256"}""", claims), _provider.Sign("""{"alg":"RS256","kid":"r1","typ":"at+jwt"}""", claims),
            OidcProvider.Join("""{"alg":"PS256","kid":"r1"}""", claims, text => _provider.Rsa.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)),
            OidcProvider.Join("""{"alg":"ES256","kid":"e1"}""", claims, text => _provider.Curve.SignData(text, HashAlgorithmName.SHA256)),
            _provider.Sign("""{"alg":"RS256","kid":"r1"}""", JsonSerializer.Serialize(new Dictionary<string, object?>(_provider.Claims()) { ["aud"] = new[] { "another", "realtime-aspire" } })),
        ];
        foreach (var token in good)
        {
            Assert.Equal("", await KnockAsync(token));
        }
    }

    [Theory]
    [MemberData(nameof(Attacks))]
    public async Task It_is_refused_and_a_good_token_is_taken_behind_it(string name)
    {
        Assert.Equal("", await KnockAsync(_provider.Token()));

        Assert.Equal("token_invalid", await KnockAsync(All().Single(attack => attack.Name == name).Make(_provider)));

        Assert.Equal("", await KnockAsync(_provider.Token()));
        Assert.Equal("", await KnockAsync(TestServer.Token()));
    }

    private static IEnumerable<(string Name, Func<OidcProvider, string> Make)> All()
    {
        foreach (var none in new[] { "none", "None", "nOnE", "" })
        {
            yield return ($"alg '{none}' without a signature", p => $"{Text($$"""{"alg":"{{none}}"}""")}.{Text(JsonSerializer.Serialize(p.Claims()))}.");
            yield return ($"alg '{none}' with a signature", p => p.Sign($$"""{"alg":"{{none}}","kid":"r1"}""", JsonSerializer.Serialize(p.Claims())));
        }

        (string, Func<OidcProvider, byte[]>)[] secrets =
        [
            ("PEM", p => Encoding.UTF8.GetBytes(p.Rsa.ExportSubjectPublicKeyInfoPem())), ("PEM and a line end", p => Encoding.UTF8.GetBytes(p.Rsa.ExportSubjectPublicKeyInfoPem() + "\n")),
            ("PKCS 1 PEM", p => Encoding.UTF8.GetBytes(p.Rsa.ExportRSAPublicKeyPem())), ("DER", p => p.Rsa.ExportSubjectPublicKeyInfo()),
            ("JWK", p => JsonSerializer.SerializeToUtf8Bytes(OidcProvider.Jwk("r1", p.Rsa))), ("modulus", p => p.Rsa.ExportParameters(false).Modulus!), ("published symmetric key", _ => new byte[32]),
        ];
        foreach (var (form, secret) in secrets)
        {
            foreach (var kid in new[] { "r1", "h1" })
            {
                yield return ($"HMAC with the public key as {form} named {kid}", p =>
                    OidcProvider.Join($$"""{"alg":"HS256","kid":"{{kid}}"}""", JsonSerializer.Serialize(p.Claims()), text => HMACSHA256.HashData(secret(p), text)));
            }

            yield return ($"HMAC with the public key as {form} in the name of the other issuer", p => OidcProvider.Join(
                """{"alg":"HS256"}""", JsonSerializer.Serialize(With(p, "iss", "realtime-aspire")), text => HMACSHA256.HashData(secret(p), text)));
        }

        yield return ("the built-in identity's key in the authority's name", p => OidcProvider.Join(
            """{"alg":"HS256"}""", JsonSerializer.Serialize(p.Claims()), text => HMACSHA256.HashData(Encoding.UTF8.GetBytes(TestServer.SigningKey), text)));
        yield return ("the authority's key in the built-in identity's name", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", JsonSerializer.Serialize(With(p, "iss", "realtime-aspire"))));
        foreach (var kid in new[] { "unknown", "../../../dev/null", "' or 1=1 --", "http://127.0.0.1/key", "r1\\u0000", "R1" })
        {
            yield return ($"kid {kid}", p => p.Sign($$"""{"alg":"RS256","kid":"{{kid}}"}""", JsonSerializer.Serialize(p.Claims())));
        }

        yield return ("kid that is no string", p => p.Sign("""{"alg":"RS256","kid":1}""", JsonSerializer.Serialize(p.Claims())));
        foreach (var member in new[] { "\"jku\":\"http://127.0.0.1/\"", "\"x5u\":\"http://127.0.0.1/\"", "\"x5c\":[\"AA\"]", "\"crit\":[\"exp\"]", "\"crit\":[]", "\"b64\":false", "\"cty\":\"JWT\"", "\"zip\":\"DEF\"", "\"enc\":\"A128GCM\"", "\"typ\":\"logout+jwt\"", "\"alg\":\"RS256\"" })
        {
            yield return ($"a header with {member}", p => p.Sign($$"""{"alg":"RS256","kid":"r1",{{member}}}""", JsonSerializer.Serialize(p.Claims())));
        }

        yield return ("a header with its own jwk", p =>
        {
            using var own = RSA.Create(2_048);
            return p.Sign($$"""{"alg":"RS256","kid":"r1","jwk":{{JsonSerializer.Serialize(OidcProvider.Jwk("r1", own))}}}""", JsonSerializer.Serialize(p.Claims()), own);
        });
        yield return ("another key of the same kind", p =>
        {
            using var own = RSA.Create(2_048);
            return p.Token(rsa: own);
        });
        yield return ("ES256 named as the RSA key", p => OidcProvider.Join("""{"alg":"ES256","kid":"r1"}""", JsonSerializer.Serialize(p.Claims()), text => p.Curve.SignData(text, HashAlgorithmName.SHA256)));
        yield return ("RS256 named as the EC key", p => p.Token(kid: "e1"));
        yield return ("an algorithm that is not allowed", p => OidcProvider.Join("""{"alg":"RS512","kid":"r1"}""", JsonSerializer.Serialize(p.Claims()), text => p.Rsa.SignData(text, HashAlgorithmName.SHA512, RSASignaturePadding.Pkcs1)));
        yield return ("a huge token", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", JsonSerializer.Serialize(With(p, "x", new string('x', 9_000)))));

        // NOW and what is added to it are put in when it is made: an attack has one name, whenever it is.
        (string Claim, string? Json)[] claims =
        [
            ("nbf", "NOW+120"), ("iat", "NOW+120"), ("exp", "NOW-060"), ("exp", null), ("exp", "\"NOW+600\""), ("exp", "NOW+600.5"), ("exp", "-1"), ("exp", "1e400"),
            ("exp", "99999999999999999999"), ("exp", "null"), ("nbf", "\"x\""), ("iat", "1.5"), ("iss", "\"https://other.example\""), ("iss", null), ("iss", "[\"realtime-aspire\"]"),
            ("aud", "\"other\""), ("aud", "[\"other\",\"another\"]"), ("aud", "[]"), ("aud", null), ("sub", null), ("sub", "\"\""), ("sub", "7"), ("sub", "\"a\\u0000b\""), ("sub", "\"\\ud800\""), ("sub", "\"key:abc\""), ("sub", "[\"ada\"]"),
            ("tenant", "\"\""), ("tenant", "\"a/b\""), ("tenant", "7"), ("tenant", "null"), ("jti", "7"),
            ("grants", "{}"), ("grants", "null"), ("grants", "\"*\""), ("grants", "[7]"), ("grants", "[{\"topic\":\"*\"}]"), ("grants", "[{\"topic\":\"*\",\"operations\":[\"everything\"]}]"),
            ("grants", "[{\"topic\":\"room:*\",\"operations\":[\"subscribe\"]},{\"topic\":\"room\",\"operations\":[\"*\"]}]"), ("grants", "[{\"topic\":\"*\",\"operations\":[\"*\"],\"unless\":\"x\"}]"),
        ];
        foreach (var (claim, json) in claims)
        {
            yield return ($"{claim} {json ?? "missing"}", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", Payload(p, claim, json)));
        }

        yield return ("a claim twice", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", JsonSerializer.Serialize(p.Claims())[..^1] + ",\"sub\":\"bob\"}"));
        yield return ("a payload that is an array", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", "[]"));
        yield return ("an empty signature", p => p.Token()[..(p.Token().LastIndexOf('.') + 1)]);
        yield return ("a cut signature", p => p.Token()[..^4]);
        yield return ("two parts", p => p.Token()[..p.Token().LastIndexOf('.')]);
        yield return ("five parts", p => $"{Text("""{"alg":"RSA-OAEP","enc":"A128GCM"}""")}.AA.AA.AA.AA");
        yield return ("a token in a token", p => p.Sign("""{"alg":"RS256","kid":"r1"}""", $"\"{p.Token()}\""));
        yield return ("padding", p => p.Token() + "==");
        yield return ("a space", p => p.Token().Replace(".", ". ", StringComparison.Ordinal));
        yield return ("the other alphabet", p => $"{Text("""{"alg":"RS256"}""")}+/.{p.Token().Split('.')[1]}.{p.Token().Split('.')[2]}");
        yield return ("nothing but dots", _ => "..");
    }

    private static Dictionary<string, object?> With(OidcProvider provider, string claim, object value) => new(provider.Claims()) { [claim] = value };

    private static string Payload(OidcProvider provider, string claim, string? json)
    {
        var claims = provider.Claims();
        claims.Remove(claim);
        var others = JsonSerializer.Serialize(claims);
        return json is null ? others : $"{others[..^1]},\"{claim}\":{AtThisTime(json)}}}";
    }

    private static string AtThisTime(string json)
    {
        const int Length = 7;
        var at = json.IndexOf("NOW", StringComparison.Ordinal);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return at < 0 ? json : $"{json[..at]}{now + int.Parse(json.AsSpan(at + 3, Length - 3), CultureInfo.InvariantCulture)}{json[(at + Length)..]}";
    }

    private static string Text(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private async Task<string> KnockAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/topics/room:a/events");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await door.Http.SendAsync(request, TestContext.Current.CancellationToken);
        if (response.IsSuccessStatusCode)
        {
            return "";
        }

        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(401, (int)response.StatusCode);
        return problem.RootElement.GetProperty("code").GetString()!;
    }

    /// <summary>A node and the authority that it trusts.</summary>
    public sealed class Door : IAsyncLifetime
    {
        private TestServer _server = null!;

        internal OidcProvider Provider { get; private set; } = null!;

        internal HttpClient Http { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Provider = await OidcProvider.StartAsync();
            _server = await TestServer.StartAsync(("Realtime:Auth:Authority", Provider.Issuer), ("Realtime:Auth:KeyRefreshSeconds", "3600"));
            Http = new HttpClient { BaseAddress = _server.Address };
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            await _server.DisposeAsync();
            await Provider.DisposeAsync();
        }
    }
}
