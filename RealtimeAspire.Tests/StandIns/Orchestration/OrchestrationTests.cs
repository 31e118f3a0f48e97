using Microsoft.Extensions.DependencyInjection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.StandIns.Orchestration;

/// <summary>The model on the real orchestrator, with small processes of the system.</summary>
public sealed class OrchestrationTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_process_runs_writes_its_log_and_ends_with_its_code()
    {
        var builder = Builder();
        var resource = Process(builder, "greeter", "echo out; echo err >&2; exit 3");
        await using var app = builder.Build();
        await app.StartAsync(Topology.Cancelled);

        await app.ResourceNotifications.WaitForResourceAsync("greeter", KnownResourceStates.Exited, Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
        var state = State(app, "greeter");
        Assert.Equal(3, state.ExitCode);
        Assert.NotNull(state.StartTimeStamp);
        Assert.NotNull(state.StopTimeStamp);
        await Eventually.BecomesTrueAsync(async () => await LogAsync(app, resource) is var log && log.Contains(("out", false)) && log.Contains(("err", true)), "the log lacks what the process wrote");
        await app.StopAsync(Topology.Cancelled);
    }

    [Fact]
    public async Task Who_waits_for_another_starts_when_that_one_is_healthy_and_not_before()
    {
        var healthy = Path.GetTempFileName();
        File.Delete(healthy);
        var builder = Builder();
        var server = Process(builder, "server", "exec sleep 300");
        builder.Services.AddHealthChecks().AddCheck("file", () => File.Exists(healthy)
            ? Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckResult.Healthy()
            : Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckResult.Unhealthy("not yet"));
        server.WithHealthCheck("file");
        Process(builder, "client", "exec sleep 300").WaitFor(server);
        await using var app = builder.Build();
        await app.StartAsync(Topology.Cancelled);

        await app.ResourceNotifications.WaitForResourceAsync("server", KnownResourceStates.Running, Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
        await app.ResourceNotifications.WaitForResourceAsync("server", e => e.Snapshot.HealthReports.Any(r => r.Description == "not yet"), Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
        Assert.Equal(KnownResourceStates.Waiting, State(app, "client").State?.Text);

        await File.WriteAllTextAsync(healthy, "", Topology.Cancelled);
        await app.ResourceNotifications.WaitForResourceAsync("client", KnownResourceStates.Running, Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
        await app.StopAsync(Topology.Cancelled);
        File.Delete(healthy);
    }

    [Fact]
    public async Task Commands_stop_start_and_restart_a_process()
    {
        var builder = Builder();
        Process(builder, "sleeper", "exec sleep 300");
        await using var app = builder.Build();
        await app.StartAsync(Topology.Cancelled);
        var running = await app.ResourceNotifications.WaitForResourceAsync("sleeper", e => e.Snapshot.State?.Text == KnownResourceStates.Running, Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
        var pids = new HashSet<object?> { Pid(app) };

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync(running.ResourceId, KnownResourceCommands.StopCommand, Topology.Cancelled)).Success);
        Assert.Contains(State(app, "sleeper").State?.Text, KnownResourceStates.TerminalStates);

        foreach (var command in (string[])[KnownResourceCommands.StartCommand, KnownResourceCommands.RestartCommand])
        {
            Assert.True((await app.ResourceCommands.ExecuteCommandAsync(running.ResourceId, command, Topology.Cancelled)).Success);
            await Eventually.BecomesTrueAsync(() => State(app, "sleeper").State?.Text == KnownResourceStates.Running && !pids.Contains(Pid(app)), $"no new process after {command}");
            pids.Add(Pid(app));
        }

        await app.StopAsync(Topology.Cancelled);

        static object? Pid(DistributedApplication app) => State(app, "sleeper").Properties.Single(p => p.Name == "executable.pid").Value;
    }

    [Fact]
    public async Task Data_of_another_PostgreSQL_is_refused_with_a_clear_line_and_not_touched()
    {
        var volume = $"test-{Guid.NewGuid():n}";
        var data = Directory.CreateDirectory(Path.Combine(Aspire.Hosting.Tools.ToolCache.Volumes, volume, "pgdata"));
        await File.WriteAllTextAsync(Path.Combine(data.FullName, "PG_VERSION"), "9\n", Topology.Cancelled);
        try
        {
            var builder = Builder();
            var postgres = builder.AddPostgres("postgres").WithDataVolume(volume);
            builder.Configuration["Parameters:postgres-password"] = "secret";
            await using var app = builder.Build();
            await app.StartAsync(Topology.Cancelled);

            await app.ResourceNotifications.WaitForResourceAsync("postgres", KnownResourceStates.FailedToStart, Topology.Cancelled).WaitAsync(Limit, Topology.Cancelled);
            var reason = Assert.Single(await LogAsync(app, postgres)).Content;
            Assert.Contains("made by PostgreSQL 9", reason, StringComparison.Ordinal);
            Assert.Contains("Install PostgreSQL 9", reason, StringComparison.Ordinal);
            Assert.Equal("PG_VERSION", Assert.Single(data.GetFileSystemInfos()).Name);
            await app.StopAsync(Topology.Cancelled);
        }
        finally
        {
            data.Parent!.Delete(recursive: true);
        }
    }

    private static IDistributedApplicationBuilder Builder()
    {
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { DisableDashboard = true });
        builder.Services.AddLogging(logging => logging.ClearProviders());
        return builder;
    }

    private static IResourceBuilder<ContainerResource> Process(IDistributedApplicationBuilder builder, string name, string script) =>
        builder.AddResource(new ContainerResource(name)).WithEndpoint("tcp")
            .WithAnnotation(new ProcessAnnotation((_, _) => Task.FromResult(new ProcessSpec("/bin/sh", ["-c", script], "/tmp", "sh"))));

    private static CustomResourceSnapshot State(DistributedApplication app, string name) =>
        app.ResourceNotifications.TryGetCurrentState(Id(app, name), out var state) ? state.Snapshot : throw new InvalidOperationException($"{name} is not known.");

    private static string Id(DistributedApplication app, string name) =>
        app.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == name).GetResolvedResourceNames()[0];

    private static async Task<List<(string Content, bool IsError)>> LogAsync<T>(DistributedApplication app, IResourceBuilder<T> resource) where T : IResource
    {
        var lines = new List<(string, bool)>();
        await foreach (var batch in app.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(resource.Resource.GetResolvedResourceNames()[0]))
            lines.AddRange(batch.Select(line => (line.Content[(line.Content.LastIndexOf('Z') + 1)..].Trim(), line.IsErrorMessage)));
        return lines;
    }
}
