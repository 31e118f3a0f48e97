using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>A whole node behind a real socket that keeps what it complains about, and what has become of it.</summary>
internal sealed class FuzzedServer : IAsyncDisposable
{
    public const int MaxMembers = 1_000;

    private static readonly string[] Topics = ["fuzz:a", "fuzz:b", "fuzz:c", "fuzz:d"];

    private readonly ErrorLog _errors;
    private readonly TestServer _server;
    private readonly HttpClient _http;

    private FuzzedServer(ErrorLog errors, TestServer server) => (_errors, _server, _http) = (errors, server, server.Http());

    public Uri Address => _server.Address;

    /// <summary>Entries of the level Error and above.</summary>
    public IReadOnlyCollection<string> Errors => _errors.Entries;

    public static async Task<FuzzedServer> StartAsync()
    {
        var errors = new ErrorLog();
        var server = await TestServer.StartAsync(
            static _ => { },
            services =>
            {
                services.AddSingleton<ILoggerProvider>(errors);
                services.AddSingleton(new EventRule("fuzz", "app:order", PayloadSchema.Of(SchemaJson.Default.Order), FromClients: true));
                services.AddSingleton(new EventRule("fuzz", "app:order", PayloadSchema.Of(SchemaJson.Default.Tree), FromClients: true, Version: 2));
                services.AddSingleton(new EventRule("fuzz", "app:tree", PayloadSchema.Of(SchemaJson.Default.Tree), FromClients: true));
                services.AddSingleton(new EventRule("fuzz", "app:strict", PayloadSchema.Of(SchemaJson.Default.Strict), FromClients: true));
                services.AddSingleton(provider =>
                {
                    var topics = provider.GetRequiredService<TopicCatalog>();
                    var log = new MemoryTopicLog(topics, TimeProvider.System);
                    return new LogCatalog(topics, log, log);
                });
            },
            static _ => { },
            // A log that forgets, so that what grows is something else.
            ("Realtime:TopicTypes:fuzz:Durability", "Recoverable"),
            ("Realtime:TopicTypes:fuzz:Retention:Events", "200"),
            ("Realtime:TopicTypes:fuzz:IdempotencyWindow", "00:00:01"),
            ("Realtime:Limits:TailBytes", "1048576"),
            ("Realtime:Limits:PublishesPerSecond", "1000000"),
            ("Realtime:Limits:PublishBurst", "10000000"));
        return new FuzzedServer(errors, server);
    }

    public HttpClient Http() => _server.Http();

    /// <summary>The server lives, and every event in its logs is one that it should have taken. Returns how many were looked at.</summary>
    public async Task<int> RequireHealthAsync()
    {
        using var body = new StringContent("""{"event":"app:order","payload":{"text":"alive","lines":[]}}""", Encoding.UTF8, "application/json");
        using var alive = await _http.PostAsync("/topics/fuzz:a/events", body, TestContext.Current.CancellationToken);
        Assert.Equal(201, (int)alive.StatusCode);
        var seen = 0;
        foreach (var topic in Topics)
        {
            using var page = JsonDocument.Parse(await _http.GetStringAsync($"/topics/{topic}/events?limit=1000", TestContext.Current.CancellationToken));
            foreach (var logged in page.RootElement.GetProperty("events").EnumerateArray())
            {
                RequireSound(logged);
                seen++;
            }
        }

        Assert.Empty(Errors);
        return seen;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _errors.Dispose();
    }

    private void RequireSound(JsonElement logged)
    {
        var payload = logged.GetProperty("data").GetProperty("payload");
        var text = payload.GetRawText();
        PayloadForm.Require(Encoding.UTF8.GetBytes(text), MaxMembers);
        Assert.True(RandomPayload.IsSound(text), text);
        var events = _server.Services.GetRequiredService<EventCatalog>();
        var policy = _server.Services.GetRequiredService<TopicCatalog>().Get(TopicName.Parse(logged.GetProperty("topic").GetString()));
        events.Require(policy, logged.GetProperty("event").GetString()!, logged.GetProperty("v").GetInt32(), payload);
    }
}
