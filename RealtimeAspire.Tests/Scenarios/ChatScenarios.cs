using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Server.Chat;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Rooms over a real database, by two nodes.</summary>
[Collection(SharedTopology.Name)]
public sealed class ChatScenarios(ChatScenarios.Nodes nodes) : IClassFixture<ChatScenarios.Nodes>
{
    private static readonly string[] Users = ["ada", "bob", "eve"];
    private static readonly string[] Emojis = ["👍", "🎉"];

    private readonly string _room = $"r{Guid.NewGuid():n}";

    [Fact]
    public async Task Whatever_three_users_do_at_once_on_two_nodes_both_show_the_same_which_is_what_the_log_says_and_what_a_rebuild_makes()
    {
        var seed = Random.Shared.Next();
        for (var i = 0; i < 5; i++)
            await SayAsync("ada", $"message {i}");
        await Task.WhenAll(Users.SelectMany((user, i) => new[] { (user, node: nodes.First, seed: seed + i), (user, node: nodes.Second, seed: seed + 10 + i) })
            .Select(who => ActAsync(who.user, who.node, new Random(who.seed))));

        // A reader sees what was published before he asks, whichever node he asks.
        var shown = await ReadAllAsync(nodes.First);
        Assert.Equal(shown, await ReadAllAsync(nodes.Second));
        Assert.Equal(await FoldAsync(), shown);
        await nodes.Second.Services.GetRequiredService<ChatProjector>().RebuildAsync(Topic, Topology.Cancelled);
        Assert.Equal(shown, await ReadAllAsync(nodes.First));

        // Neither counts anything twice: what each says of reactions is what is stored.
        var page = await GetAsync(nodes.First, "eve", "messages?limit=200");
        Assert.All(page.GetProperty("messages").EnumerateArray(), message => Assert.All(
            message.GetProperty("reactions").EnumerateArray(), reaction => Assert.Equal(reaction.GetProperty("count").GetInt32(), reaction.GetProperty("users").GetArrayLength())));
    }

    [Fact]
    public async Task What_comes_to_nothing_is_refused_before_the_log_with_its_reason()
    {
        var id = await SayAsync("ada", "mine");

        Assert.Equal("not_author", await RefusalAsync("bob", "chat:edit", id, new { text = "yours" }));
        Assert.Equal("not_author", await RefusalAsync("bob", "chat:delete", id, new { by = "bob" }));
        Assert.Equal("message_not_found", await RefusalAsync("ada", "chat:edit", "99", new { text = "x" }));
        Assert.Equal("message_not_found", await RefusalAsync("ada", "chat:reaction", null, new { emoji = "👍", on = true }));
        Assert.Equal("message_not_found", await RefusalAsync("bob", "chat:message", null, new { text = "x", replyTo = "0" }));
        Assert.Null(await RefusalAsync("ada", "chat:edit", id, new { text = "mine still" }));
        Assert.Null(await RefusalAsync("ada", "chat:delete", id, new { }));
        Assert.Equal("message_not_found", await RefusalAsync("bob", "chat:reaction", id, new { emoji = "👍", on = true }));
        Assert.Equal("payload_invalid", await RefusalAsync("bob", "chat:reaction", id, new { emoji = "", on = true }));

        Assert.Equal([("chat:message", "1"), ("chat:edit", "2"), ("chat:delete", "3")], (await LogAsync()).Select(logged => (logged.Event, $"{logged.Position.Offset}")));
    }

    [Fact]
    public async Task A_room_is_read_in_both_directions_and_from_any_place()
    {
        for (var i = 1; i <= 9; i++)
            await SayAsync("ada", $"message {i}");
        await SayAsync("bob", "in a thread", new { thread = "3" });

        Assert.Equal((Ids(7, 8, 9), true, false), await PageAsync("limit=3"));
        Assert.Equal((Ids(4, 5, 6), true, true), await PageAsync("limit=3&before=7"));
        Assert.Equal((Ids(1, 2, 3), false, true), await PageAsync("limit=3&before=4"));
        Assert.Equal((Ids(8, 9), true, false), await PageAsync("limit=3&after=7"));
        Assert.Equal((Ids(3, 4, 5, 6), true, true), await PageAsync("limit=4&around=5"));
        var fifth = (await GetAsync(nodes.First, "ada", "messages/5")).GetProperty("at").GetString();
        Assert.Contains("5", (await PageAsync($"limit=6&at={Uri.EscapeDataString(fifth!)}")).Ids, StringComparison.Ordinal);
        Assert.Equal((Ids(10), false, false), Slice(await GetAsync(nodes.First, "ada", "messages/3/thread")));
        Assert.Equal(1, (await GetAsync(nodes.First, "ada", "messages/3")).GetProperty("replies").GetInt32());
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(nodes.First, "ada", HttpMethod.Get, "messages?before=3&after=2")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(nodes.First, "ada", HttpMethod.Get, "messages/77")).StatusCode);
    }

    [Fact]
    public async Task What_is_unread_is_counted_exactly_and_a_position_never_moves_back()
    {
        await JoinAsync("bob");
        for (var i = 1; i <= 6; i++)
            await SayAsync("ada", $"message {i}", i % 2 == 0 ? new { mentions = new[] { "bob" } } : null);
        await SayAsync("bob", "my own");
        Assert.Null(await RefusalAsync("ada", "chat:delete", "6", new { }));

        Assert.Equal((5, 2), await UnreadAsync("bob"));
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.Second, "bob", HttpMethod.Post, "read", new { offset = 3 })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, "bob", HttpMethod.Post, "read", new { offset = 2 })).StatusCode);
        Assert.Equal((2, 1), await UnreadAsync("bob"));
        Assert.Equal("4", (await GetAsync(nodes.First, "bob", "messages?unread=true")).GetProperty("firstUnread").GetString());
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, "eve", HttpMethod.Post, "delivered", new { offset = 4 })).StatusCode);
        var receipts = await GetAsync(nodes.First, "ada", "messages/3/receipts");
        Assert.Equal((2, 1), (receipts.GetProperty("delivered").GetInt32(), receipts.GetProperty("read").GetInt32()));
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(nodes.First, "bob", HttpMethod.Post, "read", new { offset = 99 })).StatusCode);
    }

    [Fact]
    public async Task Words_are_found_with_their_places_and_nothing_of_others_rooms()
    {
        await SayAsync("ada", "the <b>quick</b> brown fox");
        await SayAsync("bob", "a slow fox");
        await SayAsync("bob", "no animal");
        var secret = $"s{Guid.NewGuid():n}";
        using (var made = await SendAsync(nodes.First, "eve", HttpMethod.Post, "/rooms", new { title = "Secret", kind = "private", name = secret }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await SayAsync("eve", $"a hidden fox of {_room}", room: secret);

        var found = (await GetAsync(nodes.Second, "ada", "search?q=fox%20-slow")).GetProperty("found");
        var only = Assert.Single(found.EnumerateArray());
        Assert.Equal("1", only.GetProperty("message").GetProperty("id").GetString());
        var mark = only.GetProperty("marks")[0];
        Assert.Equal("fox", only.GetProperty("snippet").GetString()!.Substring(mark.GetProperty("begin").GetInt32(), mark.GetProperty("length").GetInt32()));
        Assert.Empty((await GetAsync(nodes.First, "ada", "search?q=missing")).GetProperty("found").EnumerateArray());

        async Task<int> FoundAsync(string user)
        {
            using var answer = await SendAsync(nodes.First, user, HttpMethod.Get, $"/search?q={_room}");
            return (await ReadAsync(answer)).GetProperty("found").GetArrayLength();
        }

        Assert.Equal((0, 1), (await FoundAsync("ada"), await FoundAsync("eve")));
    }

    [Fact]
    public async Task A_direct_room_is_one_for_two_whichever_of_them_comes_first_and_nobody_elses()
    {
        var (one, other) = ($"u{Guid.NewGuid():n}", $"v{Guid.NewGuid():n}");
        var rooms = await Task.WhenAll(
            SendAsync(nodes.First, one, HttpMethod.Put, $"/rooms/direct/{other}"), SendAsync(nodes.Second, other, HttpMethod.Put, $"/rooms/direct/{one}"));
        var names = new List<string>();
        foreach (var room in rooms)
        {
            using (room)
                names.Add((await ReadAsync(room)).GetProperty("name").GetString()!);
        }

        Assert.Equal(names[0], names[1]);
        await SayAsync(one, "for you alone", room: names[0]);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(nodes.First, other, HttpMethod.Get, "messages", room: names[0])).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(nodes.First, "eve", HttpMethod.Get, "messages", room: names[0])).StatusCode);
        using var mine = await SendAsync(nodes.Second, other, HttpMethod.Get, "/rooms");
        var listed = Assert.Single((await ReadAsync(mine)).GetProperty("rooms").EnumerateArray(), room => room.GetProperty("name").GetString() == names[0]);
        Assert.Equal(("direct", 2, 1, "for you alone"), (
            listed.GetProperty("kind").GetString(), listed.GetProperty("members").GetInt32(), listed.GetProperty("unread").GetInt32(),
            listed.GetProperty("lastMessage").GetProperty("text").GetString()));
        using var theirs = await SendAsync(nodes.First, "eve", HttpMethod.Get, "/rooms");
        Assert.DoesNotContain((await ReadAsync(theirs)).GetProperty("rooms").EnumerateArray(), room => room.GetProperty("name").GetString() == names[0]);
    }

    [Fact]
    public async Task A_moderator_mutes_slows_down_and_takes_back_what_was_reported()
    {
        using (var made = await SendAsync(nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Talk", name = _room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var id = await SayAsync("bob", "rubbish");

        Assert.Equal(HttpStatusCode.Created, (await AskAsync(nodes.First, "eve", HttpMethod.Post, $"messages/{id}/reports", new { reason = "rubbish" })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, "eve", HttpMethod.Post, $"messages/{id}/reports", new { reason = "again" })).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(nodes.First, "eve", HttpMethod.Get, "reports")).StatusCode);
        var report = Assert.Single((await GetAsync(nodes.Second, "ada", "reports")).GetProperty("reports").EnumerateArray());
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(nodes.First, "eve", HttpMethod.Delete, $"messages/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.Second, "ada", HttpMethod.Delete, $"messages/{id}")).StatusCode);
        Assert.Equal("ada", (await GetAsync(nodes.First, "eve", $"messages/{id}")).GetProperty("deletedBy").GetString());
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, "ada", HttpMethod.Put, $"reports/{report.GetProperty("id").GetInt64()}/resolution", new { resolution = "deleted" })).StatusCode);
        Assert.Empty((await GetAsync(nodes.First, "ada", "reports")).GetProperty("reports").EnumerateArray());

        // Said to one node, it counts on the other too.
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.Second, "ada", HttpMethod.Put, "mutes/bob", new { seconds = 600 })).StatusCode);
        await Eventually.BecomesTrueAsync(async () => await RefusalAsync("bob", "chat:message", null, new { text = "me?" }) == "muted", "he is not muted");
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, "ada", HttpMethod.Delete, "mutes/bob")).StatusCode);
        Assert.Null(await RefusalAsync("bob", "chat:message", null, new { text = "me." }));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(nodes.First, "ada", HttpMethod.Patch, null, new { slowSeconds = 600 })).StatusCode);
        Assert.Null(await RefusalAsync("eve", "chat:message", null, new { text = "one" }, id: "e1"));
        Assert.Equal("slow_mode", await RefusalAsync("eve", "chat:message", null, new { text = "two" }));
        // A retry is no second message, and the owner does not wait.
        Assert.Null(await RefusalAsync("eve", "chat:message", null, new { text = "one" }, id: "e1"));
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "one" }));
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "two" }));
    }

    [Fact]
    public async Task What_an_application_publishes_in_SQL_is_there_for_the_next_reader()
    {
        await nodes.Database.ExecuteAsync($"select realtime.publish('room:{_room}', 'chat:message', json_build_object('text', 'from ' || i)) from generate_series(1, 2500) i");

        Assert.Equal((Ids(2500), true, false), await PageAsync("limit=1"));
    }

    [Fact]
    public async Task Who_joins_a_private_room_sees_what_came_after()
    {
        using (var made = await SendAsync(nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Private", kind = "private", name = _room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await SayAsync("ada", "before");
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(nodes.First, "bob", HttpMethod.Put, "membership")).StatusCode);
        using (var added = await SendAsync(nodes.First, "ada", HttpMethod.Put, $"/topics/room:{_room}/members/bob", new { role = "member" }))
            Assert.Equal(HttpStatusCode.NoContent, added.StatusCode);
        await SayAsync("ada", "after");

        Assert.Equal((Ids(2), false, false), Slice(await GetAsync(nodes.First, "bob", "messages")));
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(nodes.First, "bob", HttpMethod.Get, "messages/1")).StatusCode);
        Assert.Empty((await GetAsync(nodes.First, "bob", "search?q=before")).GetProperty("found").EnumerateArray());
        using (var again = await SendAsync(nodes.First, "eve", HttpMethod.Post, "/rooms", new { title = "Mine", name = _room }))
            Assert.Equal("room_exists", (await ReadAsync(again)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_file_is_for_whoever_may_read_a_message_that_has_it_and_goes_with_that()
    {
        var picture = FileTests.Picture(900, 300);
        var file = await UploadAsync("ada", "a \"picture\".png", picture);
        var id = file.GetProperty("id").GetString();
        Assert.Equal(("image/png", 900, 300), (file.GetProperty("type").GetString(), file.GetProperty("width").GetInt32(), file.GetProperty("height").GetInt32()));
        Assert.Equal("file_refused", (await UploadAsync("ada", "a.png", [0x4D, 0x5A, 1, 2])).GetProperty("code").GetString());
        Assert.Equal("payload_too_large", (await UploadAsync("ada", "a.txt", Enumerable.Repeat((byte)'a', (10 * 1024 * 1024) + 1).ToArray())).GetProperty("code").GetString());

        Assert.Equal(HttpStatusCode.OK, await StatusAsync("ada", $"/attachments/{id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("bob", $"/attachments/{id}"));
        Assert.Equal("payload_invalid", await RefusalAsync("bob", "chat:message", null, new { text = "not mine", attachments = new[] { id } }));
        var message = await SayAsync("ada", "look", new { attachments = new[] { id } });
        var shown = await GetAsync(nodes.Second, "bob", $"messages/{message}");
        Assert.Equal(id, Assert.Single(shown.GetProperty("attachments").EnumerateArray()).GetProperty("id").GetString());

        using (var http = nodes.Second.Http("default", "bob"))
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/attachments/{id}") { Headers = { Range = new(1, 3) } };
            using var part = await http.SendAsync(request, Topology.Cancelled);
            Assert.Equal((HttpStatusCode.PartialContent, "nosniff"), (part.StatusCode, part.Headers.GetValues("X-Content-Type-Options").Single()));
            Assert.Equal(picture[1..4], await part.Content.ReadAsByteArrayAsync(Topology.Cancelled));
            using var small = await http.GetAsync($"/attachments/{id}/thumbnail", Topology.Cancelled);
            Assert.Equal("image/webp", small.Content.Headers.ContentType!.MediaType);
        }

        Assert.Null(await RefusalAsync("ada", "chat:delete", message, new { }));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("bob", $"/attachments/{id}"));

        // A day later nobody has it any more.
        await nodes.Database.ExecuteAsync($"update realtime.chat_files set created_at = now() - interval '2 days' where file_id = '{id}'");
        Assert.True(await nodes.First.Services.GetRequiredService<ChatFiles>().SweepAsync(Topology.Cancelled) > 0);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("ada", $"/attachments/{id}"));

        async Task<HttpStatusCode> StatusAsync(string user, string path)
        {
            using var answer = await SendAsync(nodes.First, user, HttpMethod.Get, path);
            return answer.StatusCode;
        }
    }

    private async Task<JsonElement> UploadAsync(string user, string name, byte[] content)
    {
        using var http = nodes.First.Http("default", user);
        using var body = new ByteArrayContent(content);
        using var answer = await http.PostAsync($"/rooms/{_room}/attachments?name={Uri.EscapeDataString(name)}", body, Topology.Cancelled);
        return await ReadAsync(answer);
    }

    private TopicKey Topic => new("default", TopicName.Parse($"room:{_room}"));

    private static string Ids(params int[] ids) => string.Join(' ', ids);

    private static (string Ids, bool HasBefore, bool HasAfter) Slice(JsonElement page) => (
        string.Join(' ', page.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("id").GetString())),
        page.GetProperty("hasBefore").GetBoolean(),
        page.GetProperty("hasAfter").GetBoolean());

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) => JsonElement.Parse(await answer.Content.ReadAsStringAsync(Topology.Cancelled));

    private async Task<(string Ids, bool HasBefore, bool HasAfter)> PageAsync(string query) => Slice(await GetAsync(nodes.Second, "bob", $"messages?{query}"));

    private async Task ActAsync(string user, TenantNode node, Random random)
    {
        for (var i = 0; i < 12; i++)
        {
            var target = $"{random.Next(1, 9)}";
            // Some of it is refused; what it is by then depends on who was first.
            await RefusalAsync(user, random.Next(7) switch
            {
                0 => ("chat:message", null, new { text = $"{user} {i}" }),
                1 => ("chat:message", null, new { text = $"{user} {i}", thread = target }),
                2 => ("chat:edit", target, new { text = $"{user} edits {i}" }),
                3 when i % 4 == 0 => ("chat:delete", target, new { }),
                4 => ("chat:pin", target, new { on = random.Next(2) == 0 }),
                _ => ((string, string?, object))("chat:reaction", target, new { emoji = Emojis[random.Next(2)], on = random.Next(3) > 0 }),
            }, node);
        }
    }

    /// <summary>Everything that a node says of the room's messages, threads too.</summary>
    private async Task<string> ReadAllAsync(TenantNode node)
    {
        var page = (await GetAsync(node, "ada", "messages?limit=200")).GetProperty("messages").EnumerateArray().ToList();
        foreach (var root in page.Where(message => message.GetProperty("replies").GetInt32() > 0 || message.GetProperty("lastReply").ValueKind is not JsonValueKind.Null).ToList())
            page.AddRange((await GetAsync(node, "ada", $"messages/{root.GetProperty("id").GetString()}/thread?limit=200")).GetProperty("messages").EnumerateArray());
        return string.Join('\n', page.OrderBy(message => long.Parse(message.GetProperty("id").GetString()!, System.Globalization.CultureInfo.InvariantCulture)).Select(message =>
            string.Join('|', new[] { "id", "author", "text", "thread", "replyTo", "at", "editedAt", "deletedAt", "deletedBy", "pinnedAt", "pinnedBy", "replies", "lastReply" }.Select(name => message.GetProperty(name).ToString()))
            + string.Join(',', message.GetProperty("reactions").EnumerateArray().SelectMany(reaction => reaction.GetProperty("users").EnumerateArray().Select(user => $"{reaction.GetProperty("emoji")}{user}")).Order(StringComparer.Ordinal))));
    }

    /// <summary>The same from the log, folded here.</summary>
    private async Task<string> FoldAsync()
    {
        var room = new RoomProjection();
        foreach (var event_ in (await LogAsync()).Select(RoomEvent.Read).OfType<RoomEvent>())
            room.Apply(event_);
        var reactions = room.Reactions.ToLookup(reaction => reaction.Offset);
        return string.Join('\n', room.Messages.Select(message =>
            string.Join('|', $"{message.Offset}", message.Author, message.Text, $"{message.Thread}", $"{message.ReplyTo}", Time(message.At), Time(message.EditedAt), Time(message.DeletedAt), message.DeletedBy, Time(message.PinnedAt), message.PinnedBy, $"{message.Replies}", $"{message.LastReply}")
            + string.Join(',', reactions[message.Offset].Select(reaction => $"{reaction.Emoji}{reaction.UserId}").Order(StringComparer.Ordinal))));

        static string Time(DateTimeOffset? time) => time?.UtcDateTime.ToString(TimestampConverter.Format, System.Globalization.CultureInfo.InvariantCulture) ?? "";
    }

    private async Task<IReadOnlyList<LoggedEvent>> LogAsync() =>
        (await nodes.First.Services.GetRequiredService<PostgresTopicLog>().ReadAsync(Topic, new LogRange.After(0), 1_000, Topology.Cancelled)).Events;

    private async Task<string> SayAsync(string user, string text, object? more = null, string? room = null)
    {
        var payload = JsonSerializer.SerializeToNode(more ?? new { })!.AsObject();
        payload["text"] = text;
        using var answer = await SendAsync(nodes.First, user, HttpMethod.Post, $"/topics/room:{room ?? _room}/events", new { @event = "chat:message", payload });
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return $"{(await ReadAsync(answer)).GetProperty("position").GetProperty("offset").GetInt64()}";
    }

    private async Task JoinAsync(string user) => Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(nodes.First, user, HttpMethod.Put, "membership")).StatusCode);

    private async Task<(int Messages, int Mentions)> UnreadAsync(string user)
    {
        var room = await GetAsync(nodes.Second, user, null);
        return (room.GetProperty("unread").GetInt32(), room.GetProperty("mentions").GetInt32());
    }

    private Task<string?> RefusalAsync(string user, (string Name, string? Entity, object Payload) what, TenantNode node) => RefusalAsync(user, what.Name, what.Entity, what.Payload, node: node);

    /// <summary>Why it was not published; null: it was.</summary>
    private async Task<string?> RefusalAsync(string user, string name, string? entityId, object payload, string? id = null, TenantNode? node = null)
    {
        using var answer = await SendAsync(node ?? nodes.First, user, HttpMethod.Post, $"/topics/room:{_room}/events", new { @event = name, entityId, payload, id });
        return answer.IsSuccessStatusCode ? null : (await ReadAsync(answer)).GetProperty("code").GetString();
    }

    private async Task<JsonElement> GetAsync(TenantNode node, string user, string? path)
    {
        using var answer = await AskAsync(node, user, HttpMethod.Get, path);
        var read = await ReadAsync(answer);
        Assert.True(answer.IsSuccessStatusCode, read.ToString());
        return read;
    }

    private Task<HttpResponseMessage> AskAsync(TenantNode node, string user, HttpMethod method, string? path, object? body = null, string? room = null) =>
        SendAsync(node, user, method, path is null ? $"/rooms/{room ?? _room}" : $"/rooms/{room ?? _room}/{path}", body);

    private static async Task<HttpResponseMessage> SendAsync(TenantNode node, string user, HttpMethod method, string path, object? body = null)
    {
        using var http = node.Http("default", user);
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : JsonContent.Create(body);
        return await http.SendAsync(request, Topology.Cancelled);
    }

    /// <summary>Two nodes over one database.</summary>
    public sealed class Nodes(Topology topology) : IAsyncLifetime
    {
        public PostgresDatabase Database { get; private set; } = null!;

        internal TenantNode First { get; private set; } = null!;

        internal TenantNode Second { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Database = await PostgresDatabase.CreateAsync(topology);
            First = await TenantNode.StartAsync(Database);
            Second = await TenantNode.StartAsync(Database);
        }

        public async ValueTask DisposeAsync()
        {
            await Second.DisposeAsync();
            await First.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
