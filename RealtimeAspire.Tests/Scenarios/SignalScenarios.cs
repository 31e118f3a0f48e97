using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signals;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What is unusual on one of two nodes, and what becomes of it on both. They are beside the topology's own, on its stores.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class SignalScenarios(Topology topology)
{
    private static readonly (string, string)[] Settings =
    [
        ("Realtime:Signals:CredentialStuffing:Action", "Block"), ("Realtime:Signals:CredentialStuffing:Threshold", "4"), ("Realtime:Signals:CredentialStuffing:Score", "50"),
    ];

    [Fact]
    public async Task Credential_stuffing_at_one_node_is_told_on_both_and_blocked_on_both_until_that_is_lifted()
    {
        await using var one = await ProofNode.StartAsync(topology, Settings);
        await using var other = await ProofNode.StartAsync(topology, Settings);
        using var stuffer = Client(one.Address, $"stuffer/{Guid.NewGuid():n}");
        using var stufferThere = Client(other.Address, stuffer.DefaultRequestHeaders.UserAgent.ToString());
        using var bystander = Client(one.Address, "browser/1");
        using var manager = Client(other.Address, "browser/1", await TokenAsync(bystander, "the-operator", "system:security", "manage"));
        using var subscriber = await RawHub.ConnectAsync(other.Address, await TokenAsync(bystander, "the-watcher", "system:security", "subscribe"));
        await subscriber.InvokeAsync("Subscribe", new { topic = "system:security" });
        using var nobody = await RawHub.ConnectAsync(other.Address, await TokenAsync(bystander, "nobody"));
        Assert.Equal("forbidden", (await Assert.ThrowsAsync<RealtimeException>(() => nobody.InvokeAsync("Subscribe", new { topic = "system:security" }))).Code);

        // So that what is timed below is no first request.
        Assert.Equal("token_required", await LookAsync(stufferThere));
        var codes = new List<string?>();
        for (var i = 0; i < 10 && codes.LastOrDefault() != "blocked"; i++)
        {
            codes.Add(await SignInAsync(stuffer, $"victim-{Guid.NewGuid():n}"));
        }

        var began = TimeProvider.System.GetTimestamp();
        Assert.Equal("blocked", codes[^1]);
        Assert.Equal("sign_in_failed", codes[0]);
        await Eventually.BecomesTrueAsync(async () => await LookAsync(stufferThere) == "blocked", "the other node lets it in");
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal("sign_in_failed", await SignInAsync(bystander, $"somebody-{Guid.NewGuid():n}"));

        var told = (await subscriber.EventsAsync(1))[0];
        Assert.Equal(("security:signal", "credential_stuffing"), (told.Event, told.Data.Payload.GetProperty("kind").GetString()));
        Assert.Equal(("block", (string?)null), (told.Data.Payload.GetProperty("action").GetString(), told.Data.UserId));

        // The node that is asked has it from the other.
        var actions = await manager.GetFromJsonAsync<JsonElement>("/signals/actions", Topology.Cancelled);
        var id = told.Data.Payload.GetProperty("id").GetString();
        Assert.Contains(id, actions.GetProperty("actions").EnumerateArray().Select(action => action.GetProperty("id").GetString()));
        var signals = await manager.GetFromJsonAsync<JsonElement>("/signals", Topology.Cancelled);
        Assert.Contains(id, signals.GetProperty("signals").EnumerateArray().Select(signal => signal.GetProperty("id").GetString()));

        // One that comes later knows of it too.
        await using (var late = await ProofNode.StartAsync(topology, Settings))
        {
            using var stufferLater = Client(late.Address, stuffer.DefaultRequestHeaders.UserAgent.ToString());
            await Eventually.BecomesTrueAsync(async () => await LookAsync(stufferLater) == "blocked", "the late node lets it in");
        }

        using var lifted = await manager.DeleteAsync($"/signals/actions/{id}", Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, lifted.StatusCode);
        foreach (var client in (HttpClient[])[stuffer, stufferThere])
        {
            await Eventually.BecomesTrueAsync(async () => await LookAsync(client) == "token_required", "it is not lifted");
            Assert.Equal("sign_in_failed", await SignInAsync(client, $"victim-{Guid.NewGuid():n}"));
        }

        await using var database = await topology.OpenDatabaseAsync();
        await using var audit = database.CreateCommand();
        audit.CommandText = $"select count(distinct action) from realtime.audit where details::jsonb ->> 'id' = '{id}' and action in ('signal.raised', 'signal.lifted')";
        await Eventually.BecomesTrueAsync(async () => (long)(await audit.ExecuteScalarAsync(Topology.Cancelled))! == 2, "it is not on record");
    }

    [Fact]
    public async Task Without_Redis_nodes_tell_each_other_by_Postgres_and_take_nobody_else_s_word()
    {
        await using var database = await PostgresDatabase.CreateAsync(topology);
        (string, string)[] settings = [("Realtime:Signals:SubscribeScan:Action", "Block"), ("Realtime:Signals:SubscribeScan:Threshold", "4"), ("Realtime:Signals:SubscribeScan:Score", "50")];
        await using var one = await TenantNode.StartAsync(database, settings);
        await using var other = await TenantNode.StartAsync(database, settings);
        var acme = $"t{Guid.NewGuid():n}";
        using var there = await other.ConnectAsync(acme);
        using var elsewhere = await other.ConnectAsync($"{acme}-other");
        var told = 0;
        other.Services.GetRequiredService<PostgresListener>().SignalsTold += _ => Interlocked.Increment(ref told);
        var forged = $$$"""{"node":"x","action":{"id":"1","kind":2,"effect":3,"subject":{"kind":2,"tenant":"{{{acme}}}","id":"ada"},"score":99,"explanation":"","since":"2026-01-01T00:00:00.000Z","until":"2099-01-01T00:00:00.000Z","node":"x"}}""";
        await database.ExecuteAsync("select pg_notify('realtime_signals', $1), pg_notify('realtime_signals', $2)", forged, new string('A', 43) + forged);
        await Eventually.BecomesTrueAsync(() => Volatile.Read(ref told) == 2, "it does not listen");
        await there.InvokeAsync("Subscribe", new { topic = "room:a" });
        Assert.True(other.Services.GetRequiredService<SignalActions>().IsEmpty);

        using var scanner = await one.ConnectAsync(acme);
        for (var i = 0; i < 6; i++)
        {
            await scanner.SendAsync("Subscribe", new { topic = $"nothing:{i}" });
        }

        var began = TimeProvider.System.GetTimestamp();
        foreach (var hub in (RawHub[])[scanner, there])
        {
            Assert.StartsWith("blocked: ", (await hub.ReadAsync(7))!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        await elsewhere.InvokeAsync("Subscribe", new { topic = "room:a" });
    }

    private static HttpClient Client(Uri node, string agent, string? token = null)
    {
        var client = new HttpClient { BaseAddress = node, DefaultRequestHeaders = { { "User-Agent", agent } } };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    private static async Task<string> TokenAsync(HttpClient client, string user, string? topic = null, string? operation = null)
    {
        using var answer = await client.PostAsJsonAsync("/auth/token", topic is null ? new { user } : (object)new { user, grants = new[] { new { topic, operations = new[] { operation } } } }, Topology.Cancelled);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString()!;
    }

    private static async Task<string?> LookAsync(HttpClient client)
    {
        using var answer = await client.GetAsync("/topics/room:a/events", Topology.Cancelled);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
    }

    private static async Task<string?> SignInAsync(HttpClient client, string user)
    {
        using var answer = await client.PostAsJsonAsync("/auth/token", new { user, password = "a wrong password" }, Topology.Cancelled);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
    }
}
