using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Notifications;
using SmtpServer.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What tells of a notification when nobody is there, over a real SMTP server and a real push service, which count what they get.</summary>
[Collection(SharedTopology.Name)]
public sealed class NotificationDeliveryScenarios(Topology topology) : IAsyncLifetime
{
    private static readonly (string, string)[] AtOnce =
    [
        ("Realtime:Notifications:PollMs", "50"), ("Realtime:Notifications:PushDelaySeconds", "0"), ("Realtime:Notifications:EmailDelaySeconds", "0"),
        ("Realtime:Notifications:FirstRetrySeconds", "0"),
    ];

    // What is not answered is not given up while a test waits for something else.
    private static readonly (string, string)[] Patient = [.. AtOnce, ("Realtime:Notifications:SendTimeoutSeconds", "120"), ("Realtime:Notifications:LeaseSeconds", "300")];

    private readonly string _tenant = $"t{Guid.NewGuid():n}";
    private readonly SmtpInbox _mail = SmtpInbox.Start();
    private PostgresDatabase _database = null!;
    private PushService _push = null!;

    public async ValueTask InitializeAsync()
    {
        _push = await PushService.StartAsync();
        _database = await PostgresDatabase.CreateAsync(topology);
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _push.DisposeAsync();
        await _mail.DisposeAsync();
    }

    [Fact]
    public async Task Two_nodes_tell_each_device_and_each_mailbox_once_and_the_log_says_so()
    {
        await using var one = await StartAsync(AtOnce);
        await using var other = await StartAsync(AtOnce);
        using var http = one.Http(_tenant);
        var key = (await http.GetFromJsonAsync<JsonElement>("/inbox/devices", Topology.Cancelled)).GetProperty("publicKey").GetString();
        Assert.Equal(_push.Settings().Single(setting => setting.Item1.EndsWith("PublicKey", StringComparison.Ordinal)).Item2, key);
        await ReachAsync(one, "ada", "phone", "laptop");
        var ids = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => SendAsync(i % 2 == 0 ? one : other, "ada", $"Number {i} <b>ü</b>")));

        await SettledAsync(60);

        Assert.Equal(20, _mail.Messages.Select(mail => mail.Subject).Distinct().Count());
        Assert.Equal((20, 40), (_mail.Messages.Count, _push.Messages.Count));
        Assert.Equal(40, _push.Messages.Select(message => $"{message.Browser} {message.Content.GetProperty("id")}").Distinct().Count());
        var mail = _mail.Messages.Single(mail => mail.Subject == "Number 7 <b>ü</b>");
        Assert.Equal(("ada@example.org", "noreply@example.org", "Come and see\n\nhttps://app.example.org/rooms/a"), (mail.To.Mailboxes.Single().Address, mail.From.Mailboxes.Single().Address, mail.TextBody!.ReplaceLineEndings("\n").TrimEnd()));
        var pushed = _push.Messages.First(message => message.Content.GetProperty("id").GetString() == ids[7]);
        // Without a word it is of normal urgency.
        Assert.Equal(("Number 7 <b>ü</b>", "/rooms/a", ""), (pushed.Content.GetProperty("title").GetString(), pushed.Content.GetProperty("link").GetString(), pushed.Urgency));
        Assert.InRange(pushed.TimeToLive, 1, 28 * 86_400);

        using var manager = await ManagerAsync(one);
        var log = await manager.GetFromJsonAsync<JsonElement>($"/notifications/{ids[7]}/deliveries", Topology.Cancelled);
        Assert.Equal(
            ["email  sent 1", "inbox  sent 0", "push laptop sent 1", "push phone sent 1"],
            log.GetProperty("deliveries").EnumerateArray().Select(entry => $"{entry.GetProperty("channel")} {entry.GetProperty("device")} {entry.GetProperty("state")} {entry.GetProperty("attempts")}").Order(StringComparer.Ordinal));
        Assert.All(log.GetProperty("deliveries").EnumerateArray(), entry => Assert.Equal(JsonValueKind.String, entry.GetProperty("sentAt").ValueKind));
    }

    [Fact]
    public async Task What_a_node_had_only_taken_on_another_one_sends_and_what_it_was_sending_is_unknown_and_not_sent_again()
    {
        // A node that does nothing by itself for a while.
        await using var gone = await StartAsync([.. AtOnce, ("Realtime:Notifications:PollMs", "60000")]);
        await ReachAsync(gone, "ada");
        await ReachAsync(gone, "bob");
        await SendAsync(gone, "ada", "Taken on");
        await SendAsync(gone, "bob", "Being sent");
        var store = gone.Services.GetRequiredService<DeliveryStore>();
        var lease = TimeSpan.FromMinutes(1);
        var claimed = await store.ClaimAsync(Channel.Email, 10, [], lease, Topology.Cancelled);
        Assert.Equal(2, claimed.Count);
        Assert.True(await store.BeginAsync(claimed.Single(delivery => delivery.User == "bob"), lease, Topology.Cancelled));
        Assert.Empty(await store.ClaimAsync(Channel.Email, 10, [], lease, Topology.Cancelled));
        // It dies here, and its leases end.
        await _database.ExecuteAsync("update realtime.notification_deliveries set lease_until = now() where state in ('leased', 'sending')");
        await using var other = await StartAsync(AtOnce);

        await Eventually.BecomesTrueAsync(() => !_mail.Messages.IsEmpty, "nobody sends it");
        using var manager = await ManagerAsync(other);
        JsonElement letter = default;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                var dead = (await manager.GetFromJsonAsync<JsonElement>("/notifications/dead-letters", Topology.Cancelled)).GetProperty("deadLetters");
                letter = dead.GetArrayLength() > 0 ? dead[0] : default;
                return dead.GetArrayLength() == 1;
            },
            "it is not told to be unknown");

        Assert.Equal(("bob", "email", "unknown"), (letter.GetProperty("user").GetString(), letter.GetProperty("channel").GetString(), letter.GetProperty("state").GetString()));
        // What the node that has gone says of it now counts no more.
        await store.SettleAsync(claimed[0], "dead", "late", due: null, Topology.Cancelled);
        await store.SettleAsync(claimed[1], "dead", "late", due: null, Topology.Cancelled);
        Assert.Equal(["Taken on"], _mail.Messages.Select(mail => mail.Subject));
        // The mail may be here before its node knows.
        await Eventually.BecomesTrueAsync(
            async () => (await _database.ReadAllAsync<string>("select state from realtime.notification_deliveries order by state")).SequenceEqual(["sent", "unknown"]), "what was sent does not count as sent");

        // An operator decides.
        using var retried = await manager.PostAsync($"/notifications/dead-letters/{letter.GetProperty("delivery")}/retry", null, Topology.Cancelled);
        retried.EnsureSuccessStatusCode();
        await Eventually.BecomesTrueAsync(() => _mail.Messages.Count == 2, "it is not tried again");
        Assert.Equal("not_found", await CodeAsync(await manager.PostAsync($"/notifications/dead-letters/{letter.GetProperty("delivery")}/retry", null, Topology.Cancelled)));
    }

    [Fact]
    public async Task What_is_read_or_acknowledged_in_time_is_told_nowhere_else()
    {
        // Whoever wants to be in time is: it is over when the test says so.
        await using var node = await StartAsync([.. AtOnce, ("Realtime:Notifications:PushDelaySeconds", "600"), ("Realtime:Notifications:EmailDelaySeconds", "600")]);
        await ReachAsync(node, "ada", "phone");
        var read = await SendAsync(node, "ada", "Read");
        var acknowledged = await SendAsync(node, "ada", "Acknowledged");
        using var http = node.Http(_tenant);
        using (var answer = await http.PostAsync($"/inbox/{read}/read", null, Topology.Cancelled))
            answer.EnsureSuccessStatusCode();
        var page = await http.GetFromJsonAsync<JsonElement>("/inbox", Topology.Cancelled);
        var epoch = page.GetProperty("position").GetProperty("epoch").GetString()!;
        using (var answer = await http.PutAsJsonAsync("/topics/user:ada/cursors/tablet", new { position = new Position(epoch, 2) }, Topology.Cancelled))
            answer.EnsureSuccessStatusCode();
        var heard = await SendAsync(node, "ada", "Not heard of");

        // A node that looks at what is due reckons by when it was sent.
        await _database.ExecuteAsync("update realtime.notifications set created_at = created_at - interval '600 seconds'");
        await _database.ExecuteAsync("update realtime.notification_deliveries set due_at = now() where state = 'waiting'");
        await SettledAsync(6);

        Assert.Equal(["Not heard of"], _mail.Messages.Select(mail => mail.Subject));
        Assert.Equal([heard], _push.Messages.Select(message => message.Content.GetProperty("id").GetString()));
        Assert.Equal(
            [$"{read} cancelled read", $"{read} cancelled read", $"{acknowledged} cancelled acknowledged", $"{acknowledged} cancelled acknowledged"],
            await _database.ReadAllAsync<string>(
                "select notification_id || ' ' || state || ' ' || reason from realtime.notification_deliveries where state = 'cancelled' order by notification_id"));
    }

    [Fact]
    public async Task What_is_not_taken_is_tried_again_or_given_up_and_a_browser_that_has_gone_is_forgotten()
    {
        await using var node = await StartAsync([.. AtOnce, ("Realtime:Notifications:MaxAttempts", "3")]);
        await ReachAsync(node, "ada", "phone", "old", "strange");
        var (busy, asked) = (2, 0);
        _push.Answer = browser => browser switch
        {
            "phone" when Interlocked.Decrement(ref busy) >= 0 => StatusCodes.Status503ServiceUnavailable,
            "old" => StatusCodes.Status410Gone,
            "strange" => StatusCodes.Status400BadRequest,
            _ => StatusCodes.Status201Created,
        };
        _mail.Answer = _ =>
        {
            Interlocked.Increment(ref asked);
            return new SmtpResponse((SmtpReplyCode)450, "Later.");
        };

        var id = await SendAsync(node, "ada", "Hi");
        await SettledAsync(4);

        using var manager = await ManagerAsync(node);
        var log = await manager.GetFromJsonAsync<JsonElement>($"/notifications/{id}/deliveries", Topology.Cancelled);
        Assert.Equal(
            ["email  dead 3", "inbox  sent 0", "push old cancelled 1", "push phone sent 3", "push strange dead 1"],
            log.GetProperty("deliveries").EnumerateArray().Select(entry => $"{entry.GetProperty("channel")} {entry.GetProperty("device")} {entry.GetProperty("state")} {entry.GetProperty("attempts")}").Order(StringComparer.Ordinal));
        Assert.Equal((3, 1), (asked, _push.Messages.Count));
        using var http = node.Http(_tenant);
        var devices = await http.GetFromJsonAsync<JsonElement>("/inbox/devices", Topology.Cancelled);
        Assert.Equal(["phone", "strange"], devices.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("device").GetString()));

        // A server that is there again, and an operator who says so.
        _mail.Answer = static _ => SmtpResponse.Ok;
        var dead = (await manager.GetFromJsonAsync<JsonElement>("/notifications/dead-letters", Topology.Cancelled)).GetProperty("deadLetters").EnumerateArray().ToArray();
        Assert.Equal(2, dead.Length);
        using var retried = await manager.PostAsync($"/notifications/dead-letters/{dead.Single(letter => letter.GetProperty("channel").GetString() == "email").GetProperty("delivery")}/retry", null, Topology.Cancelled);
        await Eventually.BecomesTrueAsync(() => _mail.Messages.Count == 1, "it is not tried again");

        // Another user who signs in in the same browser has it for himself.
        await ReachAsync(node, "bob", "phone");
        devices = await http.GetFromJsonAsync<JsonElement>("/inbox/devices", Topology.Cancelled);
        Assert.Equal(["strange"], devices.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("device").GetString()));
    }

    [Fact]
    public async Task A_mail_server_that_takes_connections_and_says_nothing_holds_up_no_push()
    {
        using var silent = Listen();
        await using var node = await StartAsync([.. Patient, ("Realtime:Notifications:Email:Port", $"{PortOf(silent)}")]);
        await _database.ExecuteAsync("insert into realtime.inboxes (tenant, user_id, email) select $1, 'u' || i, 'u' || i || '@example.org' from generate_series(1, 12) i", _tenant);
        for (var i = 1; i <= 12; i++)
            await SendAsync(node, $"u{i}", "By mail");

        // As many as there are places.
        await Eventually.BecomesTrueAsync(async () => await UnderWayAsync("email") == 8, "the mails are not begun");
        await ReachAsync(node, "ada", "phone");
        var id = await SendAsync(node, "ada", "By push");

        await Eventually.BecomesTrueAsync(() => !_push.Messages.IsEmpty, "the push waits for the mails");
        Assert.Equal([id], _push.Messages.Select(message => message.Content.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task Devices_of_one_user_that_never_answer_hold_up_nobody_else()
    {
        using var silent = Listen();
        await using var node = await StartAsync(Patient);
        using (var http = node.Http(_tenant, "bob"))
        {
            for (var i = 0; i < 12; i++)
            {
                var keys = JsonSerializer.SerializeToElement(_push.Subscribe($"bob{i}")).GetProperty("keys");
                using var put = await http.PutAsJsonAsync($"/inbox/devices/bob{i}", new { endpoint = $"http://127.0.0.1:{PortOf(silent)}/{i}", keys }, Topology.Cancelled);
                put.EnsureSuccessStatusCode();
            }
        }

        await SendAsync(node, "bob", "Hi");
        await Eventually.BecomesTrueAsync(async () => await UnderWayAsync("push") >= 2, "the pushes are not begun");
        await ReachAsync(node, "ada", "phone", "laptop", "tablet");
        var id = await SendAsync(node, "ada", "Hi");

        // More than he may have under way at once: each that ends makes room for the next one.
        await Eventually.BecomesTrueAsync(() => _push.Messages.Count == 3, "one waits for the other's");
        Assert.All(_push.Messages, message => Assert.Equal(id, message.Content.GetProperty("id").GetString()));
        await Eventually.BecomesTrueAsync(async () => await UnderWayAsync("push") == 2, "he has more than two places");
    }

    [Fact]
    public async Task A_push_goes_to_no_private_address_whatever_its_name()
    {
        await using var node = await StartAsync([.. AtOnce, ("Realtime:Notifications:Push:AllowPrivateAddresses", "false")]);
        var keys = JsonSerializer.SerializeToElement(_push.Subscribe("phone")).GetProperty("keys");
        using var http = node.Http(_tenant);
        // The name passes; where it leads is seen when it is connected to.
        using (var put = await http.PutAsJsonAsync("/inbox/devices/phone", new { endpoint = "https://localhost:9/push", keys }, Topology.Cancelled))
            put.EnsureSuccessStatusCode();

        await SendAsync(node, "ada", "Hi");
        await SettledAsync(1);

        Assert.Equal(["dead: its endpoint is at no public address"], await _database.ReadAllAsync<string>("select state || ': ' || reason from realtime.notification_deliveries"));
    }

    private Task<TenantNode> StartAsync((string, string)[] settings) => TenantNode.StartAsync(_database, [.. _mail.Settings(), .. _push.Settings(), .. settings]);

    /// <summary>Connections to it are made, and then nothing comes.</summary>
    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    private static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    private Task<long> UnderWayAsync(string channel) =>
        _database.ReadAsync<long>("select count(*) from realtime.notification_deliveries where channel = $1 and state in ('leased', 'sending')", channel);

    /// <summary>Everything there is to tell has been told or given up.</summary>
    private Task SettledAsync(long count) => Eventually.BecomesTrueAsync(
        async () => await _database.ReadAsync<long>("select count(*) from realtime.notification_deliveries where channel <> 'live' and state not in ('waiting', 'leased', 'sending')") == count,
        "not everything is settled");

    private async Task<string> SendAsync(TenantNode node, string user, string title)
    {
        var receipt = await node.Services.GetRequiredService<INotifier>().SendAsync(
            new Notification("mention", title) { Body = "Come and see", Link = "/rooms/a" }, NotificationAudience.User(user), tenant: _tenant, cancellationToken: Topology.Cancelled);
        return receipt.Id;
    }

    private async Task ReachAsync(TenantNode node, string user, params string[] browsers)
    {
        using var http = node.Http(_tenant, user);
        foreach (var browser in browsers)
        {
            using var put = await http.PutAsJsonAsync($"/inbox/devices/{browser}", _push.Subscribe(browser), Topology.Cancelled);
            put.EnsureSuccessStatusCode();
        }

        using var manager = await ManagerAsync(node);
        using var told = await manager.PutAsJsonAsync($"/notifications/recipients/{user}", new { email = $"{user}@example.org" }, Topology.Cancelled);
        told.EnsureSuccessStatusCode();
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("code").GetString();

    private async Task<HttpClient> ManagerAsync(TenantNode node)
    {
        var http = new HttpClient { BaseAddress = node.Address };
        var asked = new { user = "manager", tenant = _tenant, grants = JsonElement.Parse("""[{"topic":"system:notifications","operations":["manage"]}]""") };
        using var answer = await http.PostAsJsonAsync("/auth/token", asked, Topology.Cancelled);
        answer.EnsureSuccessStatusCode();
        http.DefaultRequestHeaders.Authorization = new("Bearer", (await answer.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString());
        return http;
    }
}
