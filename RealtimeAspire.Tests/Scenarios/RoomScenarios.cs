using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Tests.Server.Chat;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Rooms: who is in them, who keeps order, what is found in them and which files they have.</summary>
public sealed class RoomScenarios(TwoNodes nodes) : RoomOnTwoNodes(nodes)
{
    [Fact]
    public async Task A_direct_room_is_one_for_two_whichever_of_them_comes_first_and_nobody_elses()
    {
        var (one, other) = ($"u{Guid.NewGuid():n}", $"v{Guid.NewGuid():n}");
        var rooms = await Task.WhenAll(
            SendAsync(Nodes.First, one, HttpMethod.Put, $"/rooms/direct/{other}"), SendAsync(Nodes.Second, other, HttpMethod.Put, $"/rooms/direct/{one}"));
        var names = new List<string>();
        foreach (var room in rooms)
        {
            using (room)
                names.Add((await ReadAsync(room)).GetProperty("name").GetString()!);
        }

        Assert.Equal(names[0], names[1]);
        await SayAsync(one, "for you alone", room: names[0]);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(Nodes.First, other, HttpMethod.Get, "messages", room: names[0])).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, "eve", HttpMethod.Get, "messages", room: names[0])).StatusCode);
        using var mine = await SendAsync(Nodes.Second, other, HttpMethod.Get, "/rooms");
        var listed = Assert.Single((await ReadAsync(mine)).GetProperty("rooms").EnumerateArray(), room => room.GetProperty("name").GetString() == names[0]);
        Assert.Equal(("direct", 2, 1, "for you alone"), (
            listed.GetProperty("kind").GetString(), listed.GetProperty("members").GetInt32(), listed.GetProperty("unread").GetInt32(),
            listed.GetProperty("lastMessage").GetProperty("text").GetString()));
        using var theirs = await SendAsync(Nodes.First, "eve", HttpMethod.Get, "/rooms");
        Assert.DoesNotContain((await ReadAsync(theirs)).GetProperty("rooms").EnumerateArray(), room => room.GetProperty("name").GetString() == names[0]);
    }

    [Fact]
    public async Task Nobody_makes_the_room_of_two_others_his_own_and_who_has_left_it_comes_back()
    {
        var (one, other, eve) = ($"u{Guid.NewGuid():n}", $"v{Guid.NewGuid():n}", $"e{Guid.NewGuid():n}");
        var room = RoomApi.DirectName(one, other);
        using (var taken = await SendAsync(Nodes.First, eve, HttpMethod.Put, $"/topics/room:{room}/privacy", new { showsPast = true }))
            Assert.Equal("forbidden", (await ReadAsync(taken)).GetProperty("code").GetString());
        using (var made = await SendAsync(Nodes.First, eve, HttpMethod.Post, "/rooms", new { title = "Theirs", name = room }))
            Assert.Equal("request_invalid", (await ReadAsync(made)).GetProperty("code").GetString());

        await MeetAsync();
        await SayAsync(one, "hello", room: room);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, one, HttpMethod.Delete, "membership", room: room)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, one, HttpMethod.Get, "messages", room: room)).StatusCode);
        await MeetAsync();
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(Nodes.First, one, HttpMethod.Get, "messages", room: room)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(Nodes.First, other, HttpMethod.Get, "messages", room: room)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, eve, HttpMethod.Get, "messages", room: room)).StatusCode);

        async Task MeetAsync()
        {
            using var met = await SendAsync(Nodes.First, one, HttpMethod.Put, $"/rooms/direct/{other}");
            var read = await ReadAsync(met);
            Assert.Equal((room, "direct", 2), (read.GetProperty("name").GetString(), read.GetProperty("kind").GetString(), read.GetProperty("members").GetInt32()));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("\0")]
    public async Task A_room_with_a_member_who_cannot_be_is_not_made(string? member)
    {
        using (var refused = await SendAsync(Nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Half made", name = Room, members = new[] { "bob", member } }))
            Assert.Equal("user_invalid", (await ReadAsync(refused)).GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(Nodes.First, "ada", HttpMethod.Get, null)).StatusCode);
    }

    [Fact]
    public async Task Where_the_application_lets_nobody_read_a_room_neither_search_nor_the_list_says_what_was_said_in_it()
    {
        await using var node = await TenantNode.StartAsync(Nodes.Database, services => services.AddSingleton(new Hook<SubscribeContext>(
            (context, next) => context.UserId == "bob" && context.Topic == $"room:{Room}" ? Task.CompletedTask : next())));
        await SayAsync("ada", $"something of {Room}");

        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(node, "bob", HttpMethod.Get, "messages")).StatusCode);
        Assert.Equal((0, 1), (await CountAsync("bob"), await CountAsync("ada")));
        foreach (var user in (string[])["bob", "ada"])
        {
            using var rooms = await SendAsync(node, user, HttpMethod.Get, "/rooms");
            Assert.DoesNotContain($"something of {Room}", (await ReadAsync(rooms)).ToString(), StringComparison.Ordinal);
        }

        async Task<int> CountAsync(string user)
        {
            using var found = await SendAsync(node, user, HttpMethod.Get, $"/search?q={Room}");
            return (await ReadAsync(found)).GetProperty("found").GetArrayLength();
        }
    }

    [Fact]
    public async Task What_was_said_is_found_in_all_rooms_although_its_room_is_still_being_read()
    {
        await SayAsync("ada", $"something of {Room}");
        Assert.Single((await GetAsync(Nodes.First, "ada", "messages")).GetProperty("messages").EnumerateArray());
        await using var reader = await Nodes.Database.ConnectAsync();
        await using var transaction = await reader.BeginTransactionAsync(Topology.Cancelled);
        await using (var hold = new NpgsqlCommand(
            "select 1 from realtime.chat_projections where topic_id = (select topic_id from realtime.topics where topic = $1) for update", reader) { Parameters = { new() { Value = $"room:{Room}" } } })
            Assert.Equal(1, await hold.ExecuteScalarAsync(Topology.Cancelled));
        await SayAsync("ada", $"more of {Room}");

        var search = SendAsync(Nodes.First, "ada", HttpMethod.Get, $"/search?q={Room}");
        // What is asked for after it is done before it.
        await SayAsync("ada", "elsewhere", room: $"{Room}x");
        Assert.False(search.IsCompleted);
        await transaction.CommitAsync(Topology.Cancelled);
        using var found = await search;
        Assert.Equal(2, (await ReadAsync(found)).GetProperty("found").GetArrayLength());
    }

    [Fact]
    public async Task A_moderator_mutes_slows_down_and_takes_back_what_was_reported()
    {
        using (var made = await SendAsync(Nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Talk", name = Room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var id = await SayAsync("bob", "rubbish");

        Assert.Equal(HttpStatusCode.Created, (await AskAsync(Nodes.First, "eve", HttpMethod.Post, $"messages/{id}/reports", new { reason = "rubbish" })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "eve", HttpMethod.Post, $"messages/{id}/reports", new { reason = "again" })).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, "eve", HttpMethod.Get, "reports")).StatusCode);
        var report = Assert.Single((await GetAsync(Nodes.Second, "ada", "reports")).GetProperty("reports").EnumerateArray());
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, "eve", HttpMethod.Delete, $"messages/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.Second, "ada", HttpMethod.Delete, $"messages/{id}")).StatusCode);
        Assert.Equal("ada", (await GetAsync(Nodes.First, "eve", $"messages/{id}")).GetProperty("deletedBy").GetString());
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "ada", HttpMethod.Put, $"reports/{report.GetProperty("id").GetInt64()}/resolution", new { resolution = "deleted" })).StatusCode);
        Assert.Empty((await GetAsync(Nodes.First, "ada", "reports")).GetProperty("reports").EnumerateArray());

        // Said to one node, it counts on the other too.
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.Second, "ada", HttpMethod.Put, "mutes/bob", new { seconds = 600 })).StatusCode);
        await Eventually.BecomesTrueAsync(async () => await RefusalAsync("bob", "chat:message", null, new { text = "me?" }) == "muted", "he is not muted");
        Assert.Equal(HttpStatusCode.NoContent, (await AskAsync(Nodes.First, "ada", HttpMethod.Delete, "mutes/bob")).StatusCode);
        Assert.Null(await RefusalAsync("bob", "chat:message", null, new { text = "me." }));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(Nodes.First, "ada", HttpMethod.Patch, null, new { slowSeconds = 600 })).StatusCode);
        Assert.Null(await RefusalAsync("eve", "chat:message", null, new { text = "one" }, id: "e1"));
        Assert.Equal("slow_mode", await RefusalAsync("eve", "chat:message", null, new { text = "two" }));
        // A retry is no second message, and the owner does not wait.
        Assert.Null(await RefusalAsync("eve", "chat:message", null, new { text = "one" }, id: "e1"));
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "one" }));
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "two" }));
    }

    [Fact]
    public async Task A_blocked_word_is_refused_and_what_a_filter_says_instead_is_said()
    {
        static ValueTask<string?> FilterAsync(ChatText text) => ValueTask.FromResult(text.Text == "not this" ? null : text.Text.Replace("darn", "d***", StringComparison.Ordinal));
        await using var node = await TenantNode.StartAsync(
            Nodes.Database, static services => services.AddSingleton(new ChatFilter(FilterAsync)), ("Realtime:Chat:BlockedWords:0", "spam"));

        Assert.Equal("text_refused", await RefusalAsync("ada", "chat:message", null, new { text = "buy SPAM, now" }, node: node));
        Assert.Equal("text_refused", await RefusalAsync("ada", "chat:message", null, new { text = "not this" }, node: node));
        // Words, not parts of them.
        Assert.Null(await RefusalAsync("ada", "chat:message", null, new { text = "spammers beware" }, node: node));
        Assert.Null(await RefusalAsync("ada", "chat:edit", "1", new { text = "darn spammers" }, node: node));
        Assert.Equal("text_refused", await RefusalAsync("ada", "chat:edit", "1", new { text = "spam" }, node: node));
        Assert.Equal("d*** spammers", (await GetAsync(Nodes.Second, "bob", "messages/1")).GetProperty("text").GetString());
    }

    [Fact]
    public async Task Who_joins_a_private_room_sees_what_came_after()
    {
        using (var made = await SendAsync(Nodes.First, "ada", HttpMethod.Post, "/rooms", new { title = "Private", kind = "private", name = Room }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await SayAsync("ada", "before");
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(Nodes.First, "bob", HttpMethod.Put, "membership")).StatusCode);
        using (var added = await SendAsync(Nodes.First, "ada", HttpMethod.Put, $"/topics/room:{Room}/members/bob", new { role = "member" }))
            Assert.Equal(HttpStatusCode.NoContent, added.StatusCode);
        var seen = await GetAsync(Nodes.First, "bob", null);
        Assert.Equal((JsonValueKind.Null, 0), (seen.GetProperty("lastMessage").ValueKind, seen.GetProperty("unread").GetInt32()));
        await SayAsync("ada", "after");

        Assert.Equal((Ids(2), false, false), Slice(await GetAsync(Nodes.First, "bob", "messages")));
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(Nodes.First, "bob", HttpMethod.Get, "messages/1")).StatusCode);
        Assert.Empty((await GetAsync(Nodes.First, "bob", "search?q=before")).GetProperty("found").EnumerateArray());
        using (var again = await SendAsync(Nodes.First, "eve", HttpMethod.Post, "/rooms", new { title = "Mine", name = Room }))
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
        var shown = await GetAsync(Nodes.Second, "bob", $"messages/{message}");
        Assert.Equal(id, Assert.Single(shown.GetProperty("attachments").EnumerateArray()).GetProperty("id").GetString());

        using (var http = Nodes.Second.Http("default", "bob"))
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/attachments/{id}") { Headers = { Range = new(1, 3) } };
            using var part = await http.SendAsync(request, Topology.Cancelled);
            Assert.Equal((HttpStatusCode.PartialContent, "nosniff"), (part.StatusCode, part.Headers.GetValues("X-Content-Type-Options").Single()));
            Assert.Equal(picture[1..4], await part.Content.ReadAsByteArrayAsync(Topology.Cancelled));
            using var small = await http.GetAsync($"/attachments/{id}/thumbnail", Topology.Cancelled);
            Assert.Equal("image/webp", small.Content.Headers.ContentType!.MediaType);
        }

        // While the room's messages are made again nobody knows which files they have.
        await Nodes.Database.ExecuteAsync($"update realtime.chat_files set created_at = now() - interval '2 days' where file_id = '{id}'");
        await using (var connection = await Nodes.Database.DataSource.OpenConnectionAsync(Topology.Cancelled))
        {
            var topicId = await Nodes.Database.ReadAsync<long>("select topic_id from realtime.topics where topic = $1", $"room:{Room}");
            await ProjectionStore.RestartAsync(connection, topicId, Topology.Cancelled);
        }

        await Nodes.Database.ExecuteAsync($"delete from realtime.chat_messages m using realtime.topics t where t.topic_id = m.topic_id and t.topic = 'room:{Room}'");
        await Nodes.First.Services.GetRequiredService<ChatFiles>().SweepAsync(Topology.Cancelled);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("bob", $"/attachments/{id}"));

        Assert.Null(await RefusalAsync("ada", "chat:delete", message, new { }));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("bob", $"/attachments/{id}"));

        // A day later nobody has it any more.
        Assert.True(await Nodes.First.Services.GetRequiredService<ChatFiles>().SweepAsync(Topology.Cancelled) > 0);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("ada", $"/attachments/{id}"));

        async Task<HttpStatusCode> StatusAsync(string user, string path)
        {
            using var answer = await SendAsync(Nodes.First, user, HttpMethod.Get, path);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task Words_are_found_with_their_places_and_nothing_of_others_rooms()
    {
        await SayAsync("ada", "the <b>quick</b> brown fox");
        await SayAsync("bob", "a slow fox");
        await SayAsync("bob", "no animal");
        var secret = $"s{Guid.NewGuid():n}";
        using (var made = await SendAsync(Nodes.First, "eve", HttpMethod.Post, "/rooms", new { title = "Secret", kind = "private", name = secret }))
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await SayAsync("eve", $"a hidden fox of {Room}", room: secret);

        var found = (await GetAsync(Nodes.Second, "ada", "search?q=fox%20-slow")).GetProperty("found");
        var only = Assert.Single(found.EnumerateArray());
        Assert.Equal("1", only.GetProperty("message").GetProperty("id").GetString());
        var mark = only.GetProperty("marks")[0];
        Assert.Equal("fox", only.GetProperty("snippet").GetString()!.Substring(mark.GetProperty("begin").GetInt32(), mark.GetProperty("length").GetInt32()));
        Assert.Empty((await GetAsync(Nodes.First, "ada", "search?q=missing")).GetProperty("found").EnumerateArray());

        async Task<int> FoundAsync(string user)
        {
            using var answer = await SendAsync(Nodes.First, user, HttpMethod.Get, $"/search?q={Room}");
            return (await ReadAsync(answer)).GetProperty("found").GetArrayLength();
        }

        Assert.Equal((0, 1), (await FoundAsync("ada"), await FoundAsync("eve")));
    }

    private async Task<JsonElement> UploadAsync(string user, string name, byte[] content)
    {
        using var http = Nodes.First.Http("default", user);
        using var body = new ByteArrayContent(content);
        using var answer = await http.PostAsync($"/rooms/{Room}/attachments?name={Uri.EscapeDataString(name)}", body, Topology.Cancelled);
        return await ReadAsync(answer);
    }
}
