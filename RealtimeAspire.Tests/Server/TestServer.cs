using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Client;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Administration;
using RealtimeAspire.Server.Features.Canvas;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Notifications;
using RealtimeAspire.Server.Features.Presence;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>A whole node behind a real socket, over a log in memory.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string SigningKey = "a-signing-key-of-the-tests-and-of-nobody-else";

    private readonly WebApplication _app;

    private TestServer(WebApplication app, FaultyTopicLog log) => (_app, Log) = (app, log);

    public FaultyTopicLog Log { get; }

    public Uri Address => new(_app.Urls.First());

    /// <summary>What it is made of.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>What counts on this node.</summary>
    public IMeterFactory Meters => _app.Services.GetRequiredService<IMeterFactory>();

    public static Task<TestServer> StartAsync(params (string Key, string Value)[] settings) => StartAsync(static _ => { }, settings);

    /// <inheritdoc cref="StartAsync(Action{ListenOptions}, Action{IServiceCollection}, Action{WebApplication}, ValueTuple{string, string}[])"/>
    public static Task<TestServer> StartAsync(Action<ListenOptions> listen, params (string Key, string Value)[] settings) =>
        StartAsync(listen, static _ => { }, static _ => { }, settings);

    /// <param name="extend">What the application has beside the features.</param>
    /// <param name="settings">The configuration.</param>
    public static Task<TestServer> StartWithAsync(Action<RealtimeBuilder> extend, params (string Key, string Value)[] settings) =>
        StartAsync(static _ => { }, extend, static _ => { }, static _ => { }, settings);

    /// <param name="listen">How its address is listened to.</param>
    /// <param name="register">What the test has of its own, or in the place of something.</param>
    /// <param name="map">Where that is.</param>
    /// <param name="settings">The configuration.</param>
    public static Task<TestServer> StartAsync(
        Action<ListenOptions> listen, Action<IServiceCollection> register, Action<WebApplication> map, params (string Key, string Value)[] settings) =>
        StartAsync(listen, static _ => { }, register, map, settings);

    private static async Task<TestServer> StartAsync(
        Action<ListenOptions> listen, Action<RealtimeBuilder> extend, Action<IServiceCollection> register, Action<WebApplication> map, (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = settings.FirstOrDefault(setting => setting.Key == HostDefaults.EnvironmentKey).Value ?? "Development" });
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen));
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(
        [
            new("Realtime:SingleNode", "true"),
            new("Realtime:Auth:SigningKey", SigningKey),
            new("Realtime:Audit:Key", SigningKey),
        ]);
        // Of a key that is there twice the last one counts.
        builder.Configuration.AddInMemoryCollection(
            settings.GroupBy(setting => setting.Key).Select(same => KeyValuePair.Create(same.Key, (string?)same.Last().Value)));
        builder.Services.AddSingleton(_ => NpgsqlDataSource.Create("Host=nowhere"));
        extend(builder.AddRealtime().AddChat().AddCanvas().AddPresence().AddNotifications().AddAdministration());

        // No Postgres here: of what runs in the background only the feeds.
        builder.Services.RemoveAll<IHostedService>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<FeedRegistry>());
        builder.Services.AddHostedService(provider => provider.GetRequiredService<PresenceTracker>());
        builder.Services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        builder.Services.AddHostedService(provider => provider.GetRequiredService<Heartbeat>());
        var log = new FaultyTopicLog(TimeProvider.System);
        builder.Services.AddSingleton(provider => new LogCatalog(provider.GetRequiredService<TopicCatalog>(), log, log));
        register(builder.Services);
        var app = builder.Build();
        app.MapRealtime().MapChat().MapPresence().MapNotifications().MapAdministration();
        map(app);
        var server = new TestServer(app, log);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>What happens first when the host is told to stop.</summary>
    public Task DrainAsync() => _app.Services.GetRequiredService<Drain>().StoppingAsync(TestContext.Current.CancellationToken);

    /// <summary>The host is told to stop, as by SIGTERM.</summary>
    public Task StopAsync() => Task.Run(_app.Lifetime.StopApplication, TestContext.Current.CancellationToken);

    /// <summary>A token as the development identity gives it, whose time ends at a moment of the test's choice.</summary>
    public static string Token(string user = "ada", TimeSpan? lifetime = null) => Token(user, tenant: null, grants: null, lifetime);

    /// <inheritdoc cref="Token(string, TimeSpan?)"/>
    /// <param name="user">Whom it names.</param>
    /// <param name="tenant">Of which tenant.</param>
    /// <param name="grants">What it grants, as JSON; null where it says nothing of that.</param>
    /// <param name="lifetime">How long it is good.</param>
    /// <param name="change">What is different about who issues it.</param>
    public static string Token(string user, string? tenant, string? grants, TimeSpan? lifetime = null, Action<AuthOptions>? change = null)
    {
        const int Seconds = 3_600;
        var options = new RealtimeOptions { Auth = { SigningKey = SigningKey, TokenSeconds = Seconds } };
        change?.Invoke(options.Auth);
        var time = new ShiftedTime((lifetime ?? TimeSpan.FromSeconds(Seconds)) - TimeSpan.FromSeconds(Seconds));
        var issuer = new TokenIssuer(Microsoft.Extensions.Options.Options.Create(options), time);
        return issuer.Issue(user, tenant, grants is null ? null : JsonElement.Parse(grants)).AccessToken;
    }

    public HttpClient Http() => new()
    {
        BaseAddress = Address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token()) },
    };

    public async Task<RealtimeClient> ConnectAsync(Func<string>? token = null)
    {
        var client = new RealtimeClient(Address, () => Task.FromResult<string?>(token?.Invoke() ?? Token()));
        await client.ConnectAsync(TestContext.Current.CancellationToken);
        return client;
    }

    /// <summary>A connection whose every byte the test decides.</summary>
    public Task<RawHub> ConnectRawAsync(string? token = null) => RawHub.ConnectAsync(Address, token ?? Token());

    /// <summary>The same in MessagePack.</summary>
    /// <param name="query">Behind the token.</param>
    public Task<PackedHub> ConnectPackedAsync(string query = "") => PackedHub.ConnectAsync(Address, Token(), query);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private sealed class ShiftedTime(TimeSpan shift) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + shift;
    }
}
