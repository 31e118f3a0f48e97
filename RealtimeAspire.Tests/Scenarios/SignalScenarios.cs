using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What is unusual on one of two nodes, and what becomes of it on both. They are beside the topology's own, on its stores.</summary>
[Collection(SharedTopology.Name)]
public sealed class SignalScenarios(Topology topology)
{
    private static readonly (string, string)[] Settings =
    [
        ("Realtime:Signals:CredentialStuffing:Action", "Block"), ("Realtime:Signals:CredentialStuffing:Threshold", "4"), ("Realtime:Signals:CredentialStuffing:Score", "50"),
    ];

    [Fact]
    public async Task Credential_stuffing_at_one_node_is_told_on_both_and_blocked_on_both_until_that_is_lifted()
    {
        var nodes = await Task.WhenAll(ProofNode.StartAsync(topology, Settings), ProofNode.StartAsync(topology, Settings));
        await using var one = nodes[0];
        await using var other = nodes[1];
        using var stuffer = Client(one.Address, $"stuffer/{Guid.NewGuid():n}");
        using var stufferThere = Client(other.Address, stuffer.DefaultRequestHeaders.UserAgent.ToString());
        using var bystander = Client(one.Address, "browser/1");
        using var manager = Client(other.Address, "browser/1", await TokenAsync(bystander, "the-operator", "system:security", "manage"));
        using var subscriber = await RawHub.ConnectAsync(other.Address, await TokenAsync(bystander, "the-watcher", "system:security", "subscribe"));
        await subscriber.InvokeAsync("Subscribe", new { topic = "system:security" });
        using var nobody = await RawHub.ConnectAsync(other.Address, await TokenAsync(bystander, "nobody"));
        Assert.Equal("forbidden", (await Assert.ThrowsAsync<RealtimeException>(() => nobody.InvokeAsync("Subscribe", new { topic = "system:security" }))).Code);

        var codes = new List<string?>();
        for (var i = 0; i < 10 && codes.LastOrDefault() != "blocked"; i++)
        {
            codes.Add(await SignInAsync(stuffer, $"victim-{Guid.NewGuid():n}"));
        }

        var began = TimeProvider.System.GetTimestamp();
        Assert.Equal("blocked", codes[^1]);
        Assert.Equal("sign_in_failed", codes[0]);
        await Eventually.BecomesTrueAsync(async () => await SignInAsync(stufferThere, "victim") == "blocked", "the other node lets it in");
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
            await Eventually.BecomesTrueAsync(async () => await SignInAsync(stufferLater, "victim") == "blocked", "the late node lets it in", TimeSpan.FromSeconds(3));
        }

        using var lifted = await manager.DeleteAsync($"/signals/actions/{id}", Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, lifted.StatusCode);
        foreach (var client in (HttpClient[])[stuffer, stufferThere])
        {
            await Eventually.BecomesTrueAsync(async () => await SignInAsync(client, $"victim-{Guid.NewGuid():n}") == "sign_in_failed", "it is not lifted", TimeSpan.FromSeconds(1));
        }

        await using var database = await topology.OpenDatabaseAsync();
        await using var audit = database.CreateCommand();
        audit.CommandText = $"select count(distinct action) from realtime.audit where details::jsonb ->> 'id' = '{id}' and action in ('signal.raised', 'signal.lifted')";
        await Eventually.BecomesTrueAsync(async () => (long)(await audit.ExecuteScalarAsync(Topology.Cancelled))! == 2, "it is not on record");
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

    private static async Task<string?> SignInAsync(HttpClient client, string user)
    {
        using var answer = await client.PostAsJsonAsync("/auth/token", new { user, password = "a wrong password" }, Topology.Cancelled);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
    }
}
