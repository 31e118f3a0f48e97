using System.Diagnostics;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace RealtimeAspire.Tests.Scenarios;

[Collection(SharedTopology.Name)]
public sealed class OperationScenarios(Topology topology)
{
    [Fact]
    public async Task Everything_is_running_and_healthy()
    {
        var states = topology.States();
        Assert.Equal(["api", "api", "postgres", "realtime", "redis", "web"], states.Select(s => s.Resource.Name).Order(StringComparer.Ordinal));

        // One healthy replica is enough for a resource to count as healthy; here all have to be.
        await topology.BecomesHealthyAsync();
    }

    [Fact]
    public async Task A_killed_node_comes_back_and_serves_again()
    {
        var victim = topology.Nodes()[0];
        var pid = topology.ProcessId(victim.ResourceId);
        using (var process = Process.GetProcessById(pid))
            process.Kill();

        await Eventually.BecomesTrueAsync(
            () => topology.States().Any(s => s.ResourceId == victim.ResourceId && s.Snapshot.State?.Text == KnownResourceStates.Running) && topology.ProcessId(victim.ResourceId) != pid,
            $"{victim.ResourceId} has not been started again");
        // Its address may be told later than that it runs.
        await Eventually.BecomesTrueAsync(() => IsReadyAsync(Reborn()), $"{victim.ResourceId} is not ready again");

        await using var client = await topology.ConnectAsync("ada", Reborn().Address);
        var reply = await client.PublishAsync($"room:{Guid.NewGuid():n}", "chat:message", new { text = "back" }, cancellationToken: Topology.Cancelled);
        Assert.Equal(1, reply.Position!.Value.Offset);

        Node Reborn() => topology.Nodes().Single(node => node.ResourceId == victim.ResourceId);
    }

    [Fact]
    public async Task A_node_that_was_stopped_by_command_stays_stopped_until_it_is_started()
    {
        var node = topology.Nodes()[1];
        var stopped = await topology.App.ResourceCommands.ExecuteCommandAsync(node.ResourceId, KnownResourceCommands.StopCommand, Topology.Cancelled);
        Assert.True(stopped.Success);
        Assert.Equal(KnownResourceStates.Finished, StateOf(node));

        // The other one goes on behind the same address.
        using var http = await topology.HttpAsync("ada");
        using var rooms = await http.GetAsync("/rooms", Topology.Cancelled);
        Assert.True(rooms.IsSuccessStatusCode);
        Assert.Equal(KnownResourceStates.Finished, StateOf(node));

        var started = await topology.App.ResourceCommands.ExecuteCommandAsync(node.ResourceId, KnownResourceCommands.StartCommand, Topology.Cancelled);
        Assert.True(started.Success);
        await Eventually.BecomesTrueAsync(async () => StateOf(node) == KnownResourceStates.Running && await IsReadyAsync(topology.Nodes().Single(n => n.ResourceId == node.ResourceId)), $"{node.ResourceId} is not back");
    }

    [Fact]
    public async Task The_stores_refuse_who_has_no_password()
    {
        var redis = (await ((IResourceWithConnectionString)Resource("redis")).GetConnectionStringAsync(Topology.Cancelled))!.Split(',')[0];
        using var connection = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(redis + ",abortConnect=false,connectTimeout=2000");
        await Assert.ThrowsAnyAsync<StackExchange.Redis.RedisException>(() => connection.GetDatabase().PingAsync());

        var settings = new Npgsql.NpgsqlConnectionStringBuilder(await ((IResourceWithConnectionString)Resource("realtime")).GetConnectionStringAsync(Topology.Cancelled)) { Password = "wrong" };
        await using var database = new Npgsql.NpgsqlConnection(settings.ConnectionString);
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => database.OpenAsync(Topology.Cancelled));
        Assert.Equal("28P01", refused.SqlState);
    }

    [Fact]
    public async Task One_trace_in_the_dashboard_spans_the_publish_Redis_and_the_delivery_on_the_other_node()
    {
        var topic = $"room:{Guid.NewGuid():n}";
        var nodes = topology.Nodes();
        await using var reader = await topology.ConnectAsync("grace", nodes[1].Address);
        await using var subscription = await reader.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);
        using var publisher = await topology.HttpAsync("ada", nodes[0].Address);
        using var response = await publisher.PostAsync($"/topics/{Uri.EscapeDataString(topic)}/events", System.Net.Http.Json.JsonContent.Create(new { @event = "chat:message", payload = new { text = "traced" } }), Topology.Cancelled);
        Assert.True(response.IsSuccessStatusCode);
        await using var events = subscription.GetAsyncEnumerator(Topology.Cancelled);
        Assert.True(await events.MoveNextAsync());
        var traceId = events.Current.TraceId!.Split('-')[1];

        IReadOnlyList<Span> spans = [];
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                spans = await SpansAsync(traceId);
                // Each comes when it has ended and its batch is exported, in no order.
                return spans.Any(s => s.Name.StartsWith("POST", StringComparison.Ordinal)) && spans.Any(s => s.Name.StartsWith("deliver", StringComparison.Ordinal))
                    && spans.Any(s => Database(s) == "redis") && spans.Any(s => Database(s) == "postgresql");
            },
            "the dashboard has no trace from the request over the stores to the delivery");

        var published = spans.First(s => s.Name.StartsWith("POST", StringComparison.Ordinal)).Process;
        var delivered = spans.First(s => s.Name.StartsWith("deliver", StringComparison.Ordinal)).Process;
        Assert.EndsWith(published, nodes[0].ResourceId, StringComparison.Ordinal);
        Assert.EndsWith(delivered, nodes[1].ResourceId, StringComparison.Ordinal);
        Assert.Contains(spans, s => Database(s) == "redis" && s.Process == published);
        Assert.Contains(spans, s => Database(s) == "postgresql" && s.Process == published);

        static string? Database(Span span) => span.Attributes.GetValueOrDefault("db.system.name") ?? span.Attributes.GetValueOrDefault("db.system");
    }

    [Fact]
    public async Task Logs_and_telemetry_of_api_and_web_reach_the_dashboard()
    {
        using var dashboard = Dashboard();
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                var resources = await dashboard.GetStringAsync("/api/telemetry/resources", Topology.Cancelled);
                var logs = await dashboard.GetStringAsync("/api/telemetry/logs?limit=200", Topology.Cancelled);
                return resources.Contains("\"api\"", StringComparison.Ordinal) && resources.Contains("\"web\"", StringComparison.Ordinal) && logs.Contains("\"api\"", StringComparison.Ordinal);
            },
            "the dashboard has not heard of api and web");
    }

    [Fact]
    public async Task The_dashboard_tells_nothing_without_its_keys()
    {
        using var anonymous = new HttpClient { BaseAddress = topology.Dashboard };
        using var telemetry = await anonymous.GetAsync("/api/telemetry/resources", Topology.Cancelled);
        Assert.Equal(401, (int)telemetry.StatusCode);
        using var page = await anonymous.GetAsync("/", Topology.Cancelled);
        Assert.EndsWith("/login", page.RequestMessage!.RequestUri!.AbsolutePath, StringComparison.Ordinal);

        using var otlp = new HttpClient { BaseAddress = new Uri(topology.Setting("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL")) };
        using var export = new HttpRequestMessage(HttpMethod.Post, "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        {
            Version = System.Net.HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new("application/grpc") } },
        };
        using var refused = await otlp.SendAsync(export, Topology.Cancelled);
        Assert.True((int)refused.StatusCode == 401 || refused.TrailingHeaders.Concat(refused.Headers).Any(h => h.Key == "grpc-status" && h.Value.Contains("16")), refused.ToString());
    }

    private IResource Resource(string name) => topology.States().First(s => s.Resource.Name == name).Resource;

    private string? StateOf(Node node) => topology.States().Single(s => s.ResourceId == node.ResourceId).Snapshot.State?.Text;

    private static async Task<bool> IsReadyAsync(Node node)
    {
        try
        {
            using var http = new HttpClient { BaseAddress = node.Address };
            using var answer = await http.GetAsync("/health", Topology.Cancelled);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private HttpClient Dashboard() => new()
    {
        BaseAddress = topology.Dashboard,
        DefaultRequestHeaders = { { "x-api-key", topology.Setting("AppHost:DashboardApiKey") } },
    };

    private sealed record Span(string Name, string Process, IReadOnlyDictionary<string, string> Attributes);

    /// <summary>The spans of a trace as the dashboard has received them (OTLP's JSON form).</summary>
    private async Task<IReadOnlyList<Span>> SpansAsync(string traceId)
    {
        using var dashboard = Dashboard();
        using var answer = await dashboard.GetAsync($"/api/telemetry/spans?traceId={traceId}", Topology.Cancelled);
        if (!answer.IsSuccessStatusCode)
            return [];
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Topology.Cancelled));
        return
        [
            .. from resource in json.RootElement.GetProperty("data").GetProperty("resourceSpans").EnumerateArray()
               let process = Attributes(resource.GetProperty("resource")).GetValueOrDefault("service.instance.id", "")
               from scope in resource.GetProperty("scopeSpans").EnumerateArray()
               from span in scope.GetProperty("spans").EnumerateArray()
               select new Span(span.GetProperty("name").GetString()!, process, Attributes(span)),
        ];
    }

    private static Dictionary<string, string> Attributes(JsonElement owner) => !owner.TryGetProperty("attributes", out var attributes) ? [] :
        attributes.EnumerateArray().Where(a => a.GetProperty("value").TryGetProperty("stringValue", out _))
            .ToDictionary(a => a.GetProperty("key").GetString()!, a => a.GetProperty("value").GetProperty("stringValue").GetString()!, StringComparer.Ordinal);
}
