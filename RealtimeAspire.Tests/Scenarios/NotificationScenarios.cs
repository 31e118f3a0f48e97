using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Notifications;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Inboxes on two nodes over one database.</summary>
[Collection(SharedTopology.Name)]
public sealed class NotificationScenarios(NotificationScenarios.Nodes nodes, Topology topology) : IClassFixture<NotificationScenarios.Nodes>
{
    private readonly string _tenant = $"t{Guid.NewGuid():n}";

    [Fact]
    public async Task Who_was_away_while_200_came_has_each_once_and_in_order_on_two_devices_and_they_agree_on_what_is_read()
    {
        await Task.WhenAll(Enumerable.Range(0, 4).Select(SendFiftyAsync));

        await using var phone = await ConnectAsync(nodes.One);
        await using var laptop = await ConnectAsync(nodes.Other);
        var (onPhone, onLaptop) = await Both(
            phone.SubscribeAsync("user:ada", new SubscribeOptions { Position = Position.Origin }, Topology.Cancelled),
            laptop.SubscribeAsync("user:ada", new SubscribeOptions { Position = Position.Origin }, Topology.Cancelled));
        await using var phoneEvents = onPhone.GetAsyncEnumerator(Topology.Cancelled);
        await using var laptopEvents = onLaptop.GetAsyncEnumerator(Topology.Cancelled);
        var (first, second) = await Both(TakeAsync(phoneEvents, 200), TakeAsync(laptopEvents, 200));

        Assert.Equal(Enumerable.Range(1, 200).Select(offset => (long?)offset), first.Select(told => told.Offset));
        Assert.Equal(first.Select(told => told.Id), second.Select(told => told.Id));
        Assert.Equal(200, first.Select(told => told.Data.Payload.GetProperty("id").GetString()).Distinct().Count());
        Assert.Equal(200, first.Select(told => told.Data.Payload.GetProperty("title").GetString()).Distinct().Count());
        Assert.Equal(Enumerable.Range(1, 200), first.Select(UnreadOf));
        Assert.All(first, told => Assert.Equal(("notification:new", null), (told.Event, told.Data.UserId)));

        using var phoneHttp = nodes.One.Http(_tenant);
        using var laptopHttp = nodes.Other.Http(_tenant);
        Assert.Equal(first.Select(told => told.Data.Payload.GetProperty("id").GetString()).Reverse(), (await ReadInboxAsync(laptopHttp, "")).Select(entry => entry.GetProperty("id").GetString()));

        // Read on one is read on the other: one of them, then all up to a place, twice, which changes nothing more.
        var one = first[99].Data.Payload.GetProperty("id").GetString();
        Assert.Equal("""{"changed":1,"unread":199}""", await PostAsync(phoneHttp, $"/inbox/{one}/read?device=phone", new { }));
        Assert.Equal("""{"changed":149,"unread":50}""", await PostAsync(laptopHttp, "/inbox/read?device=laptop", new { upTo = 150 }));
        Assert.Equal("""{"changed":0,"unread":50}""", await PostAsync(phoneHttp, "/inbox/read", new { upTo = 150 }));
        Assert.Equal("""{"changed":0,"unread":50}""", await PostAsync(laptopHttp, $"/inbox/{one}/read", new { }));
        var (readOnPhone, readOnLaptop) = await Both(TakeAsync(phoneEvents, 2), TakeAsync(laptopEvents, 2));
        Assert.Equal([("notification:read", 199), ("notification:read", 50)], readOnPhone.Select(told => (told.Event, UnreadOf(told))));
        Assert.Equal(readOnPhone.Select(told => told.Id), readOnLaptop.Select(told => told.Id));
        Assert.Equal((one, 150), (readOnPhone[0].Data.Payload.GetProperty("ids")[0].GetString(), readOnPhone[1].Data.Payload.GetProperty("upTo").GetInt32()));
        foreach (var http in (HttpClient[])[phoneHttp, laptopHttp])
        {
            Assert.Equal("""{"unread":50}""", await http.GetStringAsync("/inbox/unread", Topology.Cancelled));
            Assert.Equal(Enumerable.Range(151, 50).Reverse(), (await ReadInboxAsync(http, "unread=true&")).Select(entry => entry.GetProperty("offset").GetInt32()));
        }

        // What a device has dealt with was delivered there, and who sent it can see so.
        await phone.AcknowledgeAsync("user:ada", first[149].Position!.Value, "phone", Topology.Cancelled);
        using var manager = await ManagerAsync(nodes.One);
        var deliveries = await manager.GetFromJsonAsync<JsonElement>($"/notifications/{one}/deliveries", Topology.Cancelled);
        Assert.Equal(
            ["inbox read phone", "live delivered phone"],
            deliveries.GetProperty("deliveries").EnumerateArray().Select(entry => $"{entry.GetProperty("channel")} {entry.GetProperty("state")} {entry.GetProperty("device")}"));
        Assert.All(deliveries.GetProperty("deliveries").EnumerateArray(), entry => Assert.NotEqual(JsonValueKind.Null, entry.GetProperty("channel").GetString() == "inbox" ? entry.GetProperty("readAt").ValueKind : entry.GetProperty("deliveredAt").ValueKind));
        var later = await manager.GetFromJsonAsync<JsonElement>($"/notifications/{first[199].Data.Payload.GetProperty("id").GetString()}/deliveries", Topology.Cancelled);
        Assert.Equal(["sent"], later.GetProperty("deliveries").EnumerateArray().Select(entry => entry.GetProperty("state").GetString()));
    }

    [Fact]
    public async Task What_is_sent_again_with_its_id_changes_nothing_and_another_under_the_id_is_refused()
    {
        var first = await SendAsync(nodes.One, "Hi", id: "r1");
        var again = await SendAsync(nodes.Other, "Hi", id: "r1");
        var other = await Assert.ThrowsAsync<RealtimeException>(() => SendAsync(nodes.Other, "Ho", id: "r1"));

        Assert.Equal((first with { Duplicate = true }, "id_conflict"), (again, other.Code));
        using var http = nodes.One.Http(_tenant);
        Assert.Equal("""{"unread":1}""", await http.GetStringAsync("/inbox/unread", Topology.Cancelled));
        using var elsewhere = nodes.One.Http($"{_tenant}-other");
        Assert.Equal("""{"unread":0}""", await elsewhere.GetStringAsync("/inbox/unread", Topology.Cancelled));
        Assert.Empty(await ReadInboxAsync(elsewhere, ""));
    }

    [Fact]
    public async Task A_newer_one_stands_in_for_an_unread_older_one_and_what_has_expired_or_was_removed_is_gone_on_every_device()
    {
        await SendAsync(nodes.One, "1 new message", collapseKey: "room:a");
        using var http = nodes.One.Http(_tenant);
        await PostAsync(http, "/inbox/read", new { });
        var second = await SendAsync(nodes.One, "2 new messages", collapseKey: "room:a");
        var third = await SendAsync(nodes.Other, "3 new messages", collapseKey: "room:a");
        var brief = await nodes.One.Services.GetRequiredService<INotifier>().SendAsync(
            new Notification("system", "Soon over") { ExpiresAt = TimeProvider.System.GetUtcNow().AddSeconds(2) }, NotificationAudience.User("ada"), tenant: _tenant, cancellationToken: Topology.Cancelled);

        // The read one stays; the second was replaced by the third.
        Assert.Equal(["3 new messages", "1 new message"], (await ReadInboxAsync(http, "")).Select(entry => entry.GetProperty("title").GetString()).Where(title => title != "Soon over"));
        await Eventually.BecomesTrueAsync(async () => (await ReadInboxAsync(http, "")).Count == 2, "it does not expire");
        using var removed = await http.DeleteAsync($"/inbox/{third.Id}", Topology.Cancelled);
        Assert.Equal("""{"changed":1,"unread":0}""", await removed.Content.ReadAsStringAsync(Topology.Cancelled));
        using var unknown = await http.PostAsJsonAsync($"/inbox/{third.Id}/read", new { }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);

        await Eventually.BecomesTrueAsync(
            async () => (await HistoryAsync(http)).Count(told => told.GetProperty("event").GetString() == "notification:removed") == 2, "they are not told to be gone");
        var history = await HistoryAsync(http);
        Assert.Equal(second.Id, history.Single(told => told.GetProperty("id").GetString() == third.Id).GetProperty("data").GetProperty("payload").GetProperty("replaces")[0].GetString());
        Assert.Equal(
            [("expired", brief.Id), ("removed", third.Id)],
            history.Where(told => told.GetProperty("event").GetString() == "notification:removed").Select(told => told.GetProperty("data").GetProperty("payload"))
                .Select(payload => (payload.GetProperty("why").GetString(), payload.GetProperty("ids")[0].GetString())).Order());
    }

    [Fact]
    public async Task Everybody_of_a_large_audience_has_it_once_though_connections_break_in_the_middle()
    {
        await nodes.Database.ExecuteAsync(
            "insert into realtime.members (tenant, topic, user_id, role, joined_offset) select $1, 'room:hall', 'u' || to_char(i, 'FM0000'), case when i = 7 then 'banned' else 'member' end, 0 from generate_series(1, 1200) i",
            _tenant);
        await nodes.Database.ExecuteAsync("""insert into realtime.inboxes (tenant, user_id, preferences) values ($1, 'u0008', '{"kinds":{"invitation":{"inbox":false}}}')""", _tenant);
        using var manager = await ManagerAsync(nodes.One);

        var sent = JsonElement.Parse(await PostAsync(manager, "/notifications", new { to = new { topic = "room:hall" }, kind = "invitation", title = "Come", id = "come" }, HttpStatusCode.Accepted));
        var id = sent.GetProperty("id").GetString();
        var broken = 0;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                if (broken < 3)
                {
                    await nodes.Database.BreakConnectionsAsync();
                    broken++;
                }

                using var answer = await manager.GetAsync($"/notifications/sends/{id}", Topology.Cancelled);
                return answer.IsSuccessStatusCode && (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("state").GetString() == "sent";
            },
            "it does not come to its end");

        var progress = await manager.GetFromJsonAsync<JsonElement>($"/notifications/sends/{id}", Topology.Cancelled);
        Assert.Equal((1_198, 1, 0), (progress.GetProperty("delivered").GetInt32(), progress.GetProperty("muted").GetInt32(), progress.GetProperty("refused").GetInt32()));
        Assert.Equal(1_198L, await nodes.Database.ReadAsync<long>("select count(*) from realtime.inbox_entries where tenant = $1 and notification_id = $2", _tenant, id!));
        Assert.Equal(1_198L, await nodes.Database.ReadAsync<long>("select count(*) from realtime.events where tenant = $1 and event = 'notification:new'", _tenant));
        Assert.Equal(0L, await nodes.Database.ReadAsync<long>("select count(*) from realtime.inbox_entries where tenant = $1 and user_id in ('u0007', 'u0008')", _tenant));

        // Its deliveries by pages, each recipient once.
        var users = new List<string?>();
        for (var (after, complete) = ("", false); !complete;)
        {
            var page = await manager.GetFromJsonAsync<JsonElement>($"/notifications/{id}/deliveries?after={after}&limit=500", Topology.Cancelled);
            users.AddRange(page.GetProperty("deliveries").EnumerateArray().Select(entry => entry.GetProperty("user").GetString()));
            (after, complete) = (users[^1]!, page.GetProperty("complete").GetBoolean());
        }

        Assert.Equal(1_198, users.Distinct().Count());
    }

    [Fact]
    public async Task A_transaction_that_holds_one_inbox_holds_up_a_send_to_many_but_not_what_else_comes_to_its_recipients()
    {
        string[] many = [.. Enumerable.Range(1, 60).Select(i => $"u{i:d2}")];
        await using var application = await nodes.Database.ConnectAsync();
        await using var transaction = await application.BeginTransactionAsync(Topology.Cancelled);
        await using (var publish = new NpgsqlCommand("select realtime.publish('user:u50', 'app:x', '1', tenant => $1)", application) { Parameters = { new() { Value = _tenant } } })
            await publish.ExecuteNonQueryAsync(Topology.Cancelled);

        var held = await SendToAsync(many);
        await Eventually.BecomesTrueAsync(
            async () => await nodes.Database.ReadAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0, "nobody waits for it");

        // The step has come as far as him who is held, and had the inboxes of those before.
        await SendToAsync(["u01"]).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Topology.Cancelled);
        var other = await SendToAsync([.. Enumerable.Range(1, 30).Select(i => $"v{i:d2}")]);
        await Eventually.BecomesTrueAsync(async () => await StateAsync(other) == "sent", "another send waits for it");
        Assert.Equal("sending", await StateAsync(held));

        await transaction.CommitAsync(Topology.Cancelled);
        await Eventually.BecomesTrueAsync(async () => await StateAsync(held) == "sent", "it does not go on");
        Assert.Equal(60L, await nodes.Database.ReadAsync<long>("select count(*) from realtime.inbox_entries where tenant = $1 and notification_id = $2", _tenant, held.Id));

        Task<NotificationReceipt> SendToAsync(string[] users) => nodes.One.Services.GetRequiredService<INotifier>().SendAsync(
            new Notification("mention", "Hi"), NotificationAudience.Several(users), tenant: _tenant, cancellationToken: Topology.Cancelled);

        Task<string> StateAsync(NotificationReceipt sent) => nodes.Database.ReadAsync<string>(
            "select case when finished_at is null then 'sending' else 'sent' end from realtime.notifications where tenant = $1 and notification_id = $2", _tenant, sent.Id);
    }

    [Fact]
    public async Task One_consumer_more_than_a_user_may_have_is_refused_and_nothing_is_noted_of_it()
    {
        await SendAsync(nodes.One, "Hi");
        using var http = nodes.One.Http(_tenant);
        var position = (await http.GetFromJsonAsync<JsonElement>("/inbox", Topology.Cancelled)).GetProperty("position");
        await nodes.Database.ExecuteAsync(
            """
            insert into realtime.cursors (tenant, user_id, consumer, topic, epoch, "offset", updated_at) select $1, 'ada', 'c' || i, 'user:ada', $2, 1, now() from generate_series(1, 99) i
            """,
            _tenant, position.GetProperty("epoch").GetString()!);

        Assert.Equal("204", await AcknowledgeAsync("phone"));
        Assert.Equal("quota_exceeded", await AcknowledgeAsync("tablet"));
        Assert.Equal((100L, 0L), (await CountAsync("cursors where tenant = $1"), await CountAsync("notification_deliveries where tenant = $1 and device = 'tablet'")));
        // Those that there are go on.
        await SendAsync(nodes.One, "Ho");
        position = (await http.GetFromJsonAsync<JsonElement>("/inbox", Topology.Cancelled)).GetProperty("position");
        Assert.Equal("204", await AcknowledgeAsync("phone"));
        Assert.Equal(2L, await CountAsync("notification_deliveries where tenant = $1 and device = 'phone'"));

        // A browser that has not been there for long leaves its place.
        await nodes.Database.ExecuteAsync("update realtime.cursors set updated_at = now() - interval '31 days' where tenant = $1 and consumer = 'c7'", _tenant);
        Assert.Equal("204", await AcknowledgeAsync("tablet"));

        async Task<string?> AcknowledgeAsync(string consumer)
        {
            using var answer = await http.PutAsJsonAsync($"/topics/user:ada/cursors/{consumer}", new { position }, Topology.Cancelled);
            return await OutcomeAsync(answer);
        }

        Task<long> CountAsync(string what) => nodes.Database.ReadAsync<long>($"select count(*) from realtime.{what}", _tenant);
    }

    [Fact]
    public async Task What_many_have_had_is_forgotten_step_by_step_and_what_counts_is_kept()
    {
        await using var database = await PostgresDatabase.CreateAsync(topology);
        await database.ExecuteAsync(
            """
            with n as (
              insert into realtime.notifications (tenant, notification_id, sender, request_id, content, kind, title, priority, created_at, expires_at, audience, finished_at)
              select 't', id, '', id, '', 'mention', 'Hi', 'normal', now() - age, now() - age, 'tenant', now() - age
                from (values ('old', interval '2 days'), ('young', interval '1 hour')) v(id, age) returning notification_id, expires_at)
            insert into realtime.inbox_entries (tenant, user_id, notification_id, "offset", created_at, expires_at)
            select 't', 'u' || i, notification_id, case notification_id when 'old' then 1 else 2 end, expires_at, expires_at from n, generate_series(1, 4500) i
            """);
        await database.ExecuteAsync(
            "insert into realtime.notification_deliveries (tenant, user_id, notification_id, channel, state) select tenant, user_id, notification_id, 'live', 'delivered' from realtime.inbox_entries");
        using var sweep = new InboxSweep(new Database(database.DataSource), TimeProvider.System, NullLogger<InboxSweep>.Instance);

        var left = new List<string>();
        for (var isMore = true; isMore;)
        {
            isMore = await sweep.ForgetAsync(Topology.Cancelled);
            left.Add(await database.ReadAsync<string>(
                """
                select concat_ws(' ', (select count(*) from realtime.notifications), (select count(*) from realtime.inbox_entries where notification_id = 'old'),
                                 (select count(*) from realtime.notification_deliveries where notification_id = 'old'), (select count(*) from realtime.inbox_entries where notification_id = 'young'))
                """));
        }

        Assert.Equal(["2 2500 2500 4500", "2 500 500 4500", "1 0 0 4500"], left);
    }

    [Fact]
    public async Task Who_may_send_to_whom_follows_from_the_grants_that_there_are()
    {
        const string Hi = """{"kind":"mention","title":"Hi","to":TO}""";
        (string To, string Grants, string Expected)[] cases =
        [
            ("""{"user":"bob"}""", """[]""", "forbidden"),
            ("""{"user":"bob"}""", """[{"topic":"user:*","operations":["publish"],"events":["notification:new"]}]""", "event_not_allowed"),
            ("""{"user":"bob"}""", """[{"topic":"system:notifications","operations":["manage"]}]""", "201"),
            ("""{"topic":"room:a"}""", """[{"topic":"room:a","operations":["publish"]}]""", "forbidden"),
            ("""{"topic":"room:a"}""", """[{"topic":"room:a","operations":["manage"]}]""", "202"),
            ("""{"tenant":true}""", """[{"topic":"*","operations":["publish"]}]""", "forbidden"),
            ("""{"tenant":true}""", """[{"topic":"system:notifications","operations":["manage"]}]""", "202"),
            ("""{"tenant":true,"user":"bob"}""", """[{"topic":"system:notifications","operations":["manage"]}]""", "request_invalid"),
        ];
        foreach (var (to, grants, expected) in cases)
        {
            using var http = await HttpAsync(nodes.One, "ada", grants);
            using var answer = await http.PostAsync("/notifications", new StringContent(Hi.Replace("TO", to, StringComparison.Ordinal), null, "application/json"), Topology.Cancelled);
            Assert.Equal((to, grants, expected), (to, grants, await OutcomeAsync(answer)));
        }

        // A backend's key that may publish to users, and to no others.
        using var manager = await HttpAsync(nodes.One, "ada", """[{"topic":"system:keys","operations":["manage"]},{"topic":"*","operations":["*"]}]""");
        var key = JsonElement.Parse(await PostAsync(manager, "/keys", new { name = "backend", grants = new[] { new { topic = "user:b*", operations = new[] { "publish" } } } }, HttpStatusCode.Created)).GetProperty("key").GetString();
        using var backend = new HttpClient { BaseAddress = nodes.One.Address, DefaultRequestHeaders = { Authorization = new("Bearer", key) } };
        using var own = await backend.PostAsJsonAsync("/notifications", new { kind = "mention", title = "Hi", to = new { users = new[] { "bob", "bea" } } }, Topology.Cancelled);
        using var others = await backend.PostAsJsonAsync("/notifications", new { kind = "mention", title = "Hi", to = new { users = new[] { "bob", "cyd" } } }, Topology.Cancelled);
        using var inbox = await backend.GetAsync("/inbox", Topology.Cancelled);
        Assert.Equal(("201", "forbidden", "user_invalid"), (await OutcomeAsync(own), await OutcomeAsync(others), await OutcomeAsync(inbox)));
        // What it sent it can follow; somebody else's is not there for it.
        var id = (await own.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("id").GetString();
        Assert.Equal(HttpStatusCode.OK, (await backend.GetAsync($"/notifications/{id}/deliveries", Topology.Cancelled)).StatusCode);
        using var nobody = nodes.One.Http(_tenant, "eve");
        Assert.Equal(HttpStatusCode.NotFound, (await nobody.GetAsync($"/notifications/sends/{id}", Topology.Cancelled)).StatusCode);
        Assert.Equal("forbidden", await OutcomeAsync(await nobody.GetAsync("/notifications/dead-letters", Topology.Cancelled)));
    }

    [Fact]
    public async Task What_a_user_prefers_is_kept_and_what_cannot_be_meant_is_refused()
    {
        using var http = nodes.One.Http(_tenant);
        using var there = nodes.Other.Http(_tenant);
        var wanted = new { kinds = new Dictionary<string, object> { ["mention"] = new { inbox = false } }, quietHours = new { from = "22:00", to = "07:00", timeZone = "UTC" } };
        using var put = await http.PutAsJsonAsync("/inbox/preferences", wanted, Topology.Cancelled);
        put.EnsureSuccessStatusCode();

        var kept = await there.GetFromJsonAsync<JsonElement>("/inbox/preferences", Topology.Cancelled);
        Assert.Equal("""{"inbox":false,"push":false,"email":false}""", kept.GetProperty("kinds").GetProperty("mention").GetRawText());
        Assert.Equal("""{"inbox":true,"push":true,"email":true}""", kept.GetProperty("kinds").GetProperty("system").GetRawText());
        Assert.Equal("22:00", kept.GetProperty("quietHours").GetProperty("from").GetString());
        var muted = await SendAsync(nodes.One, "Hi");
        Assert.Equal((0L, 1L), (muted.Delivered, muted.Muted));

        (string Body, string Code)[] wrong =
        [
            ("""{"kinds":{"nothing":{"inbox":false}}}""", "kind_unknown"),
            ("""{"kinds":{"mention":null}}""", "request_invalid"),
            ("""{"quietHours":{"from":"25:00","to":"07:00","timeZone":"UTC"}}""", "request_invalid"),
            ("""{"quietHours":{"from":"22:00","to":"22:00","timeZone":"UTC"}}""", "request_invalid"),
            ("""{"quietHours":{"from":"22:00","to":"07:00","timeZone":"Nowhere/Never"}}""", "request_invalid"),
            ("""{"quietHours":{"from":"22:00","to":"07:00"}}""", "request_invalid"),
        ];
        foreach (var (body, code) in wrong)
        {
            using var answer = await http.PutAsync("/inbox/preferences", new StringContent(body, null, "application/json"), Topology.Cancelled);
            Assert.Equal((body, code), (body, await OutcomeAsync(answer)));
        }

        using var endpoint = await http.PutAsJsonAsync("/inbox/devices/phone", new { endpoint = "https://169.254.169.254/latest", keys = new { p256dh = "x", auth = "x" } }, Topology.Cancelled);
        using var plain = await http.PutAsJsonAsync("/inbox/devices/phone", new { endpoint = "http://push.example.org/1", keys = new { p256dh = "x", auth = "x" } }, Topology.Cancelled);
        using var keys = await http.PutAsJsonAsync("/inbox/devices/phone", new { endpoint = "https://push.example.org/1", keys = new { p256dh = "x", auth = "x" } }, Topology.Cancelled);
        Assert.All(await Task.WhenAll(OutcomeAsync(endpoint), OutcomeAsync(plain), OutcomeAsync(keys)), code => Assert.Equal("request_invalid", code));
        Assert.Equal("""{"devices":[],"publicKey":null}""", await http.GetStringAsync("/inbox/devices", Topology.Cancelled));
    }

    private static int UnreadOf(TopicEvent told) => told.Data.Payload.GetProperty("unread").GetInt32();

    private static async Task<(T, T)> Both<T>(Task<T> one, Task<T> other)
    {
        await Task.WhenAll(one, other);
        return (await one, await other);
    }

    private static async Task<List<TopicEvent>> TakeAsync(IAsyncEnumerator<TopicEvent> events, int count)
    {
        var taken = new List<TopicEvent>();
        while (taken.Count < count && await events.MoveNextAsync())
            taken.Add(events.Current);
        return taken;
    }

    private static async Task<List<JsonElement>> ReadInboxAsync(HttpClient http, string query)
    {
        var entries = new List<JsonElement>();
        for (var (before, complete) = ("", false); !complete;)
        {
            var page = await http.GetFromJsonAsync<JsonElement>($"/inbox?{query}limit=70{before}", Topology.Cancelled);
            entries.AddRange(page.GetProperty("notifications").EnumerateArray());
            (before, complete) = (entries.Count > 0 ? $"&before={entries[^1].GetProperty("offset")}" : "", page.GetProperty("complete").GetBoolean());
        }

        return entries;
    }

    private static async Task<List<JsonElement>> HistoryAsync(HttpClient http) =>
        [.. (await http.GetFromJsonAsync<JsonElement>("/topics/user:ada/events", Topology.Cancelled)).GetProperty("events").EnumerateArray()];

    private static async Task<string> PostAsync(HttpClient http, string path, object body, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using var answer = await http.PostAsJsonAsync(path, body, Topology.Cancelled);
        var text = await answer.Content.ReadAsStringAsync(Topology.Cancelled);
        Assert.True(answer.StatusCode == expected, $"{path}: {answer.StatusCode} {text}");
        return text;
    }

    private static async Task<string?> OutcomeAsync(HttpResponseMessage answer) => answer.IsSuccessStatusCode
        ? $"{(int)answer.StatusCode}"
        : (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();

    /// <summary>By turns at one node and at the other, and each twice, as who has got no answer does.</summary>
    private async Task SendFiftyAsync(int sender)
    {
        for (var i = 0; i < 50; i++)
        {
            await SendAsync(i % 2 == 0 ? nodes.One : nodes.Other, $"{sender}.{i}", id: $"{sender}.{i}");
            await SendAsync(i % 2 == 0 ? nodes.Other : nodes.One, $"{sender}.{i}", id: $"{sender}.{i}");
        }
    }

    private Task<NotificationReceipt> SendAsync(TenantNode node, string title, string? id = null, string? collapseKey = null) => node.Services.GetRequiredService<INotifier>().SendAsync(
        new Notification("mention", title) { CollapseKey = collapseKey }, NotificationAudience.User("ada"), id, _tenant, Topology.Cancelled);

    private async Task<RealtimeClient> ConnectAsync(TenantNode node)
    {
        var client = new RealtimeClient(node.Address, () => Task.FromResult<string?>(TenantNode.Token(_tenant)));
        await client.ConnectAsync(Topology.Cancelled);
        return client;
    }

    private Task<HttpClient> ManagerAsync(TenantNode node) => HttpAsync(node, "manager", """[{"topic":"system:notifications","operations":["manage"]}]""");

    private async Task<HttpClient> HttpAsync(TenantNode node, string user, string grants)
    {
        var http = new HttpClient { BaseAddress = node.Address };
        using var answer = await http.PostAsJsonAsync("/auth/token", new { user, tenant = _tenant, grants = JsonElement.Parse(grants) }, Topology.Cancelled);
        answer.EnsureSuccessStatusCode();
        http.DefaultRequestHeaders.Authorization = new("Bearer", (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString());
        return http;
    }

    /// <summary>Started once for all of them.</summary>
    public sealed class Nodes(Topology topology) : IAsyncLifetime
    {
        internal TenantNode One { get; private set; } = null!;

        internal TenantNode Other { get; private set; } = null!;

        internal PostgresDatabase Database { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Database = await PostgresDatabase.CreateAsync(topology);
            One = await TenantNode.StartAsync(Database, ("Realtime:Notifications:PollMs", "50"));
            Other = await TenantNode.StartAsync(Database, ("Realtime:Notifications:PollMs", "50"));
        }

        public async ValueTask DisposeAsync()
        {
            await One.DisposeAsync();
            await Other.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
