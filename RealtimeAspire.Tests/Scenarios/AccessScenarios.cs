using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Who may do what, over two nodes and the real Postgres: each change counts on both within a second.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class AccessScenarios(Topology topology)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly string _topic = $"room:{Guid.NewGuid():N}";

    [Fact]
    public async Task A_private_room_is_its_members_alone_on_every_transport_and_node()
    {
        var nodes = topology.Nodes();
        using var owner = await topology.HttpAsync("ada", nodes[0].Address);
        Assert.Equal(HttpStatusCode.Created, (await owner.PutAsJsonAsync($"/topics/{_topic}/privacy", new { }, Topology.Cancelled)).StatusCode);
        await PutMemberAsync(owner, "bob", "member");
        await PutMemberAsync(owner, "rea", "reader");
        await KnowsAsync(nodes[1], "eve", "forbidden");
        await KnowsAsync(nodes[1], "bob", "ok");
        await KnowsAsync(nodes[1], "rea", "ok");

        using var bob = await ConnectAsync(nodes[1], "bob");
        using var rea = await ConnectAsync(nodes[1], "rea");
        using var eve = await ConnectAsync(nodes[1], "eve");
        await bob.InvokeAsync("Subscribe", new { topic = _topic });
        await rea.InvokeAsync("Subscribe", new { topic = _topic });
        await bob.InvokeAsync("Publish", new { topic = _topic, @event = "app:x", payload = "among us" });

        Assert.Equal("bob", (await rea.EventsAsync(1))[0].Data.UserId);
        Assert.Equal("forbidden", await CodeAsync(() => rea.InvokeAsync("Publish", new { topic = _topic, @event = "app:x", payload = 1 })));
        foreach (var (method, argument) in new (string, object)[]
        {
            ("Subscribe", new { topic = _topic }), ("History", new { topic = _topic }), ("Publish", new { topic = _topic, @event = "app:x", payload = 1 }),
            ("Call", new { topic = _topic, method = "add" }), ("Handle", new { topic = _topic, method = "add" }),
        })
        {
            Assert.Equal((method, "forbidden"), (method, await CodeAsync(() => eve.InvokeAsync(method, argument))));
        }

        using var stranger = await topology.HttpAsync("eve", nodes[0].Address);
        foreach (var path in new[] { $"/topics/{_topic}/events", $"/topics/events?topic={_topic}", $"/topics/stream?topic={_topic}", $"/topics/{_topic}/members" })
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, (await stranger.GetAsync(path, Topology.Cancelled)).StatusCode));
        Assert.Equal(HttpStatusCode.Forbidden, (await stranger.PutAsJsonAsync($"/topics/{_topic}/members/eve", new { role = "owner" }, Topology.Cancelled)).StatusCode);
    }

    [Fact]
    public async Task Who_is_sent_away_hears_nothing_more_on_either_node_within_a_second_and_may_not_come_back()
    {
        var nodes = topology.Nodes();
        using var owner = await topology.HttpAsync("ada", nodes[0].Address);
        await owner.PutAsJsonAsync($"/topics/{_topic}/privacy", new { }, Topology.Cancelled);
        await PutMemberAsync(owner, "bob", "member");
        await KnowsAsync(nodes[1], "eve", "forbidden");
        using var here = await ConnectAsync(nodes[0], "bob");
        using var there = await ConnectAsync(nodes[1], "bob");
        await here.InvokeAsync("Subscribe", new { topic = _topic });
        await there.InvokeAsync("Subscribe", new { topic = _topic });

        var started = TimeProvider.System.GetTimestamp();
        (await owner.DeleteAsync($"/topics/{_topic}/members/bob", Topology.Cancelled)).EnsureSuccessStatusCode();
        var told = await Task.WhenAll(here.ControlAsync(Control.Unsubscribed), there.ControlAsync(Control.Unsubscribed));
        var took = TimeProvider.System.GetElapsedTime(started);

        Assert.All(told, control => Assert.Equal((_topic, "forbidden"), (control.Topic, control.Code)));
        Assert.True(took < Second, $"It took {took.TotalMilliseconds} ms.");
        await owner.PostAsJsonAsync($"/topics/{_topic}/events", new { @event = "app:x", payload = "without him" }, Topology.Cancelled);
        Assert.Equal("forbidden", await CodeAsync(() => there.InvokeAsync("Subscribe", new { topic = _topic })));
        Assert.Empty(there.Events);
    }

    [Fact]
    public async Task Who_is_banned_from_an_open_room_has_nothing_of_it_until_that_is_over()
    {
        var nodes = topology.Nodes();
        using var manager = Http(nodes[0], await TokenAsync("ada", new { topic = _topic, operations = new[] { "manage" } }));
        using var bob = await ConnectAsync(nodes[1], "bob");
        await bob.InvokeAsync("Subscribe", new { topic = _topic });

        await PutMemberAsync(manager, "bob", "banned");
        await bob.ControlAsync(Control.Unsubscribed);

        Assert.Equal("forbidden", await CodeAsync(() => bob.InvokeAsync("Publish", new { topic = _topic, @event = "app:x", payload = 1 })));
        using var himself = await topology.HttpAsync("bob", nodes[0].Address);
        Assert.Equal(HttpStatusCode.Forbidden, (await himself.DeleteAsync($"/topics/{_topic}/members/bob", Topology.Cancelled)).StatusCode);
        (await manager.DeleteAsync($"/topics/{_topic}/members/bob", Topology.Cancelled)).EnsureSuccessStatusCode();
        await Eventually.BecomesTrueAsync(async () => await CodeAsync(() => bob.InvokeAsync("Subscribe", new { topic = _topic })) == "ok", "he may not come back");
    }

    [Fact]
    public async Task Of_a_room_that_is_made_private_only_its_members_hear_more_on_either_node_within_a_second()
    {
        var nodes = topology.Nodes();
        var other = $"{_topic}-other";
        using var manager = Http(nodes[0], await TokenAsync("ada", new { topic = _topic, operations = new[] { "manage", "publish" } }));
        await PutMemberAsync(manager, "bob", "member");
        using var bob = await ConnectAsync(nodes[1], "bob");
        using var here = await ConnectAsync(nodes[0], "eve");
        using var there = await ConnectAsync(nodes[1], "eve");
        foreach (var hub in new[] { bob, here, there })
        {
            await hub.InvokeAsync("Subscribe", new { topic = _topic });
            await hub.InvokeAsync("Subscribe", new { topic = other });
        }

        await there.InvokeAsync("Handle", new { topic = _topic, method = "add" });
        var started = TimeProvider.System.GetTimestamp();
        (await manager.PutAsJsonAsync($"/topics/{_topic}/privacy", new { }, Topology.Cancelled)).EnsureSuccessStatusCode();
        var told = await Task.WhenAll(here.ControlAsync(Control.Unsubscribed), there.ControlAsync(Control.Unsubscribed));
        var took = TimeProvider.System.GetElapsedTime(started);

        Assert.All(told, control => Assert.Equal((_topic, "forbidden"), (control.Topic, control.Code)));
        Assert.True(took < Second, $"It took {took.TotalMilliseconds} ms.");
        await PublishAsync(manager, 1);
        await bob.InvokeAsync("Publish", new { topic = other, @event = "app:x", payload = 2 });
        // Of two topics either may be first.
        Assert.Equal([_topic, other], (await bob.EventsAsync(2)).Select(one => one.Topic).Order(StringComparer.Ordinal));
        Assert.Equal(other, (await here.EventsAsync(1))[0].Topic);
        Assert.Equal(other, (await there.EventsAsync(1))[0].Topic);
        // Nobody who may not read it answers there.
        Assert.Equal("no_handler", await CodeAsync(() => bob.InvokeAsync("Call", new { topic = _topic, method = "add" })));
    }

    /// <summary>The open topic goes on meanwhile, for everybody.</summary>
    [Fact]
    public async Task A_ban_that_could_not_be_read_at_the_door_ends_what_was_had_meanwhile()
    {
        var node = topology.Nodes()[1];
        var user = $"user-{Guid.NewGuid():N}";
        using var manager = Http(topology.Nodes()[0], await TokenAsync("ada", new { topic = _topic, operations = new[] { "manage" } }));
        await PutMemberAsync(manager, user, "banned");
        var token = await topology.TokenAsync(user, node.Address);

        await using var database = await topology.OpenDatabaseAsync();
        await using var unreadable = await LockMembersAsync(database);
        using var hub = await RawHub.ConnectAsync(node.Address, token);
        await hub.InvokeAsync("Subscribe", new { topic = _topic });
        await unreadable.RollbackAsync(Topology.Cancelled);
        using var himself = Http(node, token);
        await Eventually.BecomesTrueAsync(
            async () => (await himself.GetAsync($"/topics/{_topic}/events", Topology.Cancelled)).StatusCode == HttpStatusCode.Forbidden, "the ban does not count");

        var ended = await hub.ControlAsync(Control.Unsubscribed);
        Assert.Equal((_topic, "forbidden"), (ended.Topic, ended.Code));
    }

    [Fact]
    public async Task A_member_sees_from_when_he_joined_unless_the_room_says_otherwise()
    {
        var nodes = topology.Nodes();
        using var owner = await topology.HttpAsync("ada", nodes[0].Address);
        await owner.PutAsJsonAsync($"/topics/{_topic}/privacy", new { }, Topology.Cancelled);
        await PublishAsync(owner, 1, 2, 3);
        await PutMemberAsync(owner, "bob", "member");
        await PublishAsync(owner, 4, 5);
        await KnowsAsync(nodes[1], "eve", "forbidden");
        await KnowsAsync(nodes[1], "bob", "ok");
        using var bob = await ConnectAsync(nodes[1], "bob");

        var history = await bob.InvokeAsync<HistoryReply>("History", new { topic = _topic });
        var back = await bob.InvokeAsync<HistoryReply>("History", new { topic = _topic, before = history.Events[^1].Position });
        var rewound = await bob.InvokeAsync<SubscribeReply>("Subscribe", new { topic = _topic, rewind = new { count = 100 } });
        var since = await bob.InvokeAsync<SubscribeReply>("Subscribe", new { topic = _topic, rewind = new { since = "2020-01-01T00:00:00Z" } });
        var asked = await bob.InvokeAsync<SubscribeReply>("Subscribe", new { topic = _topic, position = new { epoch = history.Position.Epoch, offset = 1 } });
        var own = await bob.InvokeAsync<SubscribeReply>("Subscribe", new { topic = _topic, position = new { epoch = history.Position.Epoch, offset = 3 } });

        Assert.Equal([4L, 5L], history.Events.Select(one => one.Offset!.Value));
        Assert.Equal((4L, true), (Assert.Single(back.Events).Offset!.Value, back.Complete));
        Assert.Equal([4L, 5L], rewound.Events.Select(one => one.Offset!.Value));
        Assert.Equal([4L, 5L], since.Events.Select(one => one.Offset!.Value));
        Assert.Equal((Recovery.Gap, 5L, 0), (asked.Recovery, asked.Position.Offset, asked.Events.Count));
        Assert.Equal([4L, 5L], own.Events.Select(one => one.Offset!.Value));

        await owner.PutAsJsonAsync($"/topics/{_topic}/privacy", new { showsPast = true }, Topology.Cancelled);
        await Eventually.BecomesTrueAsync(
            async () => (await bob.InvokeAsync<HistoryReply>("History", new { topic = _topic })).Events.Count == 5, "the room's past is not shown");
    }

    [Fact]
    public async Task A_topic_keeps_an_owner_and_only_owners_make_owners()
    {
        var node = topology.Nodes()[0];
        using var owner = await topology.HttpAsync("ada", node.Address);
        await owner.PutAsJsonAsync($"/topics/{_topic}/privacy", new { }, Topology.Cancelled);
        await PutMemberAsync(owner, "adam", "admin");
        await KnowsAsync(node, "adam", "ok");
        using var admin = await topology.HttpAsync("adam", node.Address);

        Assert.Equal(HttpStatusCode.Forbidden, (await admin.DeleteAsync($"/topics/{_topic}/members/ada", Topology.Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await admin.PutAsJsonAsync($"/topics/{_topic}/members/adam", new { role = "owner" }, Topology.Cancelled)).StatusCode);
        using var last = await owner.DeleteAsync($"/topics/{_topic}/members/ada", Topology.Cancelled);
        Assert.Equal("last_owner", (await last.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString());
        await PutMemberAsync(owner, "adam", "owner");
        (await owner.DeleteAsync($"/topics/{_topic}/members/ada", Topology.Cancelled)).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_service_key_does_what_it_grants_is_rotated_and_taken_back_on_every_node()
    {
        var nodes = topology.Nodes();
        using var admin = Http(nodes[0], await TokenAsync("ada", new { topic = "system:*", operations = new[] { "manage" } }));
        using var made = await admin.PostAsJsonAsync(
            "/keys", new { name = "shop", grants = new[] { new { topic = _topic, operations = new[] { "publish", "subscribe" }, events = new[] { "order:*" } } } }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var (id, key) = await KeyOfAsync(made);
        using var shop = Http(nodes[1], key);

        // What comes from servers only.
        Assert.Equal(HttpStatusCode.Created, (await shop.PostAsJsonAsync($"/topics/{_topic}/events", new { @event = "order:paid", payload = 1 }, Topology.Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await shop.PostAsJsonAsync($"/topics/{_topic}/events", new { @event = "chat:message", payload = 1 }, Topology.Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await shop.GetAsync("/topics/room:other/events", Topology.Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await shop.GetAsync("/keys", Topology.Cancelled)).StatusCode);

        using var rotated = await admin.PostAsJsonAsync($"/keys/{id}/rotation", new { overlapSeconds = 60 }, Topology.Cancelled);
        var (_, next) = await KeyOfAsync(rotated);
        using var renewed = Http(nodes[1], next);
        await Eventually.BecomesTrueAsync(async () => (await renewed.GetAsync($"/topics/events?topic={_topic}", Topology.Cancelled)).IsSuccessStatusCode, "the new secret is not known");
        Assert.True((await shop.GetAsync($"/topics/events?topic={_topic}", Topology.Cancelled)).IsSuccessStatusCode);

        using var living = await RawHub.ConnectAsync(nodes[1].Address, next);
        var started = TimeProvider.System.GetTimestamp();
        (await admin.DeleteAsync($"/keys/{id}", Topology.Cancelled)).EnsureSuccessStatusCode();
        var farewell = await living.ReadAsync(7);
        Assert.True(TimeProvider.System.GetElapsedTime(started) < Second);
        Assert.StartsWith("token_revoked: ", farewell!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await renewed.GetAsync($"/topics/events?topic={_topic}", Topology.Cancelled)).StatusCode);
        var listed = (await admin.GetFromJsonAsync<JsonElement>("/keys", Topology.Cancelled)).GetProperty("keys").EnumerateArray().Single(one => one.GetProperty("id").GetString() == id);
        Assert.Equal(JsonValueKind.String, listed.GetProperty("revokedAt").ValueKind);
        Assert.DoesNotContain(next, listed.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_user_is_gone_from_both_nodes_within_a_second_and_comes_back_with_a_new_token_only()
    {
        var nodes = topology.Nodes();
        var user = $"user-{Guid.NewGuid():N}";
        var token = await topology.TokenAsync(user, nodes[0].Address);
        using var here = await RawHub.ConnectAsync(nodes[0].Address, token);
        using var there = await RawHub.ConnectAsync(nodes[1].Address, token);
        await using var database = await topology.OpenDatabaseAsync();
        await using var revoke = new Npgsql.NpgsqlCommand(
            "insert into realtime.revocations (tenant, kind, subject, issued_until) values ('default', 'user', $1, now())", database) { Parameters = { new() { Value = user } } };

        var started = TimeProvider.System.GetTimestamp();
        await revoke.ExecuteNonQueryAsync(Topology.Cancelled);
        var farewells = await Task.WhenAll(here.ReadAsync(7), there.ReadAsync(7));
        var took = TimeProvider.System.GetElapsedTime(started);

        Assert.All(farewells, farewell => Assert.StartsWith("token_revoked: ", farewell!.Value.GetProperty("error").GetString(), StringComparison.Ordinal));
        Assert.True(took < Second, $"It took {took.TotalMilliseconds} ms.");
        using var old = Http(nodes[1], token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await old.GetAsync($"/topics/{_topic}/events", Topology.Cancelled)).StatusCode);
        // Tokens tell whole seconds.
        await Eventually.BecomesTrueAsync(async () =>
        {
            using var anew = await topology.HttpAsync(user, nodes[1].Address);
            return (await anew.GetAsync($"/topics/{_topic}/events", Topology.Cancelled)).IsSuccessStatusCode;
        }, "a new token is refused too");
    }

    [Fact]
    public async Task A_new_token_that_grants_less_ends_what_it_gives_no_right_to_and_one_that_grants_more_counts_at_once()
    {
        var node = topology.Nodes()[0];
        var (mine, other) = (_topic, $"{_topic}-other");
        using var hub = await RawHub.ConnectAsync(node.Address, await TokenAsync("ada", new { topic = $"{mine}*", operations = new[] { "subscribe" } }));
        await hub.InvokeAsync("Subscribe", new { topic = mine });
        await hub.InvokeAsync("Subscribe", new { topic = other });

        await hub.InvokeAsync("Refresh", await TokenAsync("ada", new { topic = mine, operations = new[] { "subscribe", "publish" } }));
        var ended = await hub.ControlAsync(Control.Unsubscribed);
        await hub.InvokeAsync("Publish", new { topic = mine, @event = "app:x", payload = 1 });

        Assert.Equal((other, "forbidden"), (ended.Topic, ended.Code));
        Assert.Equal(mine, (await hub.EventsAsync(1))[0].Topic);
        Assert.Equal("token_subject_mismatch", await CodeAsync(async () => await hub.InvokeAsync("Refresh", await topology.TokenAsync("eve"))));
    }

    /// <summary>Asks for it briefly, again and again: whoever reads the table queues behind who waits for it, also who is to finish first.</summary>
    private static async Task<Npgsql.NpgsqlTransaction> LockMembersAsync(Npgsql.NpgsqlConnection database)
    {
        Npgsql.NpgsqlTransaction? locked = null;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                var transaction = await database.BeginTransactionAsync(Topology.Cancelled);
                try
                {
                    await using var take = new Npgsql.NpgsqlCommand("set local lock_timeout = 500; lock table realtime.members in access exclusive mode", database);
                    await take.ExecuteNonQueryAsync(Topology.Cancelled);
                    locked = transaction;
                    return true;
                }
                catch (Npgsql.PostgresException exception) when (exception.SqlState == Npgsql.PostgresErrorCodes.LockNotAvailable)
                {
                    await transaction.DisposeAsync();
                    return false;
                }
            },
            "somebody keeps the table of members");
        return locked!;
    }

    private static HttpClient Http(Node node, string token) =>
        new() { BaseAddress = node.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };

    private static async Task<(string Id, string Key)> KeyOfAsync(HttpResponseMessage answer)
    {
        var reply = await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
        return (reply.GetProperty("id").GetString()!, reply.GetProperty("key").GetString()!);
    }

    private static async Task<string> CodeAsync(Func<Task> act)
    {
        try
        {
            await act();
            return "ok";
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }

    private async Task PutMemberAsync(HttpClient manager, string user, string role) =>
        (await manager.PutAsJsonAsync($"/topics/{_topic}/members/{user}", new { role }, Topology.Cancelled)).EnsureSuccessStatusCode();

    private async Task PublishAsync(HttpClient publisher, params int[] payloads)
    {
        foreach (var payload in payloads)
            (await publisher.PostAsJsonAsync($"/topics/{_topic}/events", new { @event = "app:x", payload }, Topology.Cancelled)).EnsureSuccessStatusCode();
    }

    /// <summary>Changes are told to all nodes, one soon after the other.</summary>
    private async Task KnowsAsync(Node node, string user, string code)
    {
        using var http = await topology.HttpAsync(user, node.Address);
        await Eventually.BecomesTrueAsync(
            async () => (await http.GetAsync($"/topics/{_topic}/events", Topology.Cancelled)).IsSuccessStatusCode == (code == "ok"), "the node does not know it yet");
    }

    private async Task<RawHub> ConnectAsync(Node node, string user) => await RawHub.ConnectAsync(node.Address, await topology.TokenAsync(user, node.Address));

    private async Task<string> TokenAsync(string user, params object[] grants)
    {
        using var http = new HttpClient { BaseAddress = topology.Api };
        using var answer = await http.PostAsJsonAsync("/auth/token", new { user, grants }, Topology.Cancelled);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString()!;
    }
}
