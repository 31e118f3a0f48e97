using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Tenants;
using RealtimeAspire.Server.Storage;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What operators do to tenants, on two nodes over one database.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class TenantScenarios(TwoNodes nodes) : IClassFixture<TwoNodes>
{
    private const string Topic = "room:a";

    // Each test has tenants of its own.
    private readonly string _tenant = $"t{Guid.NewGuid():n}";

    private static readonly string Room = Uri.EscapeDataString(Topic);

    [Fact]
    public async Task A_suspended_tenant_is_closed_on_every_node_within_a_second_and_nothing_of_it_is_taken_until_that_is_lifted()
    {
        using var admin = nodes.First.Http("default");
        await PublishAsync(nodes.First, _tenant, Topic);
        var hubs = new List<RawHub>();
        foreach (var node in nodes.Both)
        {
            hubs.Add(await node.ConnectAsync(_tenant));
            await hubs[^1].InvokeAsync("Subscribe", new { topic = Topic });
        }

        using var http = nodes.Second.Http(_tenant);
        using var stream = new SseReader(await http.GetAsync($"/topics/stream?topic={Room}", HttpCompletionOption.ResponseHeadersRead, Topology.Cancelled));
        Assert.Equal("subscribed", (await stream.NextAsync()).Name);
        var poll = http.GetAsync($"/topics/events?topic={Room}&wait=50", Topology.Cancelled);
        using var others = await nodes.Second.ConnectAsync($"{_tenant}-other");

        var started = TimeProvider.System.GetTimestamp();
        await PutAsync(admin, _tenant, new { suspended = true, reason = "unpaid" });
        foreach (var hub in hubs)
        {
            var close = (await hub.ReadAsync(7))!.Value;
            Assert.StartsWith("tenant_suspended: ", close.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.False(close.TryGetProperty("allowReconnect", out var allowed) && allowed.GetBoolean());
        }

        var told = await stream.NextAsync();
        Assert.Equal(("control", "tenant_suspended"), (told.Name, told.Json.GetProperty("code").GetString()));
        Assert.Equal("tenant_suspended", await CodeAsync(await poll));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(1));

        foreach (var node in nodes.Both)
        {
            await AssertRefusedAsync(node, "tenant_suspended");
        }

        var sql = await Assert.ThrowsAsync<PostgresException>(() => nodes.Database.ReadAsync<string>("select epoch from realtime.publish($1, 'app:x', '1', tenant => $2)", Topic, _tenant));
        Assert.Equal("RT010", sql.SqlState);
        await others.InvokeAsync("Subscribe", new { topic = Topic });

        await PutAsync(admin, _tenant, new { suspended = false });
        foreach (var node in nodes.Both)
        {
            await Eventually.BecomesTrueAsync(() => node.Services.GetRequiredService<TenantRegistry>().RefusalOf(_tenant) is null, "it is not lifted");
            await PublishAsync(node, _tenant, Topic);
            using var hub = await node.ConnectAsync(_tenant);
            await hub.InvokeAsync("Subscribe", new { topic = Topic });
        }

        hubs.ForEach(hub => hub.Dispose());
    }

    [Fact]
    public async Task A_call_over_a_connection_that_is_yet_to_be_closed_is_refused()
    {
        await using var node = await TenantNode.StartAsync(nodes.Database);
        using var hub = await node.ConnectAsync(_tenant);
        // What would close it.
        await node.Services.GetRequiredService<TenantWatch>().StopAsync(Topology.Cancelled);
        node.Services.GetRequiredService<TenantRegistry>().TryReplace([new Tenant(_tenant, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, null, TenantQuotas.None)]);
        foreach (var (method, argument) in new (string, object)[] { ("Subscribe", new { topic = Topic }), ("Publish", new { topic = Topic, @event = "app:x", payload = 1 }), ("History", new { topic = Topic }), ("Unsubscribe", Topic) })
        {
            var refused = await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync(method, argument));
            Assert.Equal("tenant_suspended", refused.Code);
        }
    }

    [Fact]
    public async Task A_tenant_that_nobody_has_created_is_taken_only_where_the_configuration_says_so()
    {
        await using var closed = await TenantNode.StartAsync(nodes.Database, ("Realtime:Tenants:Open", "false"));
        await AssertRefusedAsync(closed, "tenant_unknown");
        await PublishAsync(nodes.First, _tenant, Topic);
        await PublishAsync(closed, "default", $"room:{_tenant}");

        using var admin = closed.Http("default");
        await PutAsync(admin, _tenant, new { });
        await IsAppliedAsync(closed, tenants => tenants.RefusalOf(_tenant) is null);
        using var hub = await closed.ConnectAsync(_tenant);
        await hub.InvokeAsync("Subscribe", new { topic = Topic });
        using var deleted = await admin.DeleteAsync($"/tenants/{_tenant}", Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);

        Assert.StartsWith("tenant_unknown: ", (await hub.ReadAsync(7))!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quotas_of_payloads_subscriptions_and_topics_hold_for_their_tenant_alone()
    {
        using var admin = nodes.First.Http("default");
        await PutAsync(admin, _tenant, new { quotas = new { payloadBytes = 10, subscriptionsPerConnection = 1, topics = 1 } });
        foreach (var node in nodes.Both)
        {
            await IsAppliedAsync(node, tenants => tenants.Of(_tenant) is { Topics: 1, PayloadBytes: 10 });
        }

        await PublishAsync(nodes.First, _tenant, Topic);
        Assert.Equal("payload_too_large", await CodeAsync(await SendAsync(nodes.First, _tenant, Topic, "longer than ten")));
        using var hub = await nodes.Second.ConnectAsync(_tenant);
        await hub.InvokeAsync("Subscribe", new { topic = Topic });
        Assert.Equal("too_many_subscriptions", (await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync("Subscribe", new { topic = "room:b" }))).Code);
        foreach (var node in nodes.Both)
        {
            Assert.Equal("quota_exceeded", await CodeAsync(await SendAsync(node, _tenant, "room:b", 1)));
            await PublishAsync(node, _tenant, Topic);
            await PublishAsync(node, $"{_tenant}-other", $"room:{Guid.NewGuid():n}", "longer than ten");
        }

        var sql = await Assert.ThrowsAsync<PostgresException>(() => nodes.Database.ReadAsync<string>("select epoch from realtime.publish('room:b', 'app:x', '1', tenant => $1)", _tenant));
        Assert.Equal("RT011", sql.SqlState);

        await PutAsync(admin, _tenant, new { quotas = new { topics = 2 } });
        await Eventually.BecomesTrueAsync(async () => (await SendAsync(nodes.Second, _tenant, "room:b", 1)).IsSuccessStatusCode, "the raised quota does not count");
    }

    [Fact]
    public async Task Two_nodes_that_make_topics_at_once_make_as_many_as_there_may_be()
    {
        using var admin = nodes.First.Http("default");
        await PutAsync(admin, _tenant, new { quotas = new { topics = 5 } });

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => SendAsync(nodes.Both[i % 2], _tenant, $"room:{i}", i)));

        Assert.Equal(5, answers.Count(answer => answer.StatusCode == HttpStatusCode.Created));
        Assert.Equal(35, answers.Count(answer => answer.StatusCode == HttpStatusCode.Forbidden));
        Assert.Equal(5, await nodes.Database.ReadAsync<long>("select count(*) from realtime.topics where tenant = $1", _tenant));
    }

    [Fact]
    public async Task What_is_past_a_tenant_s_retention_is_not_read_and_the_sweep_frees_it()
    {
        using var admin = nodes.First.Http("default");
        foreach (var tenant in new[] { _tenant, $"{_tenant}-other" })
        {
            for (var i = 0; i < 4; i++)
            {
                await PublishAsync(nodes.First, tenant, Topic);
            }
        }

        await nodes.Database.ExecuteAsync("select realtime.create_events_partition(0, (now() at time zone 'utc')::date - 5)");
        await nodes.Database.ExecuteAsync("""update realtime.events set created_at = created_at - interval '5 days' where "offset" <= 3 and tenant like $1""", $"{_tenant}%");
        await PutAsync(admin, _tenant, new { quotas = new { retentionDays = 2 } });
        await IsAppliedAsync(nodes.First, tenants => tenants.Of(_tenant).RetentionDays == 2);

        Assert.Equal([4L], await OffsetsAsync(nodes.First, _tenant));
        Assert.Equal([1L, 2, 3, 4], await OffsetsAsync(nodes.First, $"{_tenant}-other"));
        await PublishAsync(nodes.First, _tenant, Topic);
        Assert.StartsWith("realtime.events_2_", await nodes.Database.ReadAsync<string>("""select tableoid::regclass::text from realtime.events where tenant = $1 and "offset" = 5""", _tenant), StringComparison.Ordinal);

        await new RetentionSweep(nodes.Database.DataSource, new PartitionCompaction(TimeProvider.System, NullLogger<PartitionCompaction>.Instance), NullLogger<RetentionSweep>.Instance).RunAsync(Topology.Cancelled);

        Assert.Equal(4L, await nodes.Database.ReadAsync<long>("select floor from realtime.topics where tenant = $1", _tenant));
        Assert.Equal(0L, await nodes.Database.ReadAsync<long>("""select count(*) from realtime.events where tenant = $1 and "offset" <= 3""", _tenant));
        Assert.Equal([1L, 2, 3, 4], await OffsetsAsync(nodes.First, $"{_tenant}-other"));
    }

    [Fact]
    public async Task An_export_is_every_event_of_the_tenant_in_order_and_goes_on_behind_any_line()
    {
        foreach (var topic in new[] { "room:b", "room:a", "room:c" })
        {
            for (var i = 0; i < 3; i++)
            {
                await PublishAsync(nodes.First, _tenant, topic, $"{topic} {i}");
                await PublishAsync(nodes.First, $"{_tenant}-other", topic, "another's");
            }
        }

        var whole = await ExportAsync(null);

        Assert.Equal(["room:a/1", "room:a/2", "room:a/3", "room:b/1", "room:b/2", "room:b/3", "room:c/1", "room:c/2", "room:c/3"], whole.Select(line => $"{line.Topic}/{line.Offset}"));
        Assert.DoesNotContain(whole, line => line.Data.Payload.GetString() == "another's");
        for (var i = 0; i < whole.Count; i++)
        {
            Assert.Equal(whole.Skip(i + 1).Select(line => line.Id), (await ExportAsync($"{whole[i].Topic}/{whole[i].Epoch}:{whole[i].Offset}")).Select(line => line.Id));
        }

        Assert.Equal(6, (await ExportAsync("room:b/another:2")).Count);
        using var admin = nodes.First.Http("default");
        Assert.Equal("request_invalid", await CodeAsync(await admin.GetAsync($"/tenants/{_tenant}/export?after=nonsense", Topology.Cancelled)));
    }

    [Fact]
    public async Task Who_administers_is_told_what_is_wrong_and_cannot_shut_himself_out()
    {
        using var admin = nodes.First.Http("default");
        var put = await PutAsync(admin, _tenant, new { suspended = true, reason = "unpaid", quotas = new { topics = 3 } });
        Assert.Equal(("unpaid", 3), (put.GetProperty("reason").GetString(), put.GetProperty("quotas").GetProperty("topics").GetInt32()));
        var got = await admin.GetFromJsonAsync<JsonElement>($"/tenants/{_tenant}", Topology.Cancelled);
        Assert.Equal(put.GetRawText(), got.GetRawText());
        Assert.Contains(_tenant, (await admin.GetFromJsonAsync<JsonElement>("/tenants", Topology.Cancelled)).GetProperty("tenants").EnumerateArray().Select(tenant => tenant.GetProperty("tenant").GetString()));

        foreach (var wrong in new object[] { new { suspended = true, reason = "" }, new { reason = "unpaid" }, new { quotas = new { retentionDays = 0 } }, new { quotas = new { topics = -1 } } })
        {
            using var refused = await admin.PutAsJsonAsync($"/tenants/{_tenant}", wrong, Topology.Cancelled);
            Assert.Equal("request_invalid", await CodeAsync(refused));
        }

        using var own = await admin.PutAsJsonAsync("/tenants/default", new { suspended = true }, Topology.Cancelled);
        Assert.Equal("request_invalid", await CodeAsync(own));
        Assert.Equal("request_invalid", await CodeAsync(await admin.DeleteAsync("/tenants/default", Topology.Cancelled)));
        Assert.Equal("request_invalid", await CodeAsync(await admin.GetAsync("/tenants/no%20tenant", Topology.Cancelled)));
        Assert.Equal("not_found", await CodeAsync(await admin.GetAsync($"/tenants/{_tenant}-other", Topology.Cancelled)));
        Assert.Equal(got.GetRawText(), (await admin.GetFromJsonAsync<JsonElement>($"/tenants/{_tenant}", Topology.Cancelled)).GetRawText());
    }

    [Fact]
    public async Task Two_tenants_with_a_topic_of_the_same_name_have_two_topics()
    {
        using var mine = await nodes.First.ConnectAsync(_tenant);
        await mine.InvokeAsync("Subscribe", new { topic = Topic });
        for (var i = 0; i < 3; i++)
        {
            await PublishAsync(nodes.First, $"{_tenant}-other", Topic, "another's");
        }

        await PublishAsync(nodes.Second, _tenant, Topic, "mine");

        var only = Assert.Single(await mine.EventsAsync(1));
        Assert.Equal((1L, "mine"), (only.Offset, only.Data.Payload.GetString()));
        Assert.Equal([1L], await OffsetsAsync(nodes.First, _tenant));
        Assert.Equal([1L, 2, 3], await OffsetsAsync(nodes.Second, $"{_tenant}-other"));
    }

    private async Task AssertRefusedAsync(TenantNode node, string code)
    {
        using var http = node.Http(_tenant);
        var publish = JsonContent.Create(new { @event = "app:x", payload = 1 });
        (HttpMethod, string, HttpContent?)[] requests =
        [
            (HttpMethod.Get, $"/topics/{Room}/events", null), (HttpMethod.Post, $"/topics/{Room}/events", publish),
            (HttpMethod.Get, $"/topics/events?topic={Room}", null), (HttpMethod.Post, "/topics/poll", JsonContent.Create(new[] { new { topic = Topic } })),
            (HttpMethod.Get, $"/topics/stream?topic={Room}", null), (HttpMethod.Get, "/rooms", null), (HttpMethod.Get, "/tenants", null), (HttpMethod.Get, "/realtime", null),
        ];
        foreach (var (method, path, content) in requests)
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            using var answer = await http.SendAsync(request, Topology.Cancelled);
            Assert.Equal((path, HttpStatusCode.Forbidden, code), (path, answer.StatusCode, await CodeAsync(answer)));
        }

        await Assert.ThrowsAsync<WebSocketException>(() => node.ConnectAsync(_tenant));
        var inProcess = await Assert.ThrowsAsync<RealtimeException>(() => node.Services.GetRequiredService<ITopicPublisher>()
            .PublishAsync(Topic, new PublishRequest { Event = "app:x", Payload = JsonSerializer.SerializeToElement(1) }, _tenant));
        Assert.Equal(code, inProcess.Code);
    }

    private async Task<List<TopicEvent>> ExportAsync(string? after)
    {
        using var admin = nodes.Second.Http("default");
        var text = await admin.GetStringAsync($"/tenants/{_tenant}/export{(after is null ? "" : $"?after={Uri.EscapeDataString(after)}")}", Topology.Cancelled);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize(line, RealtimeJson.Default.TopicEvent)!)];
    }

    private static async Task<JsonElement> PutAsync(HttpClient admin, string tenant, object request)
    {
        using var answer = await admin.PutAsJsonAsync($"/tenants/{tenant}", request, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
    }

    private static Task IsAppliedAsync(TenantNode node, Func<TenantRegistry, bool> condition) => Eventually.BecomesTrueAsync(
        () => condition(node.Services.GetRequiredService<TenantRegistry>()), "the node does not know of the change");

    private static async Task<HttpResponseMessage> SendAsync(TenantNode node, string tenant, string topic, object payload)
    {
        using var http = node.Http(tenant);
        return await http.PostAsJsonAsync($"/topics/{Uri.EscapeDataString(topic)}/events", new { @event = "app:x", payload }, Topology.Cancelled);
    }

    private static async Task PublishAsync(TenantNode node, string tenant, string topic, object? payload = null)
    {
        using var answer = await SendAsync(node, tenant, topic, payload ?? 1);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private static async Task<IEnumerable<long>> OffsetsAsync(TenantNode node, string tenant)
    {
        using var http = node.Http(tenant);
        var page = await http.GetFromJsonAsync<JsonElement>($"/topics/{Room}/events", Topology.Cancelled);
        return page.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("offset").GetInt64());
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
}
