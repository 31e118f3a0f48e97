using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using MessagePack;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

public sealed class MessagePackEncodingTests
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Converters = { new TimestampConverter() } };

    private static readonly JsonSerializerOptions Options = MakeOptions();

    private const string Tick = """{"b":1.0921,"a":1.1}""";

    private static readonly LoggedEvent Logged = EncodingTests.Logged;

    [Theory]
    [InlineData("0", "00")]
    [InlineData("-0", "cb8000000000000000")]
    [InlineData("127", "7f")]
    [InlineData("-32", "e0")]
    [InlineData("9007199254740993", "cf0020000000000001")]
    [InlineData("-9223372036854775808", "d38000000000000000")]
    [InlineData("18446744073709551615", "cfffffffffffffffff")]
    [InlineData("18446744073709551616", "cb43f0000000000000")]
    [InlineData("1.0", "cb3ff0000000000000")]
    [InlineData("1e2", "cb4059000000000000")]
    [InlineData("1.5", "cb3ff8000000000000")]
    // As JSON.parse has it.
    [InlineData("1e400", "cb7ff0000000000000")]
    [InlineData("-1e400", "cbfff0000000000000")]
    [InlineData("1e-400", "cb0000000000000000")]
    [InlineData(""" "a" """, "a161")]
    [InlineData(""" "\u20ac\n" """, "a4e282ac0a")]
    [InlineData(""" "\ud83d\ude00" """, "a4f09f9880")]
    // Half a character is in no UTF-8.
    [InlineData(""" "\ud83d" """, "a3efbfbd")]
    [InlineData(""" "\\ud83d\ude00\ud83d\ude00\ud83dx" """, "b15c7564383364efbfbdf09f9880efbfbd78")]
    [InlineData("""{"a":[],"b":{},"c":[1,[2,{"d":null}]],"a":true}""", "84a16190a16280a16392019202 81a164c0a161c3")]
    [InlineData("[[[]],[]]", "92919090")]
    public void Json_becomes_the_value_that_says_the_same(string json, string bytes) =>
        Assert.Equal(bytes.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(Pack(json)));

    [Theory]
    [InlineData("c0", "null")]
    [InlineData("ca3dcccccd", "0.10000000149011612")]
    [InlineData("cb3fb999999999999a", "0.1")]
    [InlineData("cfffffffffffffffff", "18446744073709551615")]
    [InlineData("d38000000000000000", "-9223372036854775808")]
    [InlineData("c403fbff3e", "\"+/8+\"")]
    [InlineData("a4e282ac0a", "\"€\\n\"")]
    [InlineData("82a161c2a16190", """{"a":false,"a":[]}""")]
    [InlineData("d6ff00000000", "\"1970-01-01T00:00:00.000Z\"")]
    [InlineData("d7ff1d52a1806a01d6c4", "\"2026-05-11T13:16:52.122Z\"")]
    [InlineData("c70cff1dcd6500ffffffffffffffff", "\"1969-12-31T23:59:59.500Z\"")]
    public void A_value_becomes_the_json_that_says_the_same(string bytes, string json) => Assert.Equal(json, Unpack(bytes));

    [Theory]
    [InlineData("cb7ff8000000000000", "A number is not finite.")]
    [InlineData("cb7ff0000000000000", "A number is not finite.")]
    [InlineData("ca7f800000", "A number is not finite.")]
    [InlineData("a1ff", "A string is not UTF-8.")]
    [InlineData("a3eda080", "A string is not UTF-8.")]
    [InlineData("81a1ff01", "A string is not UTF-8.")]
    [InlineData("8101a161", "A key is not a string.")]
    [InlineData("81c001", "A key is not a string.")]
    [InlineData("d40101", "An extension is not a timestamp between the years 1 and 9999.")]
    [InlineData("d4ff01", "An extension is not a timestamp between the years 1 and 9999.")]
    [InlineData("d7ffffffffff00000000", "An extension is not a timestamp between the years 1 and 9999.")]
    [InlineData("c70cff000000007fffffffffffffff", "An extension is not a timestamp between the years 1 and 9999.")]
    [InlineData("c1", "The message is not MessagePack.")]
    public void What_json_cannot_say_is_refused(string bytes, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<RealtimeException>(() => Unpack(bytes)).Message);

    [Fact]
    public void There_and_back_it_is_the_same() => Prop.ForAll(Json(4).ToArbitrary(), json =>
        JsonNode.DeepEquals(JsonNode.Parse(json), JsonNode.Parse(Unpack(Convert.ToHexString(Pack(json)))))).QuickCheckThrowOnFailure();

    [Fact]
    public void An_event_is_an_array_of_what_its_json_has()
    {
        var packed = Packed.Read(Batch(numbered: false, Logged).ToArray());

        Assert.Equal(
            """[1,{},null,"Events",[[["room:a|b","chat:message",17,"x7Qa","01JD",2,["m\"1ü",{"text":"h\u0000ü"},"ada","2026-11-21T05:27:00.007Z"],"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]]],[]]""",
            JsonSerializer.Serialize(packed, Plain));
    }

    [Fact]
    public void What_an_ephemeral_event_has_not_is_nil()
    {
        var batch = Assert.IsType<object?[]>(Packed.Read(Batch(numbered: true, Logged with { Position = Position.Origin, EntityId = null, UserId = null, TraceParent = null }).ToArray()));

        var packed = (object?[])((object?[])((object?[])batch[4]!)[0]!)[0]!;
        Assert.Equal([5L, "chat:message", null, null, "01JD", 2L], packed[..6]);
        Assert.Equal((null, null, null), (packed[7], ((object?[])packed[6]!)[0], ((object?[])packed[6]!)[2]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(500)]
    public void The_frame_that_all_share_has_what_the_hub_would_write(int count)
    {
        var batch = new EventBatch([.. Enumerable.Repeat(EncodedEvent.Encode(Logged), count)]);
        var protocol = HubProtocol.MessagePack(0);

        var written = protocol.GetMessageBytes(new InvocationMessage("Events", [batch.Events]));

        Assert.Equal(Frames.Make(Opcode.Binary, written.Span), batch.PackedFrame.ToArray());
        Assert.Equal(written.ToArray(), batch.Message.GetSerializedMessage(protocol).ToArray());
        Assert.Equal(batch.PackedFrame, batch.PackedFrame);
    }

    [Fact]
    public void An_audience_of_json_alone_pays_for_nothing_else()
    {
        const int ArrayHeader = 32;
        var encoded = EncodedEvent.Encode(Logged);
        // Whatever is made once for all.
        _ = new EventBatch(encoded).JsonFrame;
        var batch = new EventBatch(encoded);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var frame = batch.JsonFrame;

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, frame.Length, frame.Length + ArrayHeader);
    }

    /// <summary>An answer says what its JSON says; its events apart.</summary>
    [Fact]
    public void An_answer_has_the_members_of_its_json()
    {
        var encoded = EncodedEvent.Encode(Logged);
        var answer = new SubscribeAnswer("room:a|b", Logged.Position, Recovery.Recovered, [encoded], More: true);
        Same(answer, "events");
        Same(answer with { Number = 7 }, "events");
        Same(new HistoryAnswer([encoded, encoded], Logged.Position, Recovery.None, Complete: true), "events");
        Same(new SubscribeResult(null, new ErrorBody("a", "b", Retryable: true)), "events");
        Same(new Control { Type = Control.Reset, Topic = "room:a", Position = Logged.Position }, "events");
        Same(new PublishReply { Position = null, Timestamp = Logged.Timestamp, Duplicate = false }, "events");
        var many = JsonSerializer.SerializeToNode(Result(new SubscribeResult[] { new(answer, null), new(null, new ErrorBody("a", "b", Retryable: true)) }))!;
        Assert.Equal("recovered", many[0]!["reply"]!["recovery"]!.GetValue<string>());
        Assert.Equal("a", many[1]!["error"]!["code"]!.GetValue<string>());
        Assert.Equal("x7Qa", many[0]!["reply"]!["events"]![0]![3]!.GetValue<string>());
    }

    [Fact]
    public void The_sizes_of_the_documentation_are_measured()
    {
        Assert.Equal(20, Tick.Length);
        var logged = Logged with { Topic = new TopicKey("default", TopicName.Parse("room:eur-usd")), Event = "app:tick", Payload = Encoding.UTF8.GetBytes(Tick), EntityId = null, Version = 1, Id = "01JD9GZ3V5T7R2M4K6N8" };
        var batch = new EventBatch(EncodedEvent.Encode(logged));
        batch.Events[0].Number = 5;

        var sizes = $"{Length(batch.JsonFrame)} bytes in JSON, {Length(batch.PackedFrame)} in MessagePack, {Length(batch.NumberedFrame)} with a number";

        Assert.Contains(sizes, File.ReadAllText(Repository.PathOf("docs/protocol.md")).ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    /// <summary>Of a message in a frame with a header of four bytes.</summary>
    private static int Length(ReadOnlyMemory<byte> frame) => frame.Length - Frames.HeaderLength(frame.Length);

    private static void Same<T>(T value, string apart)
    {
        var (json, packed) = (JsonSerializer.SerializeToNode(value, Options)!, JsonSerializer.SerializeToNode(Result(value))!);

        Assert.Equal((json[apart] as JsonArray)?.Count, (packed[apart] as JsonArray)?.Count);
        Assert.Equal(json.AsObject().Select(member => member.Key), packed.AsObject().Select(member => member.Key));
        json.AsObject().Remove(apart);
        packed.AsObject().Remove(apart);
        Assert.True(JsonNode.DeepEquals(json, packed), $"{json} {packed}");
    }

    /// <summary>What a client is answered.</summary>
    private static object? Result(object? value)
    {
        var written = HubProtocol.MessagePack(0).GetMessageBytes(new CompletionMessage("1", error: null, value, hasResult: true));
        return Assert.IsType<object?[]>(Packed.Read(Unframe(written)))[4];
    }

    /// <summary>The message of one event, without the frame around it.</summary>
    private static ReadOnlyMemory<byte> Batch(bool numbered, LoggedEvent logged)
    {
        var encoded = EncodedEvent.Encode(logged);
        encoded.Number = 5;
        var batch = new EventBatch(encoded);
        var frame = numbered ? batch.NumberedFrame : batch.PackedFrame;
        return Unframe(frame[(frame.Length > 127 ? 4 : 2)..]);
    }

    private static ReadOnlyMemory<byte> Unframe(ReadOnlyMemory<byte> framed)
    {
        var prefix = framed.Span.IndexOfAnyInRange((byte)0, (byte)0x7f) + 1;
        return framed[prefix..];
    }

    private static JsonSerializerOptions MakeOptions()
    {
        var options = new JsonSerializerOptions();
        ServerJson.Configure(options);
        return options;
    }

    private static byte[] Pack(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(output);
        JsonToMessagePack.Write(Encoding.UTF8.GetBytes(json.Trim()), ref writer);
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    private static string Unpack(string bytes)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            var reader = new MessagePackReader(Convert.FromHexString(bytes));
            MessagePackToJson.Write(ref reader, writer, MessagePackSecurity.UntrustedData);
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static Gen<string> Json(int depth)
    {
        var text = Gen.Elements("\"\"", "\"a\"", "\"é€\U0001f600\"", "\"\\u0000\\n\\\\\"", $"\"{new string('x', 300)}\"");
        var number = Gen.OneOf(
            ArbMap.Default.GeneratorFor<long>().Select(value => $"{value}"),
            ArbMap.Default.GeneratorFor<double>().Where(double.IsFinite).Select(value => JsonSerializer.Serialize(value)));
        var simple = Gen.OneOf(text, number, Gen.Elements("true", "false", "null"));
        return depth == 0 ? simple : Gen.Sized(size => Gen.OneOf(
            simple,
            Gen.Choose(0, 20).SelectMany(count => Gen.ListOf(Json(depth - 1), count % Math.Max(1, size)).Select(items => $"[{string.Join(" , ", items)}]")),
            Gen.Choose(0, 20).SelectMany(count => Gen.ListOf(Json(depth - 1), count % Math.Max(1, size)).Select(items => $"{{{string.Join(',', items.Select((item, i) => $"\"k{i}\": {item}"))}}}"))));
    }
}
