using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What rooms tell users who are not in them: that they are mentioned, or were added. On two nodes over one database.</summary>
[Collection(SharedTopology.Name)]
public sealed class ChatNoticeScenarios(NotificationScenarios.Nodes nodes) : IClassFixture<NotificationScenarios.Nodes>
{
    private readonly string _tenant = $"t{Guid.NewGuid():n}";
    private readonly string _room = $"r{Guid.NewGuid():n}";

    [Fact]
    public async Task Who_is_mentioned_is_told_once_whichever_nodes_see_it_and_however_often_it_is_retried_or_made_again()
    {
        await JoinAsync("bob");
        await JoinAsync("eve");

        var message = await SayAsync(nodes.One, "ada", "hi all", ["bob", "ada", "nobody-knows"], id: "m1");
        Assert.Equal(message, await SayAsync(nodes.Other, "ada", "hi all", ["bob", "ada", "nobody-knows"], id: "m1"));
        await EditAsync("ada", message, "hi all, and eve", ["bob", "eve"]);
        await EditAsync("ada", message, "hi all, and eve!", ["bob", "eve"]);

        await ToldAsync("bob", 1);
        await ToldAsync("eve", 1);
        var told = Assert.Single(await InboxAsync("bob"));
        Assert.Equal(
            ("mention", $"ada mentioned you in {_room}", $"/rooms/{_room}?at={message}", $"room:{_room}"),
            (told.GetProperty("kind").GetString(), told.GetProperty("title").GetString(), told.GetProperty("link").GetString(), told.GetProperty("data").GetProperty("topic").GetString()));

        // A node that dies when it has sent it, and before it has put that on record, leaves it for another one to send.
        await nodes.Database.ExecuteAsync(
            "insert into realtime.chat_mentions (tenant, topic_id, \"offset\", user_id) select tenant, topic_id, 1, 'bob' from realtime.topics where tenant = $1 and topic = $2", _tenant, $"room:{_room}");
        await SettledAsync();
        Assert.Equal((1, 1), ((await InboxAsync("bob")).Count, (await InboxAsync("eve")).Count));

        // Nothing is left by which a notification could be known again, and still nobody is told of what is old.
        await nodes.Database.ExecuteAsync("delete from realtime.notifications where tenant = $1", _tenant);
        await nodes.One.Services.GetRequiredService<ChatProjector>().RebuildAsync(new TopicKey(_tenant, TopicName.Parse($"room:{_room}")), Topology.Cancelled);
        var next = await SayAsync(nodes.Other, "eve", "bob?", ["bob"]);
        await ToldAsync("bob", 1);
        await SettledAsync();
        Assert.Equal($"/rooms/{_room}?at={next}", Assert.Single(await InboxAsync("bob")).GetProperty("link").GetString());
        Assert.Empty(await InboxAsync("eve"));
        Assert.Empty(await InboxAsync("ada"));
        Assert.Equal(0L, await nodes.Database.ReadAsync<long>("select count(*) from realtime.inboxes where tenant = $1 and user_id = 'nobody-knows'", _tenant));
    }

    [Fact]
    public async Task Of_a_private_room_only_members_are_told_and_whom_somebody_else_adds_is_invited_once()
    {
        await nodes.Database.ExecuteAsync("insert into realtime.inboxes (tenant, user_id) values ($1, 'eve')", _tenant);
        using (var made = await SendAsync(nodes.One, "ada", HttpMethod.Post, "/rooms", new { title = "The board", kind = "private", name = _room, members = new[] { "bob" } }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await ToldAsync("bob", 1);
        using (var again = await SendAsync(nodes.Other, "ada", HttpMethod.Put, $"/topics/room:{_room}/members/bob", new { role = "admin" }))
            Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        var message = await SayAsync(nodes.Other, "ada", "who is for it?", ["bob", "eve"]);
        await ToldAsync("bob", 2);
        await SettledAsync();

        Assert.Equal(
            [("mention", "ada mentioned you in The board", $"/rooms/{_room}?at={message}"), ("invitation", "ada added you to The board", $"/rooms/{_room}")],
            (await InboxAsync("bob")).Select(told => (told.GetProperty("kind").GetString(), told.GetProperty("title").GetString(), told.GetProperty("link").GetString()))!);
        Assert.Empty(await InboxAsync("eve"));
        Assert.Empty(await InboxAsync("ada"));

        // Who comes by himself needs no invitation; who is added again is invited again.
        await JoinAsync("joe", $"{_room}-open");
        using (var removed = await SendAsync(nodes.One, "ada", HttpMethod.Delete, $"/topics/room:{_room}/members/bob"))
            Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        using (var back = await SendAsync(nodes.One, "ada", HttpMethod.Put, $"/topics/room:{_room}/members/bob", new { role = "member" }))
            Assert.Equal(HttpStatusCode.NoContent, back.StatusCode);
        await ToldAsync("bob", 3);
        await SettledAsync();
        Assert.Empty(await InboxAsync("joe"));
    }

    [Fact]
    public async Task Who_was_away_while_500_messages_and_200_notifications_came_finds_each_once_and_in_order_on_two_devices_which_agree_on_what_is_read()
    {
        await JoinAsync("ada");
        string[] authors = ["bob", "eve", "joe", "kim", "lea"];
        // 500 messages, each tenth of which mentions her: 50 notifications. 150 more are sent, each of it twice, by turns at both nodes.
        await Task.WhenAll(
        [
            .. authors.Select(async author =>
            {
                for (var i = 0; i < 100; i++)
                {
                    await SayAsync(i % 2 == 0 ? nodes.One : nodes.Other, author, $"{author} {i}", i % 10 == 3 ? ["ada"] : [], id: $"{author}.{i}");
                    // As who has got no answer does.
                    if (i % 10 is 3 or 7)
                        await SayAsync(i % 2 == 0 ? nodes.Other : nodes.One, author, $"{author} {i}", i % 10 == 3 ? ["ada"] : [], id: $"{author}.{i}");
                }
            }),
            .. Enumerable.Range(0, 3).Select(async sender =>
            {
                for (var i = 0; i < 50; i++)
                {
                    await NotifyAsync(i % 2 == 0 ? nodes.One : nodes.Other, $"{sender}.{i}");
                    await NotifyAsync(i % 2 == 0 ? nodes.Other : nodes.One, $"{sender}.{i}");
                }
            }),
        ]);
        await SettledAsync();

        await using var phone = await ConnectAsync(nodes.One);
        await using var laptop = await ConnectAsync(nodes.Other);
        var topics = new[] { $"room:{_room}", "user:ada" };
        var seen = await Task.WhenAll(
            from device in new[] { phone, laptop } from topic in topics select TakeAsync(device, topic, topic == topics[0] ? 500 : 200));
        var (messages, notifications) = (seen[0], seen[1]);

        Assert.Equal(messages.Select(told => told.Id), seen[2].Select(told => told.Id));
        Assert.Equal(notifications.Select(told => told.Id), seen[3].Select(told => told.Id));
        Assert.Equal(Enumerable.Range(1, 500).Select(offset => (long?)offset), messages.Select(told => told.Offset));
        Assert.Equal(500, messages.Select(told => told.Data.Payload.GetProperty("text").GetString()).Distinct().Count());
        foreach (var author in authors)
            Assert.Equal(Enumerable.Range(0, 100).Select(i => $"{author} {i}"), messages.Where(told => told.Data.UserId == author).Select(told => told.Data.Payload.GetProperty("text").GetString()));
        Assert.Equal(Enumerable.Range(1, 200).Select(offset => (long?)offset), notifications.Select(told => told.Offset));
        Assert.Equal(Enumerable.Range(1, 200), notifications.Select(told => told.Data.Payload.GetProperty("unread").GetInt32()));
        Assert.Equal(200, notifications.Select(told => told.Data.Payload.GetProperty("id").GetString()).Distinct().Count());
        var mentioned = messages.Where(told => told.Data.Payload.TryGetProperty("mentions", out var users) && users.GetArrayLength() > 0).Select(told => $"/rooms/{_room}?at={told.Offset}");
        Assert.Equal(
            mentioned.Order(StringComparer.Ordinal),
            notifications.Select(told => told.Data.Payload.GetProperty("link").GetString()).OfType<string>().Order(StringComparer.Ordinal));

        // What is unread is exact on both, and read on one is read on the other.
        await AgreeAsync(500, 50, 200);
        using (var read = await SendAsync(nodes.One, "ada", HttpMethod.Post, $"/rooms/{_room}/read", new { offset = 420 }))
            Assert.Equal(HttpStatusCode.NoContent, read.StatusCode);
        using (var late = await SendAsync(nodes.Other, "ada", HttpMethod.Post, $"/rooms/{_room}/read", new { offset = 300 }))
            Assert.Equal(HttpStatusCode.NoContent, late.StatusCode);
        using (var inbox = await SendAsync(nodes.Other, "ada", HttpMethod.Post, "/inbox/read", new { upTo = 190 }))
            Assert.Equal("""{"changed":190,"unread":10}""", await inbox.Content.ReadAsStringAsync(Topology.Cancelled));
        await AgreeAsync(80, messages.Skip(420).Count(told => told.Data.Payload.TryGetProperty("mentions", out var users) && users.GetArrayLength() > 0), 10);
    }

    /// <summary>Both nodes count the same.</summary>
    private async Task AgreeAsync(int unread, int mentions, int notifications)
    {
        foreach (var node in (TenantNode[])[nodes.One, nodes.Other])
        {
            var room = await GetAsync(node, "ada", $"/rooms/{_room}");
            var inbox = await GetAsync(node, "ada", "/inbox/unread");
            Assert.Equal((unread, mentions, notifications), (room.GetProperty("unread").GetInt32(), room.GetProperty("mentions").GetInt32(), inbox.GetProperty("unread").GetInt32()));
            var positions = (await GetAsync(node, "ada", $"/rooms/{_room}/positions")).GetProperty("positions").EnumerateArray().Where(position => position.GetProperty("user").GetString() == "ada");
            Assert.Equal(unread == 500 ? [] : [420], positions.Select(position => position.GetProperty("read").GetInt32()));
        }
    }

    private static async Task<List<TopicEvent>> TakeAsync(RealtimeClient device, string topic, int count)
    {
        await using var subscription = await device.SubscribeAsync(topic, new SubscribeOptions { Position = Position.Origin }, Topology.Cancelled);
        var taken = new List<TopicEvent>();
        await foreach (var told in subscription.WithCancellation(Topology.Cancelled))
        {
            taken.Add(told);
            if (taken.Count == count)
                break;
        }

        return taken;
    }

    private async Task<RealtimeClient> ConnectAsync(TenantNode node)
    {
        var client = new RealtimeClient(node.Address, () => Task.FromResult<string?>(TenantNode.Token(_tenant)));
        await client.ConnectAsync(Topology.Cancelled);
        return client;
    }

    private Task<NotificationReceipt> NotifyAsync(TenantNode node, string title) => node.Services.GetRequiredService<INotifier>().SendAsync(
        new Notification("system", title), NotificationAudience.User("ada"), title, _tenant, Topology.Cancelled);

    private async Task ToldAsync(string user, int count) => await Eventually.BecomesTrueAsync(async () => (await InboxAsync(user)).Count == count, $"{user} is not told {count} times");

    /// <summary>Nothing waits to be told any more.</summary>
    private async Task SettledAsync() => await Eventually.BecomesTrueAsync(
        async () => await nodes.Database.ReadAsync<long>(
            """
            select (select count(*) from realtime.chat_mentions where tenant = $1) + (select count(*) from realtime.members where tenant = $1 and invitation_due is not null)
                 + (select count(*) from realtime.topics t left join realtime.chat_projections p using (topic_id) where t.tenant = $1 and t.topic like 'room:%' and t.last_offset > coalesce(p."offset", 0))
            """,
            _tenant) == 0,
        "something is still to be told");

    private async Task<List<JsonElement>> InboxAsync(string user) => [.. (await GetAsync(nodes.One, user, "/inbox?limit=200")).GetProperty("notifications").EnumerateArray()];

    private async Task JoinAsync(string user, string? room = null)
    {
        using var joined = await SendAsync(nodes.One, user, HttpMethod.Put, $"/rooms/{room ?? _room}/membership");
        Assert.Equal(HttpStatusCode.NoContent, joined.StatusCode);
    }

    private async Task EditAsync(string user, string message, string text, string[] mentions) =>
        await PublishAsync(nodes.Other, user, new { @event = "chat:edit", entityId = message, payload = new { text, mentions } });

    private async Task<string> SayAsync(TenantNode node, string user, string text, string[] mentions, string? id = null)
    {
        var outcome = await PublishAsync(node, user, new { @event = "chat:message", id, payload = new { text, mentions } });
        return $"{outcome.GetProperty("position").GetProperty("offset").GetInt64()}";
    }

    private async Task<JsonElement> PublishAsync(TenantNode node, string user, object body)
    {
        using var answer = await SendAsync(node, user, HttpMethod.Post, $"/topics/room:{_room}/events", body);
        var text = await answer.Content.ReadAsStringAsync(Topology.Cancelled);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonElement.Parse(text);
    }

    private async Task<JsonElement> GetAsync(TenantNode node, string user, string path)
    {
        using var answer = await SendAsync(node, user, HttpMethod.Get, path);
        return await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
    }

    private async Task<HttpResponseMessage> SendAsync(TenantNode node, string user, HttpMethod method, string path, object? body = null)
    {
        using var http = node.Http(_tenant, user);
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        return await http.SendAsync(request, Topology.Cancelled);
    }
}
