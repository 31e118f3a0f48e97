using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using RealtimeAspire.Client;
using Xunit;

namespace RealtimeAspire.Tests.Support;

/// <summary>One API node: its process's name in the orchestrator and its own address, past the round robin.</summary>
public sealed record Node(string ResourceId, Uri Address);

/// <summary>
/// The whole system as the app host runs it: real processes, real Redis, real PostgreSQL, the dashboard. Started once for all scenarios
/// of a collection, which leave it as they found it. Ports are free ones and data is thrown away, so runs do not collide.
/// </summary>
public sealed class Topology : IAsyncLifetime
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);
    private static readonly string[] Resources = ["redis", "postgres", "realtime", "api", "web"];
    private DistributedApplication? _app;

    public DistributedApplication App => _app ?? throw new InvalidOperationException("The topology has not been started.");

    /// <summary>The API behind the round robin.</summary>
    public Uri Api => App.GetEndpoint("api", "http");

    public Uri Web => App.GetEndpoint("web", "http");

    public Uri Dashboard => new(Setting("ASPNETCORE_URLS"));

    public string DashboardLogin => $"{Dashboard}login?t={Setting("AppHost:BrowserToken")}";

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public IReadOnlyList<Node> Nodes()
    {
        var api = App.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == "api");
        return [.. States().Where(s => ReferenceEquals(s.Resource, api)).Select(s =>
            new Node(s.ResourceId, new Uri(s.Snapshot.EnvironmentVariables.Single(v => v.Name == "ASPNETCORE_URLS").Value!)))];
    }

    /// <summary>The last known state of every process and resource of ours: Aspire has others of its own, and parameters.</summary>
    public IReadOnlyList<ResourceEvent> States()
    {
        var states = new Dictionary<string, ResourceEvent>(StringComparer.Ordinal);
        var changes = App.ResourceNotifications.WatchAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        for (var next = changes.MoveNextAsync(); next.IsCompletedSuccessfully && next.Result; next = changes.MoveNextAsync())
            states[changes.Current.ResourceId] = changes.Current;
        return [.. states.Values.Where(s => Resources.Contains(s.Resource.Name))];
    }

    /// <summary>Waits until each process of each resource is running and healthy, as a scenario has to leave it.</summary>
    public async Task BecomesHealthyAsync()
    {
        await Eventually.BecomesTrueAsync(
            () => States().All(s => s.Snapshot.State?.Text == KnownResourceStates.Running && s.Snapshot.HealthStatus == HealthStatus.Healthy),
            "not everything is running and healthy");
        // A node's address changes with each start, and may be told late.
        await Eventually.BecomesTrueAsync(async () => (await Task.WhenAll(Nodes().Select(node => IsReadyAsync(node.Address)))).All(ready => ready), "a node does not answer");
    }

    /// <summary>Whether a node takes work at this moment. What the app host last heard of one that was started again may be older.</summary>
    public static async Task<bool> IsReadyAsync(Uri node)
    {
        try
        {
            using var http = new HttpClient { BaseAddress = node, Timeout = TimeSpan.FromSeconds(5) };
            using var answer = await http.GetAsync("/health", Cancelled);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException { InnerException: TimeoutException })
        {
            return false;
        }
    }

    public int ProcessId(string resourceId) =>
        App.ResourceNotifications.TryGetCurrentState(resourceId, out var state) && state.Snapshot.Properties.FirstOrDefault(p => p.Name == "executable.pid")?.Value is int pid
            ? pid
            : throw new InvalidOperationException($"{resourceId} has no process.");

    public async Task<string> TokenAsync(string user, Uri? node = null)
    {
        using var http = new HttpClient { BaseAddress = node ?? Api };
        using var response = await http.PostAsJsonAsync("/auth/token", new { user }, Cancelled);
        response.EnsureSuccessStatusCode();
        var reply = await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        return reply.GetProperty("access_token").GetString()!;
    }

    /// <summary>An HTTP client that speaks for the user to one node, or to whichever the round robin chooses.</summary>
    public async Task<HttpClient> HttpAsync(string user, Uri? node = null) => new()
    {
        BaseAddress = node ?? Api,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync(user, node)) },
    };

    public async Task<RealtimeClient> ConnectAsync(string user, Uri? node = null)
    {
        var client = new RealtimeClient(node ?? Api, async () => await TokenAsync(user, node));
        await client.ConnectAsync(Cancelled);
        return client;
    }

    /// <summary>A connection of its own: a pooled one may be to a Postgres that another scenario has killed.</summary>
    public async Task<NpgsqlConnection> OpenDatabaseAsync()
    {
        var connection = new NpgsqlConnection($"{await App.GetConnectionStringAsync("realtime", Cancelled)};Pooling=false");
        await connection.OpenAsync(Cancelled);
        return connection;
    }

    public string Setting(string key) => App.Services.GetRequiredService<IConfiguration>()[key] ?? throw new InvalidOperationException($"{key} is not set.");

    public async ValueTask InitializeAsync()
    {
        _app = await BuildAsync();
        using var limit = new CancellationTokenSource(StartLimit);
        await _app.StartAsync(limit.Token);
        await WaitUntilHealthyAsync(_app, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is null)
            return;
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    /// <summary>The app host's application, not yet started.</summary>
    public static async Task<DistributedApplication> BuildAsync(params string[] more)
    {
        string[] args =
        [
            "--Ports:Web=0", "--Ports:Api=0", "--Ports:Dashboard=0", "--UseVolumes=false",
            "--Parameters:redis-password=redis-secret", "--Parameters:postgres-password=postgres-secret",
            "--Parameters:signing-key=a-signing-key-of-the-tests-and-of-nobody-else", "--Parameters:audit-key=an-audit-key-of-the-tests-and-of-nobody-else",
            .. more,
        ];
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.RealtimeAspire_AppHost>(
            args, (options, _) => options.DisableDashboard = false);
        return await builder.BuildAsync();
    }

    public static async Task WaitUntilHealthyAsync(DistributedApplication app, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var resource in Resources)
                await app.ResourceNotifications.WaitForResourceHealthyAsync(resource, WaitBehavior.StopOnResourceUnavailable, cancellationToken);
        }
        catch (OperationCanceledException error)
        {
            var states = app.Services.GetRequiredService<DistributedApplicationModel>().Resources
                .Select(r => app.ResourceNotifications.TryGetCurrentState(r.Name, out var s) ? $"{r.Name}: {s.Snapshot.State?.Text} {s.Snapshot.HealthStatus}" : r.Name);
            throw new TimeoutException($"Not everything became healthy within {StartLimit.TotalMinutes} minutes. {string.Join("; ", states)}", error);
        }
    }
}

/// <summary>Scenarios that share one topology and run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class SharedTopology : ICollectionFixture<Topology>
{
    public const string Name = "topology";
}

/// <summary>As <see cref="SharedTopology"/>, for those of the web client. Chromium draws all of its pages on the processor, so nothing else runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class PageTopology : ICollectionFixture<Topology>, ICollectionFixture<Browser>
{
    public const string Name = "pages";
}

/// <summary>How soon something happens is promised of a machine that is not busy with something else, so these run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WithTheMachineToThemselves : ICollectionFixture<Topology>
{
    public const string Name = "alone";
}
