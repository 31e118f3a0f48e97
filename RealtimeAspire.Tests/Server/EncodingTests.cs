using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.AspNetCore.SignalR.Protocol;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class EncodingTests
{
    private const byte EphemeralKind = 2;

    private static readonly JsonSerializerOptions Options = MakeOptions();

    internal static readonly LoggedEvent Logged = new()
    {
        Topic = new TopicKey("default", TopicName.Parse("room:a|b")),
        Position = new Position("x7Qa", 17),
        Id = "01JD",
        Event = "chat:message",
        Version = 2,
        EntityId = "m\"1ü",
        Payload = "{\"text\":\"h\\u0000ü\"}"u8.ToArray(),
        UserId = "ada",
        Timestamp = new DateTimeOffset(2026, 11, 21, 5, 27, 0, 7, TimeSpan.Zero),
        TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };

    [Fact]
    public void What_the_server_encodes_is_what_the_protocol_says()
    {
        Same(Logged);
        Same(Logged with { EntityId = null, UserId = null, TraceParent = null });
    }

    [Fact]
    public void A_payload_leaves_as_its_publisher_wrote_it() => Assert.Contains(
        "\"payload\":{ \"b\" : 1.50, \"a\":2 },",
        Encoding.UTF8.GetString(EncodedEvent.Encode(Logged with { Payload = "{ \"b\" : 1.50, \"a\":2 }"u8.ToArray() }).Json.Span),
        StringComparison.Ordinal);

    [Fact]
    public void The_answer_to_a_subscribe_is_a_subscribe_reply()
    {
        var answer = new SubscribeAnswer("room:a|b", Logged.Position, Recovery.Recovered, [EncodedEvent.Encode(Logged)], More: true);

        var json = JsonSerializer.Serialize(answer, Options);

        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize<SubscribeReply>(json, Options), Options));
    }

    [Fact]
    public void A_page_of_history_is_a_history_reply()
    {
        var answer = new HistoryAnswer([EncodedEvent.Encode(Logged)], Logged.Position, Recovery.None, Complete: true);

        var json = JsonSerializer.Serialize(answer, Options);

        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize<HistoryReply>(json, Options), Options));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(500)]
    public void The_frame_that_all_share_has_what_the_hub_would_write(int count)
    {
        var batch = new EventBatch([.. Enumerable.Repeat(EncodedEvent.Encode(Logged), count)]);

        var written = HubProtocol.Json(0).GetMessageBytes(new InvocationMessage("Events", [batch.Events]));

        Assert.Equal(Frames.Make(Opcode.Text, written.Span), batch.JsonFrame.ToArray());
    }

    [Fact]
    public void A_message_between_nodes_arrives_as_it_left()
    {
        var sent = EncodedEvent.Encode(Logged);

        var read = BackplaneMessage.Read(sent.Topic, BackplaneMessage.Write(sent, 1), 2, out _)!;

        Assert.Equal((sent.Topic, sent.Position, sent.TraceParent), (read.Topic, read.Position, read.TraceParent));
        Assert.Equal(sent.Json.ToArray(), read.Json.ToArray());
        Assert.True(read.Trace.IsRemote);
    }

    [Fact]
    public void A_message_of_another_version_is_left_to_the_log()
    {
        var message = BackplaneMessage.Write(EncodedEvent.Encode(Logged), 1);
        message[0] = BackplaneMessage.Version + 1;

        Assert.Null(BackplaneMessage.Read(Logged.Topic, message, 2, out var isOwn));
        Assert.False(isOwn);
    }

    [Fact]
    public void A_node_skips_what_it_sent_itself()
    {
        Assert.Null(BackplaneMessage.Read(Logged.Topic, BackplaneMessage.Write(EncodedEvent.Encode(Logged), 1), 1, out var isOwn));
        Assert.True(isOwn);
    }

    [Fact]
    public void No_bytes_break_the_reader() => Prop.ForAll<byte[]>(bytes =>
    {
        byte[] message = [BackplaneMessage.Version, .. bytes];
        return BackplaneMessage.Read(Logged.Topic, message, 0, out _) is not { } read || read.IsEphemeral == (message[1] == EphemeralKind);
    }).QuickCheckThrowOnFailure();

    private static void Same(LoggedEvent logged)
    {
        var encoded = Encoding.UTF8.GetString(EncodedEvent.Encode(logged).Json.Span);
        var read = JsonSerializer.Deserialize<TopicEvent>(encoded, Options)!;

        Assert.Equal(encoded, JsonSerializer.Serialize(read, Options));
        Assert.Equal(
            (logged.Topic.Name.Value, logged.Event, logged.Position, logged.Id, logged.Version, logged.TraceParent),
            (read.Topic, read.Event, read.Position!.Value, read.Id, read.Version, read.TraceId));
        Assert.Equal((logged.EntityId, logged.UserId, logged.Timestamp), (read.Data.EntityId, read.Data.UserId, read.Data.Timestamp));
    }

    private static JsonSerializerOptions MakeOptions()
    {
        var options = new JsonSerializerOptions();
        ServerJson.Configure(options);
        return options;
    }
}
