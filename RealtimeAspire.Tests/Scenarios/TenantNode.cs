using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Administration;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Notifications;
using RealtimeAspire.Server.Features.Presence;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A whole node over a database of the tests' own. It has no Redis: what two of them know of each other they know by the database.</summary>
internal sealed class TenantNode : IAsyncDisposable
{
    private const string SigningKey = "a-signing-key-of-the-tests-and-of-nobody-else";

    private readonly WebApplication _app;

    private TenantNode(WebApplication app) => _app = app;

    public IServiceProvider Services => _app.Services;

    public Uri Address => new(_app.Urls.First());

    public static Task<TenantNode> StartAsync(PostgresDatabase database, params (string Key, string Value)[] settings) => StartAsync(database, static _ => { }, settings);

    /// <param name="database">Its database.</param>
    /// <param name="register">What the test has of its own.</param>
    /// <param name="settings">The configuration.</param>
    public static async Task<TenantNode> StartAsync(PostgresDatabase database, Action<IServiceCollection> register, params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(
        [
            new("Realtime:SingleNode", "true"),
            new("Realtime:Auth:SigningKey", SigningKey),
            // Of a key that is there twice the last one counts.
            .. settings.GroupBy(setting => setting.Key).Select(same => KeyValuePair.Create(same.Key, (string?)same.Last().Value)),
        ]);
        builder.Services.AddSingleton(database.DataSource);
        builder.AddRealtime().AddChat().AddPresence().AddNotifications().AddAdministration();
        register(builder.Services);
        var app = builder.Build();
        app.MapRealtime().MapChat().MapPresence().MapNotifications().MapAdministration();
        await app.StartAsync(Topology.Cancelled);
        var health = app.Services.GetRequiredService<HealthCheckService>();
        await Eventually.BecomesTrueAsync(async () => (await health.CheckHealthAsync(Topology.Cancelled)).Status is HealthStatus.Healthy, "the node is not ready");
        return new TenantNode(app);
    }

    /// <param name="tenant">Of which tenant.</param>
    /// <param name="user">Whom it names.</param>
    /// <param name="grants">What it grants, as JSON; null where it says nothing of that.</param>
    public static string Token(string tenant, string user = "ada", string? grants = null)
    {
        var options = new RealtimeOptions { Auth = { SigningKey = SigningKey } };
        return new TokenIssuer(Microsoft.Extensions.Options.Options.Create(options), TimeProvider.System).Issue(user, tenant, grants is null ? null : JsonElement.Parse(grants)).AccessToken;
    }

    public HttpClient Http(string tenant, string user = "ada") => new()
    {
        BaseAddress = Address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token(tenant, user)) },
    };

    public Task<RawHub> ConnectAsync(string tenant) => RawHub.ConnectAsync(Address, Token(tenant));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
