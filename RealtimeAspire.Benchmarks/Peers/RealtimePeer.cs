using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Benchmarks.Peers;

/// <summary>The real API process, as in production: metrics exported, traces sampled at 1 %, limits out of the way.</summary>
internal sealed record RealtimePeer(Durability Kind) : Peer("realtime", "RealtimeAspire", Speech.Realtime)
{
    /// <summary>The event that the generator publishes.</summary>
    public const string Event = "app:bench";

    /// <summary>Of topics where it is known who is there.</summary>
    public const string PresenceType = "present";

    public override string Durability => Kind.ToString().ToLowerInvariant();

    public override bool HasBackplane => true;

    public override string HealthPath => "/health";

    public override Launch LaunchOn(Uri address, bool several, Surroundings surroundings)
    {
        // Beside this program, in the same configuration: .../bin/<project>/<configuration>/.
        var own = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        var folder = Path.Combine(own, "..", "..", "RealtimeAspire.Api", Path.GetFileName(own));
        var program = Path.GetFullPath(Path.Combine(folder, "RealtimeAspire.Api"));
        if (!File.Exists(program))
            throw new BenchmarkException($"The API was not found at {program}. Start this program with `dotnet run`, which builds it.");
        return new Launch(program, [], Path.GetDirectoryName(program)!, EnvironmentFor(address, surroundings));
    }

    private Dictionary<string, string> EnvironmentFor(Uri address, Surroundings surroundings) => new(KestrelOn(address, surroundings))
    {
        // Elsewhere it refuses what is not encrypted.
        ["ASPNETCORE_ENVIRONMENT"] = address.Scheme == Uri.UriSchemeHttps ? "Production" : "Development",
        ["ConnectionStrings__redis"] = surroundings.Redis[Durability],
        ["ConnectionStrings__realtime"] = surroundings.Postgres,
        ["Realtime__Auth__BuiltIn"] = "true",
        ["Realtime__Auth__SigningKey"] = surroundings.SigningKey,
        ["Realtime__Audit__Key"] = surroundings.SigningKey,
        [$"Realtime__TopicTypes__{Durability}__Durability"] = $"{Kind}",
        [$"Realtime__TopicTypes__{Durability}__Open"] = "true",
        [$"Realtime__TopicTypes__{PresenceType}__Durability"] = "Recoverable",
        [$"Realtime__TopicTypes__{PresenceType}__Open"] = "true",
        [$"Realtime__TopicTypes__{PresenceType}__Presence"] = "true",
        ["Realtime__Limits__PublishesPerSecond"] = "1000000",
        ["Realtime__Limits__PublishBurst"] = "10000000",
        ["Realtime__Limits__RequestsPerSecond"] = "0",
        ["Realtime__Limits__ConnectsPerSecond"] = "0",
        ["Realtime__Limits__UserConnections"] = "0",
        ["Realtime__Limits__QueueBytes"] = $"{64 * 1024 * 1024}",
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = surroundings.Telemetry.ToString(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "10000",
        ["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio",
        ["OTEL_TRACES_SAMPLER_ARG"] = "0.01",
    };
}
