using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Npgsql;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>
/// A PostgreSQL of this run's own, and a Redis for each durability, whose nodes are a system by themselves; on free ports, thrown
/// away at its end.
/// </summary>
internal sealed class Stores : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    private readonly DistributedApplication _app;

    private Stores(DistributedApplication app) => _app = app;

    /// <summary>By the name of a durability.</summary>
    public required IReadOnlyDictionary<string, string> Redis { get; init; }

    public required string Postgres { get; init; }

    public static async Task<Stores> StartAsync(CancellationToken cancellationToken)
    {
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { Args = [], DisableDashboard = true });
        var durabilities = Enum.GetNames<Durability>().Select(name => name.ToLowerInvariant()).ToArray();
        builder.Configuration.AddInMemoryCollection(
        [
            new("Logging:LogLevel:Default", "Warning"),
            new("Parameters:postgres-password", RandomNumberGenerator.GetHexString(24)),
            .. durabilities.Select(durability => KeyValuePair.Create($"Parameters:redis-{durability}-password", (string?)RandomNumberGenerator.GetHexString(24))),
        ]);
        var redis = durabilities.ToDictionary(durability => durability, durability => builder.AddRedis($"redis-{durability}"), StringComparer.Ordinal);
        var database = builder.AddPostgres("postgres").AddDatabase("realtime");
        var app = builder.Build();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(StartLimit);
            await app.StartAsync(limit.Token);
            foreach (var name in (string[])[.. redis.Values.Select(server => server.Resource.Name), database.Resource.Name])
                await app.ResourceNotifications.WaitForResourceHealthyAsync(name, WaitBehavior.StopOnResourceUnavailable, limit.Token);
            var connections = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (durability, server) in redis)
                connections[durability] = await ConnectionStringAsync(server.Resource, limit.Token);
            return new Stores(app)
            {
                Redis = connections,
                Postgres = await ConnectionStringAsync(database.Resource, limit.Token),
            };
        }
        catch
        {
            await app.StopAsync(CancellationToken.None);
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>One of the Redis as Node's client wants it.</summary>
    public Uri RedisUrl()
    {
        var options = ConfigurationOptions.Parse(Redis.Values.First());
        var endpoint = (System.Net.EndPoint)options.EndPoints[0];
        var (host, port) = endpoint is System.Net.DnsEndPoint dns ? (dns.Host, dns.Port) : ("127.0.0.1", ((System.Net.IPEndPoint)endpoint).Port);
        return new Uri($"{(options.Ssl ? "rediss" : "redis")}://:{Uri.EscapeDataString(options.Password ?? "")}@{host}:{port}");
    }

    public async Task<IReadOnlyList<(string Name, string Value)>> FactsAsync(CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(Postgres);
        await using var command = source.CreateCommand("select current_setting('server_version') || ', synchronous_commit ' || current_setting('synchronous_commit') || ', fsync ' || current_setting('fsync')");
        var postgres = (string?)await command.ExecuteScalarAsync(cancellationToken);
        using var redis = await ConnectionMultiplexer.ConnectAsync(Redis.Values.First());
        var version = redis.GetServer(redis.GetEndPoints()[0]).Version;
        return [("Redis", $"{version}"), ("PostgreSQL", $"{postgres}")];
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private static async Task<string> ConnectionStringAsync(IResourceWithConnectionString resource, CancellationToken cancellationToken) =>
        await resource.GetConnectionStringAsync(cancellationToken) ?? throw new BenchmarkException($"{resource.Name} has no connection string.");
}
