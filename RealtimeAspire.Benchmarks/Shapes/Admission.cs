using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Benchmarks.Load;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Benchmarks.Shapes;

/// <summary>What it costs to find out that an event may come in.</summary>
internal sealed class Admission : Shape
{
    private const int EventsAtOnce = 1_000;
    // In turn, so that no user has too many.
    private const int Users = 64;
    private const string Unregistered = "app:any", Registered = "app:tick";

    public override string Name => "admission";

    public override string Title => "Admission";

    public override string Text =>
        "Steps 1 to 3 of a publish in this process, one after another in one thread: rate and size, the form of a payload of 100 bytes, the right to publish it, the event's schema. " +
        "Over the hub the token was looked at when the connection came; over HTTP each request has one.";

    public override IReadOnlyList<Column> Columns => [new("cpu", "CPU, µs per publish", "0.00"), new("bytes", "allocated, bytes", "0")];

    public override bool Takes(Peer peer) => peer.Durability == "recoverable";

    public override int NodesOf(Peer peer) => 0;

    public override async Task MeasureAsync(LoadRun run)
    {
        await using var app = Build(run);
        var path = app.Services.GetRequiredService<PublishPath>();
        var topic = TopicName.Parse(run.Topic("admission"));
        var policy = app.Services.GetRequiredService<TopicCatalog>().Get(topic);
        Caller[] open = [.. Enumerable.Range(0, Users).Select(user => new Caller(Caller.DefaultTenant, $"user-{user}"))];
        var grants = Grants.Read(JsonElement.Parse($$"""[{"topic":"user:{sub}","operations":["*"]},{"topic":"{{policy.Type}}:*","operations":["publish"],"events":["app:*"]}]"""));
        Caller[] granted = [.. open.Select(caller => caller with { Grants = grants })];
        var turn = 0;
        var any = RequestOf(Unregistered);
        var tick = RequestOf(Registered);
        var token = $"Bearer {run.TokenOf(0)}";

        (string Load, Func<ValueTask> Admit)[] cases =
        [
            ("hub, an open topic, an event without a schema", () => Admit(Next(open), any)),
            ("hub, an open topic, an event with a schema", () => Admit(Next(open), tick)),
            ("hub, by a grant of the token, an event with a schema", () => Admit(Next(granted), tick)),
            ("HTTP, its token, an open topic, an event with a schema", async () =>
            {
                // As each request has one: within it a token is looked at once.
                await using var scope = app.Services.CreateAsyncScope();
                var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
                context.Request.Headers.Authorization = token;
                var known = await context.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
                await Admit(Caller.From(known.Principal), tick);
            }),
        ];
        foreach (var (_, admit) in cases)
        {
            await RunAsync(admit, run.Job.WarmUp);
        }

        await run.MeasureInTurnsAsync(cases, async (one, _) =>
        {
            var (cpu, bytes) = await RunAsync(one.Admit, run.Job.Window);
            LoadRun.Report(one.Load, new Dictionary<string, double> { ["cpu"] = cpu, ["bytes"] = bytes });
        });

        Caller Next(Caller[] users) => users[turn++ % Users];

        ValueTask Admit(Caller caller, PublishRequest request)
        {
            path.Admit(caller, topic, policy, request, connection: null);
            return ValueTask.CompletedTask;
        }
    }

    private static async Task<(double Cpu, double Bytes)> RunAsync(Func<ValueTask> admit, TimeSpan duration)
    {
        var (count, started, before, allocated) = (0L, TimeProvider.System.GetTimestamp(), Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(precise: true));
        while (TimeProvider.System.GetElapsedTime(started) < duration)
        {
            for (var i = 0; i < EventsAtOnce; i++)
            {
                await admit();
            }

            count += EventsAtOnce;
        }

        var used = Environment.CpuUsage.TotalTime - before;
        return (used.TotalMicroseconds / count, (double)(GC.GetTotalAllocatedBytes(precise: true) - allocated) / count);
    }

    private static PublishRequest RequestOf(string name) => new()
    {
        Event = name,
        Payload = JsonElement.Parse("""{"symbol":"RTA","price":123.45,"volume":1000,"at":"2026-11-29T06:00:00Z","note":"as a ticker has it"}"""),
        EntityId = "RTA",
    };

    /// <summary>The server as an application would host it: nobody connects.</summary>
    private static WebApplication Build(LoadRun run)
    {
        const string Unlimited = "1000000";
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Realtime:SingleNode"] = "true",
            ["Realtime:Auth:BuiltIn"] = "true",
            ["Realtime:Auth:SigningKey"] = run.Job.Surroundings.SigningKey,
            ["Realtime:Limits:PublishesPerSecond"] = Unlimited,
            ["Realtime:Limits:PublishBurst"] = Unlimited,
            ["Realtime:TopicTypes:room:Durability"] = "Recoverable",
            [$"Realtime:TopicTypes:{run.Job.Durability}:Durability"] = "Recoverable",
            [$"Realtime:TopicTypes:{run.Job.Durability}:Open"] = "true",
        });
        builder.AddRealtime().AddEvent(run.Job.Durability, Registered, AdmissionJson.Default.AdmissionTick, fromClients: true);
        return builder.Build();
    }
}

/// <summary>An event with a schema.</summary>
internal sealed record AdmissionTick(string Symbol, double Price, int Volume, DateTimeOffset At, string? Note);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AdmissionTick))]
internal sealed partial class AdmissionJson : JsonSerializerContext;
