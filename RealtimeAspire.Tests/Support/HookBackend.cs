using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Support;

/// <summary>A backend on loopback that answers hooks, after it has verified who asks, by hand from the Standard Webhooks specification.</summary>
internal sealed class HookBackend : IAsyncDisposable
{
    public const string Secret = "a-hook-secret-of-the-tests-and-of-nobody-else";

    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    private readonly WebApplication _app;

    private HookBackend(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    /// <summary>What it was asked.</summary>
    public ConcurrentQueue<JsonElement> Questions { get; } = new();

    /// <summary>What it answers: a status, and JSON.</summary>
    public Func<JsonElement, Task<(int Status, string Json)>> Answer { get; set; } = static _ => Task.FromResult((200, """{"result":"allow"}"""));

    /// <summary>The keys of which each question must have a signature.</summary>
    public string[] Secrets { get; set; } = [Secret];

    public static async Task<HookBackend> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var backend = new HookBackend(app);
        app.MapPost("/{*path}", backend.AnswerAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return backend;
    }

    /// <summary>The settings of a node that asks it and has the patience for its answer.</summary>
    public (string, string)[] Asks(string point, params (string Key, string Value)[] more) =>
    [
        ("Realtime:Hooks:Secret", Secret), ($"Realtime:Hooks:{point}:Url", $"{Url}/{point}"), ($"Realtime:Hooks:{point}:TimeoutMs", "10000"),
        .. more.Select(setting => ($"Realtime:Hooks:{point}:{setting.Key}", setting.Value)),
    ];

    public void Answers(string json) => Answer = _ => Task.FromResult((200, json));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task<IResult> AnswerAsync(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        if (!Secrets.All(secret => IsSigned(request, body, secret)))
            return Results.StatusCode(StatusCodes.Status401Unauthorized);

        var question = JsonElement.Parse(body);
        Questions.Enqueue(question);
        var (status, json) = await Answer(question);
        return Results.Content(json, "application/json", statusCode: status);
    }

    private static bool IsSigned(HttpRequest request, string body, string secret)
    {
        var (id, time) = (request.Headers["webhook-id"].ToString(), request.Headers["webhook-timestamp"].ToString());
        var expected = Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{id}.{time}.{body}")));
        var age = TimeProvider.System.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(long.Parse(time, System.Globalization.CultureInfo.InvariantCulture));
        return id.Length > 0 && age.Duration() < Tolerance && request.Headers["webhook-signature"].ToString().Split(' ').Contains($"v1,{expected}");
    }
}
