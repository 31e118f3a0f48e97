using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using RealtimeAspire.Client.Signing;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Signed events over real processes, and over two nodes whose topics of the type <c>ledger</c> take no others.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class SigningScenarios(Topology topology, SigningScenarios.Nodes nodes) : IClassFixture<SigningScenarios.Nodes>
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly string _user = $"u{Guid.NewGuid():n}"[..20];
    private readonly string _ledger = $"ledger:{Guid.NewGuid():n}";

    [Fact]
    public async Task A_signed_event_comes_over_every_transport_of_another_node_as_it_was_signed()
    {
        var (one, other) = (topology.Nodes()[0], topology.Nodes()[1]);
        using var signer = SigningVectors.NewSigner();
        using var publisher = await topology.HttpAsync(_user, one.Address);
        using var reader = await topology.HttpAsync("rea", other.Address);
        var verifier = new EventVerifier(new SigningKeys(other.Address, async () => await topology.TokenAsync("rea", other.Address)).FindAsync);
        await RegisterAsync(publisher, signer);
        using var hub = await RawHub.ConnectAsync(one.Address, await topology.TokenAsync(_user, one.Address));
        foreach (var topic in new[] { $"room:{Guid.NewGuid():n}", $"ticker:{Guid.NewGuid():n}" })
        {
            using var listener = await RawHub.ConnectAsync(other.Address, await topology.TokenAsync("rea", other.Address));
            await listener.InvokeAsync("Subscribe", new { topic });
            using var packed = await PackedHub.ConnectAsync(other.Address, await topology.TokenAsync("rea", other.Address));
            await packed.AskAsync("Subscribe", new Dictionary<string, object?> { ["topic"] = topic });

            await hub.InvokeAsync("Publish", Wire(topic, SigningVectors.Sign(signer, topic, """{ "n": 1.50, "text": "ü\n" }""")));
            await PostAsync(publisher, topic, new[] { Wire(topic, SigningVectors.Sign(signer, topic)), Wire(topic, new PublishRequest { Event = "app:x", Payload = JsonElement.Parse("2") }) });

            SignatureStatus[] expected = [SignatureStatus.Valid, SignatureStatus.Valid, SignatureStatus.Unsigned];
            Assert.Equal(expected, await StatusesAsync(verifier, await listener.EventsAsync(3)));
            var history = await reader.GetFromJsonAsync($"/topics/{topic}/events", RealtimeJson.Default.HistoryReply, Topology.Cancelled);
            Assert.Equal(expected, await StatusesAsync(verifier, history!.Events));
            var poll = await reader.GetFromJsonAsync<JsonElement>($"/topics/events?topic={topic}&after=:0", Topology.Cancelled);
            Assert.Equal(expected, await StatusesAsync(verifier, poll.GetProperty("topics")[0].GetProperty("events").Deserialize(RealtimeJson.Default.TopicEventArray)!));
            using var stream = new SseReader(await reader.GetAsync($"/topics/stream?topic={topic}&rewind=3", HttpCompletionOption.ResponseHeadersRead, Topology.Cancelled));
            await stream.NextAsync();
            Assert.Equal(SignatureStatus.Valid, (await verifier.VerifyAsync((await stream.NextAsync()).Json.Deserialize(RealtimeJson.Default.TopicEvent)!, Topology.Cancelled)).Status);
            var data = (object?[])((object?[])(await packed.EventsAsync(3))[0]!)[6]!;
            Assert.Equal(history.Events[0].Data.Signature!.Value, ((Dictionary<string, object?>)data[4]!)["value"]);
        }
    }

    [Fact]
    public async Task A_key_that_was_revoked_counts_on_another_node_no_more_within_a_second_and_old_events_say_so()
    {
        using var signer = SigningVectors.NewSigner();
        using var owner = nodes.One.Http("default", _user);
        await RegisterAsync(owner, signer);
        using var hub = await RawHub.ConnectAsync(nodes.Other.Address, TenantNode.Token("default", _user));
        await hub.InvokeAsync("Publish", Wire(_ledger, SigningVectors.Sign(signer, _ledger)));

        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal(HttpStatusCode.NoContent, (await owner.DeleteAsync($"/signing-keys/{signer.KeyId}", Topology.Cancelled)).StatusCode);
        Assert.Equal("signing_key_unknown", await PublishAsync(owner, signer));
        await Eventually.BecomesTrueAsync(
            async () => await CodeAsync(() => hub.InvokeAsync("Publish", Wire(_ledger, SigningVectors.Sign(signer, _ledger)))) == "signing_key_unknown", "the key counts", Second);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, Second);

        var history = await owner.GetFromJsonAsync($"/topics/{_ledger}/events", RealtimeJson.Default.HistoryReply, Topology.Cancelled);
        var verifier = new EventVerifier(new SigningKeys(nodes.Other.Address, () => Task.FromResult<string?>(TenantNode.Token("default", "rea"))).FindAsync);
        var verified = await verifier.VerifyAsync(history!.Events[0], Topology.Cancelled);
        Assert.True(verified is { IsValid: true, Key.RevokedAt: not null });
        Assert.Equal("signing_key_conflict", await CodeOfAsync(await PostKeyAsync(owner, new { jwk = signer.PublicKey })));
        // As a second time it stays revoked since when it was.
        Assert.Equal(HttpStatusCode.NoContent, (await owner.DeleteAsync($"/signing-keys/{signer.KeyId}", Topology.Cancelled)).StatusCode);
        var mine = await owner.GetFromJsonAsync("/signing-keys", RealtimeJson.Default.SigningKeyList, Topology.Cancelled);
        Assert.Equal(verified.Key, Assert.Single(mine!.Keys));
    }

    [Fact]
    public async Task Where_it_is_required_nothing_unsigned_comes_in_by_any_door()
    {
        using var http = nodes.One.Http("default", _user);
        using var hub = await RawHub.ConnectAsync(nodes.One.Address, TenantNode.Token("default", _user));
        var unsigned = new { topic = _ledger, @event = "app:x", payload = 1, id = "one" };
        var publisher = nodes.One.Services.GetRequiredService<ITopicPublisher>();

        Assert.Equal("signature_required", await CodeAsync(() => hub.InvokeAsync("Publish", unsigned)));
        Assert.Equal("signature_required", await CodeOfAsync(await http.PostAsJsonAsync($"/topics/{_ledger}/events", unsigned, Topology.Cancelled)));
        var outcomes = await hub.InvokeAsync<PublishOutcome[]>("PublishBatch", new[] { unsigned, unsigned });
        Assert.All(outcomes, outcome => Assert.Equal("signature_required", outcome.Error!.Code));
        Assert.Equal("signature_required", await CodeAsync(() => publisher.PublishAsync(_ledger, "app:x", 1)));
        var sql = await Assert.ThrowsAsync<PostgresException>(() => nodes.Database.ExecuteAsync($"select realtime.publish('{_ledger}', 'app:x', '1')"));
        Assert.Equal(("RT012", true), (sql.SqlState, sql.MessageText.StartsWith("signature_required: ", StringComparison.Ordinal)));
        Assert.Equal(0, await nodes.Database.ReadAsync<long>("select count(*) from realtime.topics where topic = $1", _ledger));
    }

    [Fact]
    public async Task The_server_and_backends_sign_with_keys_of_their_own()
    {
        using var manager = await ManagerAsync();
        using var signer = SigningVectors.NewSigner();
        await RegisterAsync(manager, signer, new { jwk = signer.PublicKey, user = "" });
        var publisher = nodes.Other.Services.GetRequiredService<ITopicPublisher>();
        await Eventually.BecomesTrueAsync(
            async () => await CodeAsync(() => publisher.PublishAsync(_ledger, SigningVectors.Sign(signer, _ledger))) == "ok", "the server has no key there");

        var created = await manager.PostAsJsonAsync("/keys", new { name = "shop", grants = new[] { new { topic = "*", operations = new[] { "*" } } } }, Topology.Cancelled);
        var key = await created.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
        using var backend = Http(nodes.Other, key.GetProperty("key").GetString()!);
        using var own = SigningVectors.NewSigner();
        await RegisterAsync(backend, own);
        Assert.Equal("ok", await PublishAsync(backend, own));
        using var hub = await RawHub.ConnectAsync(nodes.One.Address, key.GetProperty("key").GetString()!);
        await hub.InvokeAsync("Publish", Wire(_ledger, SigningVectors.Sign(own, _ledger)));

        var history = await backend.GetFromJsonAsync($"/topics/{_ledger}/events", RealtimeJson.Default.HistoryReply, Topology.Cancelled);
        var verifier = new EventVerifier(new SigningKeys(nodes.One.Address, () => Task.FromResult<string?>(TenantNode.Token("default"))).FindAsync);
        Assert.All(await StatusesAsync(verifier, history!.Events), status => Assert.Equal(SignatureStatus.Valid, status));
        Assert.Equal([null, $"key:{key.GetProperty("id")}", $"key:{key.GetProperty("id")}"], history.Events.Select(read => read.Data.UserId));

        await backend.DeleteAsync($"/signing-keys/{own.KeyId}", Topology.Cancelled);
        Assert.Equal("signing_key_unknown", await PublishAsync(backend, own));
        await Eventually.BecomesTrueAsync(
            async () => await CodeAsync(() => hub.InvokeAsync("Publish", Wire(_ledger, SigningVectors.Sign(own, _ledger)))) == "signing_key_unknown", "the backend's key counts");
        await manager.DeleteAsync($"/signing-keys/{signer.KeyId}", Topology.Cancelled);
        await Eventually.BecomesTrueAsync(
            async () => await CodeAsync(() => publisher.PublishAsync(_ledger, SigningVectors.Sign(signer, _ledger))) == "signing_key_unknown", "the server's key counts");
    }

    [Fact]
    public async Task One_s_keys_are_one_s_own_affair_and_others_are_for_who_looks_after_them()
    {
        using var signer = SigningVectors.NewSigner();
        using var ada = nodes.One.Http("default", _user);
        using var eve = nodes.Other.Http("default", $"{_user}-eve");
        using var stranger = nodes.Other.Http($"t{_user}", _user);
        using var manager = await ManagerAsync();
        await RegisterAsync(ada, signer);
        Assert.Equal(HttpStatusCode.OK, (await PostKeyAsync(ada, new { jwk = signer.PublicKey })).StatusCode);

        Assert.Equal("signing_key_conflict", await CodeOfAsync(await PostKeyAsync(eve, new { jwk = signer.PublicKey })));
        Assert.Equal("forbidden", await CodeOfAsync(await PostKeyAsync(eve, new { jwk = signer.PublicKey, user = _user })));
        Assert.Equal("forbidden", await CodeOfAsync(await PostKeyAsync(eve, new { jwk = signer.PublicKey, user = "" })));
        Assert.Equal("forbidden", await CodeOfAsync(await eve.DeleteAsync($"/signing-keys/{signer.KeyId}", Topology.Cancelled)));
        Assert.Equal("forbidden", await CodeOfAsync(await eve.GetAsync($"/signing-keys?user={_user}", Topology.Cancelled)));
        Assert.Equal(_user, (await eve.GetFromJsonAsync($"/signing-keys/{signer.KeyId}", RealtimeJson.Default.SigningKeyInfo, Topology.Cancelled))!.User);
        Assert.Equal("not_found", await CodeOfAsync(await stranger.GetAsync($"/signing-keys/{signer.KeyId}", Topology.Cancelled)));
        Assert.Equal("not_found", await CodeOfAsync(await ada.GetAsync("/signing-keys/%C3%A4", Topology.Cancelled)));
        Assert.Equal("not_found", await CodeOfAsync(await ada.DeleteAsync($"/signing-keys/{new string('A', 43)}", Topology.Cancelled)));
        Assert.Equal("signing_key_unknown", await PublishAsync(eve, signer));

        using var other = SigningVectors.NewSigner();
        await RegisterAsync(manager, other, new { spki = Convert.ToBase64String(SpkiOf(other)), user = _user });
        var keys = await manager.GetFromJsonAsync($"/signing-keys?user={_user}", RealtimeJson.Default.SigningKeyList, Topology.Cancelled);
        Assert.Equal([signer.KeyId, other.KeyId], keys!.Keys.Select(key => key.KeyId));
        Assert.Equal("ok", await PublishAsync(ada, other));
        Assert.Equal(HttpStatusCode.NoContent, (await manager.DeleteAsync($"/signing-keys/{other.KeyId}", Topology.Cancelled)).StatusCode);
        Assert.Equal("signing_key_unknown", await PublishAsync(ada, other));

        await Eventually.BecomesTrueAsync(
            async () => (await nodes.Database.ReadAllAsync<string>("select action || ' ' || code from realtime.audit where actor = $1 or target like '%' || $2", $"user:{_user}", other.KeyId))
                .Order().Distinct().SequenceEqual(["signature.refused signing_key_unknown", "signing_key.registered ok", "signing_key.revoked ok"]),
            "the trail has something else");
    }

    [Theory]
    [InlineData("request_invalid", "{}")]
    [InlineData("request_invalid", """{"jwk":{},"spki":"AAAA"}""")]
    [InlineData("request_invalid", """{"spki":7}""")]
    [InlineData("signing_key_invalid", """{"jwk":{}}""")]
    [InlineData("signing_key_invalid", """{"jwk":7}""")]
    [InlineData("signing_key_invalid", """{"spki":"AAAA"}""")]
    [InlineData("signing_key_invalid", """{"spki":"?"}""")]
    public async Task What_is_no_key_is_refused_and_registers_nothing(string code, string body)
    {
        using var http = nodes.One.Http("default", _user);

        Assert.Equal(code, await CodeOfAsync(await http.PostAsync("/signing-keys", new StringContent(body, new MediaTypeHeaderValue("application/json")), Topology.Cancelled)));
        Assert.Empty((await http.GetFromJsonAsync("/signing-keys", RealtimeJson.Default.SigningKeyList, Topology.Cancelled))!.Keys);
    }

    [Fact]
    public async Task One_has_so_many_keys_and_no_more()
    {
        using var http = nodes.One.Http("default", _user);
        for (var i = 0; i < 20; i++)
        {
            using var signer = SigningVectors.NewSigner();
            await RegisterAsync(http, signer);
        }

        using var last = SigningVectors.NewSigner();
        Assert.Equal("quota_exceeded", await CodeOfAsync(await PostKeyAsync(http, new { jwk = last.PublicKey })));
    }

    [Fact]
    public async Task A_tenant_s_events_are_exported_with_their_signatures_and_those_of_before_there_were_any_are_read()
    {
        await using var database = await PostgresDatabase.CreateAsync(topology, migrations: 11);
        // What a node of the release before has told of its configuration.
        await database.ExecuteAsync("""
            insert into realtime.topic_types (type, is_default, durability, servers_publish, ephemeral_events, payload_bytes, retention_class, id_window)
            values ('room', false, 'durable', true, '{}', 65536, 0, '1 day')
            """);
        await database.ExecuteAsync("select realtime.create_partitions(1)");
        await database.ExecuteAsync("select realtime.publish('room:a', 'app:x', '1')");
        await database.MigrateAsync();
        await using var node = await TenantNode.StartAsync(database);
        using var signer = SigningVectors.NewSigner();
        using var http = node.Http("default", _user);
        await RegisterAsync(http, signer);
        await PostAsync(http, "room:a", Wire("room:a", SigningVectors.Sign(signer, "room:a")));

        var lines = (await http.GetStringAsync("/tenants/default/export", Topology.Cancelled)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var verifier = new EventVerifier(new SigningKeys(node.Address, () => Task.FromResult<string?>(TenantNode.Token("default"))).FindAsync);
        Assert.Equal([SignatureStatus.Unsigned, SignatureStatus.Valid], await StatusesAsync(verifier, [.. lines.Select(line => JsonSerializer.Deserialize(line, RealtimeJson.Default.TopicEvent)!)]));
    }

    private static byte[] SpkiOf(EventSigner signer)
    {
        using var key = signer.PublicKey.ToKey();
        return key.ExportSubjectPublicKeyInfo();
    }

    private static async Task<SignatureStatus[]> StatusesAsync(EventVerifier verifier, IReadOnlyList<TopicEvent> events)
    {
        var statuses = new List<SignatureStatus>();
        foreach (var read in events)
            statuses.Add((await verifier.VerifyAsync(read, Topology.Cancelled)).Status);
        return [.. statuses];
    }

    private static JsonElement Wire(string topic, PublishRequest request) => JsonSerializer.SerializeToElement(request with { Topic = topic }, RealtimeJson.Default.PublishRequest);

    private Task<string> PublishAsync(HttpClient http, EventSigner signer) => PostAsync(http, _ledger, Wire(_ledger, SigningVectors.Sign(signer, _ledger)));

    private static async Task<string> PostAsync(HttpClient http, string topic, object body)
    {
        using var answer = await http.PostAsJsonAsync($"/topics/{topic}/events", body, Topology.Cancelled);
        return answer.IsSuccessStatusCode ? "ok" : (await CodeOfAsync(answer))!;
    }

    private static async Task RegisterAsync(HttpClient http, EventSigner signer, object? body = null)
    {
        using var answer = await PostKeyAsync(http, body ?? new { jwk = signer.PublicKey });
        Assert.Equal((HttpStatusCode.Created, signer.KeyId), (answer.StatusCode, (await answer.Content.ReadFromJsonAsync(RealtimeJson.Default.SigningKeyInfo, Topology.Cancelled))!.KeyId));
    }

    private static Task<HttpResponseMessage> PostKeyAsync(HttpClient http, object body) => http.PostAsJsonAsync("/signing-keys", body, Topology.Cancelled);

    private static async Task<string?> CodeOfAsync(HttpResponseMessage answer)
    {
        using (answer)
            return (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();
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

    private async Task<HttpClient> ManagerAsync()
    {
        using var http = new HttpClient { BaseAddress = nodes.One.Address };
        var grants = new[] { new { topic = "system:signing-keys", operations = new[] { "manage" } }, new { topic = "system:keys", operations = new[] { "manage" } } };
        using var answer = await http.PostAsJsonAsync("/auth/token", new { user = $"{_user}-root", grants }, Topology.Cancelled);
        return Http(nodes.One, (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString()!);
    }

    private static HttpClient Http(TenantNode node, string token) =>
        new() { BaseAddress = node.Address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };

    /// <summary>One database and two nodes for the tests here.</summary>
    public sealed class Nodes(Topology topology) : IAsyncLifetime
    {
        private static readonly (string Key, string Value)[] Settings = [("Realtime:TopicTypes:ledger:Signed", "Required")];

        internal PostgresDatabase Database { get; private set; } = null!;

        internal TenantNode One { get; private set; } = null!;

        internal TenantNode Other { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Database = await PostgresDatabase.CreateAsync(topology);
            One = await TenantNode.StartAsync(Database, Settings);
            Other = await TenantNode.StartAsync(Database, Settings);
        }

        public async ValueTask DisposeAsync()
        {
            await One.DisposeAsync();
            await Other.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
