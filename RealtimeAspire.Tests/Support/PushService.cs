using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Base64 = System.Buffers.Text.Base64Url;

namespace RealtimeAspire.Tests.Support;

/// <summary>What a push service was given, verified and decrypted as a browser does.</summary>
internal sealed record PushedMessage(string Browser, JsonElement Content, string Urgency, int TimeToLive, string? Topic);

/// <summary>A push service on loopback, and the browsers behind it: by hand from RFC 8030, 8291 and 8292.</summary>
internal sealed class PushService : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ECDsa _server = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ConcurrentDictionary<string, (ECDiffieHellman Key, byte[] Auth)> _browsers = new(StringComparer.Ordinal);

    private PushService(WebApplication app) => _app = app;

    public ConcurrentQueue<PushedMessage> Messages { get; } = new();

    /// <summary>The status that a browser's message is answered with; it is kept only with 201.</summary>
    public Func<string, int> Answer { get; set; } = static _ => StatusCodes.Status201Created;

    private string PublicKey => Base64.EncodeToString(PointOf(_server.ExportParameters(includePrivateParameters: false)));

    public static async Task<PushService> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var service = new PushService(app);
        app.MapPost("/push/{browser}", service.TakeAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }

    /// <summary>The settings of a node that may push here.</summary>
    public (string, string)[] Settings(params (string, string)[] more) =>
    [
        ("Realtime:Notifications:Push:Subject", "mailto:operator@example.org"), ("Realtime:Notifications:Push:PublicKey", PublicKey),
        ("Realtime:Notifications:Push:PrivateKey", Base64.EncodeToString(_server.ExportParameters(includePrivateParameters: true).D!)),
        ("Realtime:Notifications:Push:AllowPrivateAddresses", "true"), .. more,
    ];

    /// <summary>A browser subscribes; what it has then is what it tells the application's server.</summary>
    public object Subscribe(string browser)
    {
        var (key, auth) = _browsers.GetOrAdd(browser, static _ => (ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256), RandomNumberGenerator.GetBytes(16)));
        return new
        {
            endpoint = $"{_app.Urls.First()}/push/{browser}",
            keys = new { p256dh = Base64.EncodeToString(PointOf(key.ExportParameters(includePrivateParameters: false))), auth = Base64.EncodeToString(auth) },
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _server.Dispose();
        foreach (var (key, _) in _browsers.Values)
            key.Dispose();
    }

    private async Task<IResult> TakeAsync(string browser, HttpRequest request)
    {
        if (!IsOfServer(request.Headers.Authorization.ToString()))
            return Results.StatusCode(StatusCodes.Status403Forbidden);
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        var status = Answer(browser);
        if (status == StatusCodes.Status201Created)
        {
            Assert.Equal("aes128gcm", request.Headers.ContentEncoding.ToString());
            Messages.Enqueue(new PushedMessage(
                browser, JsonElement.Parse(Decrypt(browser, body.ToArray())), request.Headers["Urgency"].ToString(),
                int.Parse(request.Headers["TTL"].ToString(), System.Globalization.CultureInfo.InvariantCulture), request.Headers["Topic"].FirstOrDefault()));
        }

        return Results.StatusCode(status);
    }

    /// <summary>RFC 8292: a token for this service, soon over, signed with the key that the browsers were told.</summary>
    private bool IsOfServer(string authorization)
    {
        var parts = authorization["vapid ".Length..].Split(',', StringSplitOptions.TrimEntries).ToDictionary(part => part[..1], part => part[2..], StringComparer.Ordinal);
        var token = parts["t"].Split('.');
        var claims = JsonElement.Parse(Base64.DecodeFromChars(token[1]));
        var left = DateTimeOffset.FromUnixTimeSeconds(claims.GetProperty("exp").GetInt64()) - TimeProvider.System.GetUtcNow();
        return parts["k"] == PublicKey
            && _server.VerifyData(Encoding.ASCII.GetBytes($"{token[0]}.{token[1]}"), Base64.DecodeFromChars(token[2]), HashAlgorithmName.SHA256)
            && claims.GetProperty("aud").GetString()!.TrimEnd('/') == _app.Urls.First().TrimEnd('/')
            && claims.GetProperty("sub").GetString() == "mailto:operator@example.org"
            && left > TimeSpan.Zero && left <= TimeSpan.FromHours(24);
    }

    /// <summary>RFC 8188 with the keys of RFC 8291: salt, record size, length of the sender's key, that key, and one record.</summary>
    private byte[] Decrypt(string browser, byte[] body)
    {
        var (key, auth) = _browsers[browser];
        var (salt, recordSize, keyLength) = (body[..16], BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(16)), body[20]);
        var (senderKey, record) = (body[21..(21 + keyLength)], body[(21 + keyLength)..]);
        Assert.InRange(record.Length, 18, (int)recordSize);
        Assert.InRange(body.Length, 0, 4_096);
        using var sender = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = senderKey[1..33], Y = senderKey[33..] } });
        var shared = key.DeriveRawSecretAgreement(sender.PublicKey);
        var ours = PointOf(key.ExportParameters(includePrivateParameters: false));
        var input = Expand(HMACSHA256.HashData(auth, shared), [.. "WebPush: info\0"u8, .. ours, .. senderKey]);
        var secret = HMACSHA256.HashData(salt, input);
        using var cipher = new AesGcm(Expand(secret, [.. "Content-Encoding: aes128gcm\0"u8]).AsSpan(0, 16), tagSizeInBytes: 16);
        var text = new byte[record.Length - 16];
        cipher.Decrypt(Expand(secret, [.. "Content-Encoding: nonce\0"u8]).AsSpan(0, 12), record.AsSpan(0, text.Length), record.AsSpan(text.Length), text);
        var end = Array.FindLastIndex(text, octet => octet != 0);
        Assert.Equal(2, text[end]);
        return text[..end];
    }

    private static byte[] Expand(byte[] key, byte[] info) => HMACSHA256.HashData(key, (byte[])[.. info, 1]);

    private static byte[] PointOf(ECParameters key) => [4, .. key.Q.X!, .. key.Q.Y!];
}
