using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard.Proto;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;
using HealthStatus = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

public sealed class DashboardServiceTests : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private TestApp _app = new();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact(Timeout = 20_000)]
    public async Task The_application_has_a_name_without_its_AppHost()
    {
        using var client = await ConnectAsync();
        using var call = await client.StartAsync("GetApplicationInformation", message: null, None);
        Assert.Equal("application/grpc", call.Response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("Sample", (await FirstAsync(call.ReadAllAsync(ApplicationInformationResponse.Parser))).ApplicationName);
        Assert.Equal((0, ""), await call.EndAsync());
    }

    [Theory(Timeout = 20_000)]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("the-kez")]
    [InlineData("the-key, the-key")]
    public async Task Without_the_key_nothing_is_told(string? key)
    {
        using var client = await ConnectAsync(key);
        using var call = await client.StartAsync("WatchResources", message: null, None);
        Assert.Equal((16, "The header x-resource-service-api-key is missing or wrong."), await call.EndAsync());
        Assert.Equal(0, _app.Notifications.WatcherCount);
    }

    [Fact(Timeout = 20_000)]
    public async Task Where_the_service_is_unsecured_no_key_is_asked_for()
    {
        await RestartAsync(("AppHost:ResourceService:AuthMode", "Unsecured"), ("AppHost:ResourceService:ApiKey", ""));
        using var client = await ConnectAsync(key: null);
        using var call = await client.StartAsync("GetApplicationInformation", message: null, None);
        Assert.Equal((0, ""), await call.EndAsync());
    }

    [Fact(Timeout = 20_000)]
    public async Task Resources_are_told_as_they_are_and_then_as_they_change()
    {
        var server = new TestResource("postgres");
        server.Annotations.Add(new DcpInstancesAnnotation([new("postgres-abc", "abc")]));
        var database = new TestDatabase("realtime", server);
        database.Annotations.Add(TestApp.Command("clear", _ => Task.CompletedTask, state => state == KnownResourceStates.Running));
        database.Annotations.Add(TestApp.Command("start", _ => Task.CompletedTask, state => state != KnownResourceStates.Running));
        await _app.RunsAsync(server);
        await _app.Notifications.PublishUpdateAsync(database, s => s with
        {
            State = new(KnownResourceStates.Running, KnownResourceStateStyles.Success),
            Urls = [new("tcp", "tcp://localhost:5432", IsInternal: true)],
            EnvironmentVariables = [new("PGPASSWORD", "secret", IsFromSpec: true)],
            Properties = [new("executable.pid", 4711), new("executable.args", ImmutableArray.Create("-p", "secret")) { IsSensitive = true }],
            HealthReports = [new("up", HealthStatus.Degraded, "slow", null)],
        });
        using var client = await ConnectAsync();
        using var call = await client.StartAsync("WatchResources", message: null, None);
        await using var updates = call.ReadAllAsync(WatchResourcesUpdate.Parser).GetAsyncEnumerator();

        Assert.True(await updates.MoveNextAsync());
        var resource = Assert.Single(updates.Current.InitialData.Resources, r => r.DisplayName == "realtime");
        Assert.Equal(("realtime", "TestDatabase", "Running", "success"), (resource.Name, resource.ResourceType, resource.State, resource.StateStyle));
        Assert.NotNull(resource.CreatedAt);
        Assert.NotNull(Assert.Single(resource.Urls).DisplayProperties);
        Assert.Equal(("PGPASSWORD", "secret", true), (resource.Environment[0].Name, resource.Environment[0].Value, resource.Environment[0].IsFromSpec));
        Assert.Equal((global::Aspire.Hosting.Dashboard.Proto.HealthStatus.Degraded, "slow"), (resource.HealthReports[0].Status, resource.HealthReports[0].Description));
        Assert.Equal(("clear", "Play", true), (resource.Commands[0].Name, resource.Commands[0].IconName, resource.Commands[0].IsHighlighted));
        Assert.Equal([ResourceCommandState.Enabled, ResourceCommandState.Disabled], resource.Commands.Select(c => c.State));
        Assert.Equal(("postgres", "Parent"), (resource.Relationships[0].ResourceName, resource.Relationships[0].Type));
        var properties = resource.Properties.ToDictionary(p => p.Name, StringComparer.Ordinal);
        Assert.Equal("postgres-abc", properties["resource.parentName"].Value.StringValue);
        Assert.Equal("Degraded", properties["resource.healthState"].Value.StringValue);
        Assert.Equal(4711, properties["executable.pid"].Value.NumberValue);
        Assert.True(properties["executable.args"].IsSensitive);
        Assert.Empty(properties["resource.appArgs"].Value.ListValue.Values);

        await _app.EndsAsync(server, KnownResourceStates.Exited, 1);
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal(("postgres-abc", "Exited"), updates.Current.Changes.Value.Select(c => (c.Upsert.Name, c.Upsert.State)).Last());
    }

    [Fact(Timeout = 20_000)]
    public async Task A_dashboard_that_goes_away_leaves_nothing_behind()
    {
        using var client = await ConnectAsync();
        var call = await client.StartAsync("WatchResources", message: null, None);
        await FirstAsync(call.ReadAllAsync(WatchResourcesUpdate.Parser));
        Assert.Equal(1, _app.Notifications.WatcherCount);
        call.Dispose();
        while (_app.Notifications.WatcherCount > 0)
            await Task.Yield();
    }

    [Fact(Timeout = 20_000)]
    public async Task Console_lines_are_followed()
    {
        var api = new TestResource("api");
        await _app.RunsAsync(api);
        _app.Loggers.AddLog("api", "first", isError: true, DateTime.UnixEpoch);
        using var client = await ConnectAsync();
        using var call = await client.StartAsync("WatchResourceConsoleLogs", new WatchResourceConsoleLogsRequest { ResourceName = "api" }, None);

        var lines = new List<(string, bool, int)>();
        await foreach (var update in call.ReadAllAsync(WatchResourceConsoleLogsUpdate.Parser))
        {
            lines.AddRange(update.LogLines.Select(l => (l.Text, l.IsStdErr, l.LineNumber)));
            if (lines.Count == 1)
                _app.Loggers.AddLog("api", "second", isError: false, DateTime.UnixEpoch);
            else
                _app.Loggers.Complete("api");
        }

        Assert.Equal([("1970-01-01T00:00:00.0000000Z first", true, 1), ("1970-01-01T00:00:00.0000000Z second", false, 2)], lines);
        Assert.Equal((0, ""), await call.EndAsync());
    }

    [Fact(Timeout = 20_000)]
    public async Task A_large_console_comes_in_messages_that_a_client_accepts()
    {
        await _app.RunsAsync(new TestResource("api"));
        for (var i = 0; i < 5; i++)
            _app.Loggers.AddLog("api", new string('\u20ac', 600_000), isError: false, DateTime.UnixEpoch);
        _app.Loggers.AddLog("api", new string('x', 3_000_000), isError: false, DateTime.UnixEpoch);
        using var client = await ConnectAsync();
        using var call = await client.StartAsync("WatchResourceConsoleLogs",
            new WatchResourceConsoleLogsRequest { ResourceName = "api", SuppressFollow = true }, None);

        var sizes = new List<int>();
        var numbers = new List<int>();
        await foreach (var update in call.ReadAllAsync(WatchResourceConsoleLogsUpdate.Parser))
        {
            sizes.Add(update.CalculateSize());
            numbers.AddRange(update.LogLines.Select(l => l.LineNumber));
        }

        Assert.Equal([1, 2, 3, 4, 5, 6], numbers);
        Assert.All(sizes, size => Assert.InRange(size, 1, 4 * 1024 * 1024));
    }

    [Fact(Timeout = 20_000)]
    public async Task Commands_are_run_and_their_outcome_is_told()
    {
        var api = TestApp.Replicated("api", "api-1", "api-2");
        api.Annotations.Add(TestApp.Command("start", _ => Task.CompletedTask));
        api.Annotations.Add(TestApp.Command("stop", id => throw new InvalidOperationException($"{id} hangs")));
        api.Annotations.Add(TestApp.Command("restart", _ => throw new OperationCanceledException()));
        await _app.RunsAsync(api);
        using var client = await ConnectAsync();

        Assert.Equal((ResourceCommandResponseKind.Succeeded, ""), await ExecuteAsync("start"));
        Assert.Equal((ResourceCommandResponseKind.Failed, "api-2 hangs"), await ExecuteAsync("stop"));
        Assert.Equal((ResourceCommandResponseKind.Cancelled, ""), await ExecuteAsync("restart"));
        Assert.Equal((ResourceCommandResponseKind.Failed, "Command 'dance' is not available for resource 'api-2'."), await ExecuteAsync("dance"));

        async Task<(ResourceCommandResponseKind, string)> ExecuteAsync(string command)
        {
            using var call = await client.StartAsync("ExecuteResourceCommand", new ResourceCommandRequest { ResourceName = "api-2", CommandName = command }, None);
            var response = await FirstAsync(call.ReadAllAsync(ResourceCommandResponse.Parser));
            return (response.Kind, response.Message);
        }
    }

    [Fact(Timeout = 20_000)]
    public async Task Interactions_are_held_open_until_the_dashboard_ends_them()
    {
        using var client = await ConnectAsync();
        var left = new TaskCompletionSource();
        using var call = await client.StartAsync("WatchInteractions", new GrpcTestClient.OpenContent([8, 1], left.Task), None);
        Assert.Equal(HttpStatusCode.OK, call.Response.StatusCode);
        var end = call.EndAsync();
        Assert.False(end.IsCompleted);

        left.SetResult();
        Assert.Equal((0, ""), await end);
    }

    [Fact(Timeout = 10_000)]
    public async Task The_application_can_end_while_calls_are_open()
    {
        await _app.RunsAsync(new TestResource("api"));
        _app.Loggers.AddLog("api", "a line", isError: false, DateTime.UnixEpoch);
        using var client = await ConnectAsync();
        using var interactions = await client.StartAsync("WatchInteractions", new GrpcTestClient.OpenContent([8, 1], new TaskCompletionSource().Task), None);
        using var resources = await client.StartAsync("WatchResources", message: null, None);
        using var console = await client.StartAsync("WatchResourceConsoleLogs", new WatchResourceConsoleLogsRequest { ResourceName = "api" }, None);

        // Without an end to the calls the server would wait for them until it is out of time.
        await _app.Service.StopAsync(None);
        Assert.Equal(0, _app.Notifications.WatcherCount);
    }

    [Theory(Timeout = 20_000)]
    [InlineData("Dance", new byte[] { 0, 0, 0, 0, 0 }, 12)]
    [InlineData("ExecuteResourceCommand", new byte[] { 0, 0, 0, 0, 2, 8 }, 3)]
    [InlineData("ExecuteResourceCommand", new byte[] { 0, 0, 0, 0, 2, 255, 255 }, 3)]
    [InlineData("ExecuteResourceCommand", new byte[] { 0, 255, 255, 255, 255, 1 }, 8)]
    [InlineData("ExecuteResourceCommand", new byte[] { 1, 0, 0, 0, 1, 1 }, 12)]
    [InlineData("ExecuteResourceCommand", new byte[] { 0, 0 }, 3)]
    public async Task A_request_that_makes_no_sense_gets_its_status(string method, byte[] body, int status)
    {
        using var client = await ConnectAsync();
        using var call = await client.StartAsync(method, new ByteArrayContent(body), None);
        Assert.Equal(status, (await call.EndAsync()).Status);
    }

    [Fact]
    public async Task A_taken_port_is_named_with_its_setting()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var url = $"http://localhost:{((IPEndPoint)other.LocalEndpoint).Port}";
        await RestartAsync(("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", url));

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => _app.Service.StartAsync(None));
        Assert.Equal($"The dashboard's resource service cannot listen on {url}: the port is taken. Change ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL.", error.Message);
    }

    [Theory]
    [InlineData("http://0.0.0.0:5000")]
    [InlineData("https://localhost:5000")]
    [InlineData("localhost")]
    public async Task It_listens_on_this_machine_only(string url)
    {
        await RestartAsync(("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", url));
        await Assert.ThrowsAsync<DistributedApplicationException>(() => _app.Service.StartAsync(None));
    }

    private async Task<GrpcTestClient> ConnectAsync(string? key = TestApp.ApiKey)
    {
        await _app.Service.StartAsync(None);
        return new GrpcTestClient(await _app.Service.GetResourceServiceUriAsync(None), key);
    }

    private async Task RestartAsync(params (string Name, string Value)[] settings)
    {
        await _app.DisposeAsync();
        _app = new TestApp(settings);
    }

    private static async Task<T> FirstAsync<T>(IAsyncEnumerable<T> source)
    {
        await foreach (var item in source)
            return item;
        throw new InvalidOperationException("The call ended without a message.");
    }
}
