using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using StackExchange.Redis;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>The durable log without anything around it: its group commit, in this process.</summary>
internal sealed class AppendAlone : Shape
{
    private const int Bytes = 100;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(100);

    private int _published;

    public override string Name => "append";

    public override string Title => "The append alone";

    public override string Text =>
        "PostgresTopicLog in a process of its own that, as PostgreSQL, may use both cores: so many appends in flight, each started when its last one has committed.";

    public override IReadOnlyList<Column> Columns =>
    [
        new("rate", "appended/s", "0"),
        new("p50", "p50, ms", "0.00"),
        new("p99", "p99, ms", "0.0"),
    ];

    public override bool Takes(Peer peer) => peer.Durability == "durable";

    public override int NodesOf(Peer peer) => 0;

    public override async Task MeasureAsync(LoadRun run)
    {
        await using var app = await StartServerAsync(run);
        var log = ActivatorUtilities.CreateInstance<PostgresTopicLog>(app.Services);
        await AppendAsync(log, TopicsOf(run, "warm-up", 100), 100, run.Job.WarmUp);
        var cases = from topics in (int[])[100, 1]
                    from inFlight in (int[])[1, 10, 100, 1_000]
                    select (topics, inFlight);
        await run.MeasureInTurnsAsync([.. cases], async (load, round) =>
        {
            var (topics, inFlight) = load;
            var (rate, delays) = await AppendAsync(log, TopicsOf(run, $"{topics}-{inFlight}-{round}", topics), inFlight, run.Job.Window);
            LoadRun.Report($"{inFlight:N0} in flight, {topics} topic{(topics == 1 ? "" : "s")}", new Dictionary<string, double>
            {
                ["rate"] = rate,
                ["p50"] = delays.Percentile(50),
                ["p99"] = delays.Percentile(99),
            });
        });
    }

    private async Task<(double Rate, LatencyHistogram Delays)> AppendAsync(PostgresTopicLog log, TopicKey[] topics, int inFlight, TimeSpan duration)
    {
        var (delays, appended, started) = (new LatencyHistogram(), 0L, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(RunAsync));
        return (appended / Stopwatch.GetElapsedTime(started).TotalSeconds, delays);

        async Task RunAsync(int lane)
        {
            for (var n = lane; Stopwatch.GetElapsedTime(started) < duration; n++)
            {
                var begun = Stopwatch.GetTimestamp();
                await log.AppendAsync(Next(topics[n % topics.Length], begun), _ => { });
                delays.Record(Stopwatch.GetElapsedTime(begun));
                Interlocked.Increment(ref appended);
            }
        }
    }

    private Append Next(TopicKey topic, long begun)
    {
        var payload = PayloadStamp.Make(Bytes, 0, 0, begun);
        return new Append
        {
            Topic = topic,
            Started = begun,
            Publisher = "bench",
            Id = $"append-{Environment.ProcessId}-{Interlocked.Increment(ref _published)}",
            Event = RealtimePeer.Event,
            Version = 1,
            Payload = payload,
            ContentHash = SHA256.HashData(payload)[..16],
        };
    }

    private static TopicKey[] TopicsOf(LoadRun run, string name, int count) =>
        [.. Enumerable.Range(0, count).Select(i => new TopicKey("default", TopicName.Parse(run.Topic($"append-{name}-{i}"))))];

    /// <summary>The server as an application would host it, for its log: nobody connects.</summary>
    private static async Task<WebApplication> StartServerAsync(LoadRun run)
    {
        var surroundings = run.Job.Surroundings;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Realtime:Auth:BuiltIn"] = "true",
            ["Realtime:Auth:SigningKey"] = surroundings.SigningKey,
            ["Realtime:Audit:Key"] = surroundings.SigningKey,
            [$"Realtime:TopicTypes:{run.Job.Durability}:Open"] = "true",
        });
        builder.Services.AddSingleton(_ => NpgsqlDataSource.Create(surroundings.Postgres));
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(surroundings.Redis["durable"]));
        builder.AddRealtime();
        var app = builder.Build();
        await app.StartAsync();
        var health = app.Services.GetRequiredService<HealthCheckService>();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1), TimeProvider.System);
        while ((await health.CheckHealthAsync(limit.Token)).Status is not HealthStatus.Healthy)
            await Task.Delay(Glance, TimeProvider.System, limit.Token);
        return app;
    }
}
