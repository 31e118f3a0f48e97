using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

public sealed class MessagePackOverSocketsTests() : MessagePackHubTests("Direct");

public sealed class MessagePackOverPipesTests() : MessagePackHubTests("Pipe");

public sealed class MessagePackOverStandardTests() : MessagePackHubTests("Standard");

/// <summary>The hub in MessagePack through a real socket, whatever is under it.</summary>
public abstract class MessagePackHubTests(string sockets)
{
    private const string Xs = "xxxxxxxxxx";

    [Fact]
    public async Task Readers_in_json_and_in_messagepack_are_told_the_same()
    {
        await using var server = await StartAsync();
        using var json = await server.ConnectRawAsync();
        using var packed = await server.ConnectPackedAsync();
        await json.InvokeAsync("Subscribe", new { topic = "room:a" });
        await packed.InvokeAsync("Subscribe", new { topic = "room:a" });

        // The publisher's own values, in both ways.
        object?[] payloads = [1, -1.5, ulong.MaxValue, long.MinValue, "é€\U0001f600\t\"", null, true, new object?[] { 1, new { a = Array.Empty<object?>(), b = "" } }, new string('x', 60 * 1024)];
        foreach (var payload in payloads)
        {
            await packed.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload, entityId = "m1", v = 3 });
            await json.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload });
        }

        await packed.InvokeAsync("Publish", new { topic = "room:a", @event = "typing", payload = new { active = true } });
        var expected = await json.EventsAsync((payloads.Length * 2) + 1);
        var read = (await packed.EventsAsync(expected.Count)).Select(Packed.ToEvent).ToList();

        Assert.Equal(expected.Select(Text), read.Select(Text));
        Assert.Equal((null, null), (read[^1].Offset, read[^1].Epoch));
        for (var i = 0; i < payloads.Length; i++)
        {
            var payload = JsonSerializer.SerializeToElement(payloads[i]);
            Assert.True(JsonElement.DeepEquals(payload, read[2 * i].Data.Payload), payload.GetRawText());
            Assert.True(JsonElement.DeepEquals(payload, read[(2 * i) + 1].Data.Payload), payload.GetRawText());
        }
    }

    [Fact]
    public async Task A_living_connection_takes_a_new_token()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => hub.InvokeAsync("Refresh", TestServer.Token("bob")));
        var refreshed = await hub.AskAsync("Refresh", TestServer.Token());

        Assert.Equal("token_subject_mismatch", refused.Code);
        Assert.NotNull(refreshed["expiresAt"]);
    }

    [Fact]
    public async Task Replies_have_the_names_and_values_of_the_json_with_events_as_arrays()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        var published = await hub.AskAsync("Publish", new { topic = "room:a", @event = "app:x", payload = Xs, id = "1" });
        var position = Assert.IsType<Dictionary<string, object?>>(published["position"]);

        var subscribed = await hub.AskAsync("Subscribe", new { topic = "room:a", rewind = new { count = 10 } });
        var many = Assert.IsType<object?[]>(await hub.InvokeAsync("SubscribeMany", new object?[] { new { topic = "room:a", position }, new { topic = "no topic" } }));
        var history = await hub.AskAsync("History", new { topic = "room:a" });
        var batch = Assert.IsType<object?[]>(await hub.InvokeAsync("PublishBatch", new object?[] { new { topic = "room:a", @event = "app:x", payload = Xs, id = "1" }, new { topic = "room:a", payload = Xs } }));
        var nothing = await hub.InvokeAsync("Unsubscribe", "room:a");

        Assert.Equal((1L, false), (position["offset"], published["duplicate"]));
        Assert.Equal(["topic", "position", "recovery", "events", "more", "expiresAt"], subscribed.Keys);
        Assert.Equal(("room:a", "none", false, null), (subscribed["topic"], subscribed["recovery"], subscribed["more"], subscribed["expiresAt"]));
        Assert.Equal(position, Assert.IsType<Dictionary<string, object?>>(subscribed["position"]));
        var seen = Packed.ToEvent(Assert.Single((object?[])subscribed["events"]!));
        Assert.Equal(("room:a", "app:x", 1L, Xs, "ada"), (seen.Topic, seen.Event, seen.Offset, seen.Data.Payload.GetString(), seen.Data.UserId));
        Assert.Equal((string)published["timestamp"]!, seen.Data.Timestamp.ToString(TimestampConverter.Format, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("recovered", Member(many[0], "reply", "recovery"));
        Assert.Equal(("topic_invalid", false), (Member(many[1], "error", "code"), Member(many[1], "error", "retryable")));
        Assert.Equal(Text(seen), Text(Packed.ToEvent(Assert.Single((object?[])history["events"]!))));
        Assert.Equal(true, history["complete"]);
        Assert.Equal((true, "event_invalid"), (Member(batch[0], "reply", "duplicate"), Member(batch[1], "error", "code")));
        Assert.Null(nothing);
    }

    public static TheoryData<string, string, string, string> Wrong() => new()
    {
        // The method, the bytes of its arguments, the code, and a part of the sentence.
        { "Publish", "9182a5746f706963a6726f6f6d3a61a17601", "payload_invalid", "" },
        { "Publish", "9181a5746f70696301", "request_invalid", "$.topic" },
        { "Publish", "9181a176a374776f", "request_invalid", "$.v" },
        { "Publish", "9181a176cb3ff8000000000000", "request_invalid", "$.v" },
        { "Publish", "9181a7706179 6c6f6164cb7ff8000000000000", "request_invalid", "not finite" },
        { "Publish", "9181a77061796c6f6164cb7ff0000000000000", "request_invalid", "not finite" },
        { "Publish", "9181a77061796c6f6164a2c328", "request_invalid", "UTF-8" },
        { "Publish", "9181a77061796c6f6164a3eda080", "request_invalid", "UTF-8" },
        { "Publish", "9181a77061796c6f6164d40501", "request_invalid", "extension" },
        { "Publish", "9181a77061796c6f61648101c0", "request_invalid", "key" },
        { "Publish", "9181a77061796c6f6164c1", "request_invalid", "MessagePack" },
        { "Publish", "9181a77061796c6f6164ddffffffff", "request_invalid", "" },
        { "Publish", "9181a77061796c6f6164dbffffffff", "request_invalid", "" },
        { "Publish", "9181", "request_invalid", "" },
        { "Publish", "91a6726f6f6d3a61", "request_invalid", "" },
        { "Publish", "91c0", "request_invalid", "" },
        { "Publish", "90", "request_invalid", "" },
        { "Publish", "928080", "request_invalid", "" },
        { "Publish", "c0", "request_invalid", "" },
        { "Publish", "", "request_invalid", "" },
        { "Subscribe", "9182a5746f706963a6726f6f6d3a61a66f66667365740a", "", "" },
        { "Subscribe", "9182a5746f706963a6726f6f6d3a61a8706f736974696f6ea3653a31", "request_invalid", "$.position" },
        { "Unsubscribe", "9180", "request_invalid", "" },
        { "Unsubscribe", "91c0", "topic_invalid", "" },
        { "Nothing", "90", "request_invalid", "no such method" },
        { "OnConnectedAsync", "90", "request_invalid", "no such method" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Whatever_is_wrong_with_a_call_is_said_with_a_code_and_the_connection_lives(string method, string arguments, string code, string sentence)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        var given = Convert.FromHexString(arguments.Replace(" ", "", StringComparison.Ordinal));
        byte[] call = [0x95, .. Packed.Write(1), 0x80, .. Packed.Write("1"), .. Packed.Write(method), .. given];

        await hub.SendAsync(call);
        var answer = await hub.CompletionAsync("1");

        Assert.Equal(code, (answer as RealtimeException)?.Code ?? "");
        Assert.Contains(sentence, (answer as RealtimeException)?.Message ?? "", StringComparison.Ordinal);
        await hub.InvokeAsync("Subscribe", new { topic = "room:b" });
    }

    [Theory]
    [InlineData(32, null)]
    [InlineData(33, "payload_invalid")]
    [InlineData(61, "payload_invalid")]
    [InlineData(62, "request_invalid")]
    [InlineData(100_000, "request_invalid")]
    public async Task Depth_is_limited_as_in_json(int depth, string? code)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        using var json = await server.ConnectRawAsync();
        ReadOnlyMemory<byte> payload = (byte[])[.. Enumerable.Repeat((byte)0x91, depth - 1), 0x90];

        var error = await Record.ExceptionAsync(() => hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload }));

        Assert.Equal(code, (error as RealtimeException)?.Code);
        if (depth < 1_000)
        {
            await json.SendAsync($$"""{"type":1,"invocationId":"1","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":{{new string('[', depth)}}{{new string(']', depth)}}}]}""");
            var said = (await json.ReadAsync(3))!.Value;
            Assert.Equal(code is not null, said.TryGetProperty("error", out var text));
            Assert.Contains(code ?? "", code is null ? "" : text.GetString()!, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_payload_is_as_long_as_its_json()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();

        // 10,923 numbers of five digits and a comma are 65,538 bytes of JSON with their brackets, and 32,772 of MessagePack.
        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = Enumerable.Repeat<object?>(10_000, 10_922).ToArray() });
        var refused = await Assert.ThrowsAsync<RealtimeException>(() =>
            hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = Enumerable.Repeat<object?>(10_000, 10_923).ToArray() }));

        Assert.Equal(ErrorCode.PayloadTooLarge, refused.Error);
    }

    [Fact]
    public async Task Bytes_and_times_become_text()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });
        ReadOnlyMemory<byte> bytes = (byte[])[0xc4, 0x03, 0xfb, 0xff, 0x3e];

        await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = new object?[] { bytes, new DateTimeOffset(2026, 11, 21, 5, 27, 0, 123, TimeSpan.Zero) } });

        var seen = Packed.ToEvent((await hub.EventsAsync(1))[0]);
        Assert.Equal(["+/8+", "2026-11-21T05:27:00.123Z"], seen.Data.Payload.EnumerateArray().Select(value => value.GetString()));
    }

    [Theory]
    [InlineData("c1")]
    [InlineData("00")]
    [InlineData("80")]
    [InlineData("9101")]
    [InlineData("91a131")]
    [InlineData("dd7fffffff")]
    [InlineData("960182a161a162a161a162a131a75075626c6973689090")]
    public async Task What_is_no_message_ends_the_connection_with_a_code(string bytes)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();

        await hub.SendAsync(Convert.FromHexString(bytes));

        var (error, again) = await hub.FarewellAsync();
        Assert.StartsWith("request_invalid: ", error, StringComparison.Ordinal);
        Assert.False(again);
    }

    [Theory]
    [InlineData("ffffffff7f", "request_invalid")]
    [InlineData("ffffffff07", "payload_too_large")]
    [InlineData("80808001", "payload_too_large")]
    public async Task A_message_too_long_to_be_read_ends_the_connection_with_a_code(string length, string code)
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();

        await hub.SendBytesAsync([.. Convert.FromHexString(length), .. new byte[145 * 1024]]);

        Assert.StartsWith($"{code}: ", (await hub.FarewellAsync()).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_of_a_type_of_tomorrow_is_ignored_and_others_may_come_in_pieces()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        byte[] messages = [.. Packed.Frame([0x91, 0x63]), .. Packed.Frame(Packed.Write(new object?[] { 1, new { }, "1", "Unsubscribe", new object?[] { "room:a" }, Array.Empty<object?>() }))];

        foreach (var one in messages)
        {
            await hub.SendBytesAsync([one]);
        }

        Assert.Null(await hub.CompletionAsync("1"));
    }

    [Fact]
    public async Task Control_messages_are_the_objects_of_the_json()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a", qos = new { mode = "conflate", intervalMs = 10 } });
        // Together, so that an interval sees several.
        await hub.InvokeAsync("PublishBatch", Enumerable.Range(0, 20).Select(i => (object?)new { topic = "room:a", @event = "app:x", payload = i }).ToArray());

        var dropped = await hub.ControlAsync("dropped");

        Assert.Equal(["type", "topic", "count"], dropped.Keys);
        Assert.Equal("room:a", dropped["topic"]);
        Assert.InRange((long)dropped["count"]!, 1, 20);
    }

    [Fact]
    public async Task A_topic_is_a_number_for_those_who_asked_for_it()
    {
        var isOurs = sockets != "Standard";
        await using var server = await StartAsync();
        using var numbered = await server.ConnectPackedAsync("&topics=numbers");
        using var other = await server.ConnectPackedAsync("&topics=numbers");
        using var plain = await server.ConnectPackedAsync("&topics=names");
        using var json = await server.ConnectRawAsync();

        var first = await numbered.AskAsync("Subscribe", new { topic = "room:a" });
        var many = Assert.IsType<object?[]>(await numbered.InvokeAsync("SubscribeMany", new object?[] { new { topic = "room:b" }, new { topic = "room:a" } }));
        var second = await other.AskAsync("Subscribe", new { topic = "room:a", qos = new { mode = "conflate", intervalMs = 10 } });
        var without = await plain.AskAsync("Subscribe", new { topic = "room:a" });
        await json.InvokeAsync("Subscribe", new { topic = "room:a" });
        await plain.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = 1 });
        await plain.InvokeAsync("Publish", new { topic = "room:b", @event = "app:x", payload = 2 });
        await plain.InvokeAsync("Publish", new { topic = "room:a", @event = "typing", payload = new { active = true } });
        var again = await numbered.AskAsync("Subscribe", new { topic = "room:a", rewind = new { count = 1 } });

        Assert.False(without.ContainsKey("number"));
        var (a, b) = (first.GetValueOrDefault("number"), Member(many[0], "reply", "number"));
        Assert.Equal(isOurs, a is long);
        Assert.Equal(isOurs, b is long && !Equals(a, b));
        // It stays what it was, for all.
        Assert.Equal(a, Member(many[1], "reply", "number"));
        Assert.Equal(a, second.GetValueOrDefault("number"));
        Assert.Equal(a, again.GetValueOrDefault("number"));
        Assert.Equal("room:a", ((object?[])((object?[])again["events"]!)[0]!)[0]);
        // Of two topics either may be first.
        Assert.Equal([(a ?? "room:a", 2), (b ?? "room:b", 1)], (await numbered.EventsAsync(3)).CountBy(seen => ((object?[])seen!)[0]!).OrderByDescending(count => count.Value).Select(count => (count.Key, count.Value)));
        Assert.Equal([a ?? "room:a", a ?? "room:a"], (await other.EventsAsync(2)).Select(seen => ((object?[])seen!)[0]));
        Assert.Equal(["room:a", "room:a"], (await plain.EventsAsync(2)).Select(seen => ((object?[])seen!)[0]));
        Assert.Equal(["room:a", "room:a"], (await json.EventsAsync(2)).Select(seen => seen.Topic));
        Assert.Equal(
            (await json.EventsAsync(2)).Select(seen => Text(seen with { Topic = "" })),
            (await other.EventsAsync(2)).Select(seen => Text(Packed.ToEvent(seen) with { Topic = "" })));
    }

    [Fact]
    public async Task Where_there_is_more_to_come_no_number_is_told_yet()
    {
        await using var server = await StartAsync(("Realtime:Limits:HistoryEvents", "2"));
        using var hub = await server.ConnectPackedAsync("&topics=numbers");
        for (var i = 0; i < 3; i++)
        {
            await hub.InvokeAsync("Publish", new { topic = "room:a", @event = "app:x", payload = i });
        }

        var more = await hub.AskAsync("Subscribe", new { topic = "room:a", position = new { epoch = "", offset = 0 } });
        var rest = await hub.AskAsync("Subscribe", new { topic = "room:a", position = more["position"] });

        Assert.Equal((true, false), (more["more"], more.ContainsKey("number")));
        Assert.Equal((false, sockets != "Standard"), (rest["more"], rest.ContainsKey("number")));
    }

    [Fact]
    public async Task When_the_node_goes_a_reader_is_told_in_its_own_protocol()
    {
        await using var server = await StartAsync();
        using var hub = await server.ConnectPackedAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });

        await server.DrainAsync();

        var (error, again) = await hub.FarewellAsync();
        Assert.StartsWith("draining: ", error, StringComparison.Ordinal);
        Assert.True(again);
    }

    private static object? Member(object? map, string name, string inner) =>
        Assert.IsType<Dictionary<string, object?>>(Assert.IsType<Dictionary<string, object?>>(map)[name]).GetValueOrDefault(inner);

    /// <summary>Of an event, with its numbers in one form.</summary>
    private static string Text(TopicEvent seen) =>
        $"{seen.Topic} {seen.Event} {seen.Offset} {seen.Epoch} {seen.Id} {seen.Version} {seen.Data.EntityId} {seen.Data.UserId} {seen.Data.Timestamp.UtcTicks} {seen.TraceId} "
        + JsonSerializer.Serialize(seen.Data.Payload);

    private Task<TestServer> StartAsync(params (string Key, string Value)[] settings) =>
        TestServer.StartAsync([("Realtime:Connections:Sockets", sockets), .. settings]);
}
