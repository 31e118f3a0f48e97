using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Support;

/// <summary>A small OIDC authority on loopback: discovery and keys over real HTTP. Its tokens are made by hand, right or wrong.</summary>
internal sealed class OidcProvider : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _reads;

    private OidcProvider(WebApplication app) => _app = app;

    public string Issuer => _app.Urls.First();

    /// <summary>How often its keys were read.</summary>
    public int Reads => Volatile.Read(ref _reads);

    public bool IsDown { get; set; }

    public RSA Rsa { get; } = RSA.Create(2_048);

    public ECDsa Curve { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>What it publishes.</summary>
    public List<object> Keys { get; } = [];

    public static async Task<OidcProvider> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var provider = new OidcProvider(app);
        provider.Keys.Add(Jwk("r1", provider.Rsa));
        var point = provider.Curve.ExportParameters(false).Q;
        provider.Keys.Add(new { kty = "EC", kid = "e1", crv = "P-256", use = "sig", x = Base64Url.EncodeToString(point.X), y = Base64Url.EncodeToString(point.Y) });
        // A secret that is no secret: nothing may be signed with it.
        provider.Keys.Add(new { kty = "oct", kid = "h1", k = Base64Url.EncodeToString(new byte[32]) });
        app.MapGet("/.well-known/openid-configuration", () => provider.IsDown
            ? Results.StatusCode((int)HttpStatusCode.ServiceUnavailable)
            : Results.Json(new { issuer = provider.Issuer, jwks_uri = $"{provider.Issuer}/keys" }));
        app.MapGet("/keys", () =>
        {
            Interlocked.Increment(ref provider._reads);
            return Results.Json(new { keys = provider.Keys });
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return provider;
    }

    public static object Jwk(string kid, RSA rsa)
    {
        var key = rsa.ExportParameters(false);
        return new { kty = "RSA", kid, use = "sig", n = Base64Url.EncodeToString(key.Modulus), e = Base64Url.EncodeToString(key.Exponent) };
    }

    /// <summary>Claims of a good token.</summary>
    public Dictionary<string, object?> Claims(string user = "ada")
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return new() { ["sub"] = user, ["iss"] = Issuer, ["aud"] = "realtime-aspire", ["iat"] = now, ["nbf"] = now, ["exp"] = now + 600 };
    }

    public string Token(string user = "ada", string kid = "r1", RSA? rsa = null) => Sign($$"""{"alg":"RS256","kid":"{{kid}}"}""", JsonSerializer.Serialize(Claims(user)), rsa);

    /// <summary>Signs whatever it is, as RS256.</summary>
    public string Sign(string header, string payload, RSA? rsa = null) =>
        Join(header, payload, text => (rsa ?? Rsa).SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

    public static string Join(string header, string payload, Func<byte[], byte[]> sign)
    {
        var text = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload))}";
        return $"{text}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Rsa.Dispose();
        Curve.Dispose();
    }
}
