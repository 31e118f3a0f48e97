using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Server;

public sealed class RedisEventCodecTests
{
    private static readonly TopicKey Topic = new("default", TopicName.Parse("room:a"));
    private static readonly Position At = new("x7Qa", 17);
    private static readonly DateTimeOffset Then = DateTimeOffset.FromUnixTimeMilliseconds(1_795_238_820_123);

    [Theory]
    [InlineData("ada", "m1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    [InlineData("ä 🙂 \" \n", null, null)]
    [InlineData("", "m1", null)]
    public void An_event_is_read_as_it_was_written(string publisher, string? entity, string? trace)
    {
        var append = TopicLogLaws.NewAppend(Topic, "id-1", "hi", publisher) with { EntityId = entity, TraceParent = trace, Version = 3 };

        Assert.Equivalent(append.At(At, Then), RedisEventCodec.Read(Topic, At, Then, RedisEventCodec.Write(append)), strict: true);
    }

    [Fact]
    public void What_is_cut_off_or_of_another_release_is_not_read()
    {
        var append = TopicLogLaws.NewAppend(Topic, "id-1", "hi");
        var body = RedisEventCodec.Write(append);

        for (var length = 0; length < body.Length - append.Payload.Length; length++)
        {
            Assert.Null(RedisEventCodec.Read(Topic, At, Then, body.AsSpan(0, length)));
        }

        body[0]++;
        Assert.Null(RedisEventCodec.Read(Topic, At, Then, body));
    }

    [Fact]
    public void A_signature_stands_beside_it_and_what_has_none_is_written_as_ever()
    {
        var unsigned = TopicLogLaws.NewAppend(Topic, "id-1", "hi");
        var signed = unsigned with { Signature = "{\"keyId\":\"k\"}"u8.ToArray() };
        var body = RedisEventCodec.Write(signed);

        Assert.Equal(RedisEventCodec.Write(unsigned), body);
        Assert.Equivalent(signed.At(At, Then), RedisEventCodec.Read(Topic, At, Then, body, signed.Signature), strict: true);
        Assert.Null(RedisEventCodec.Read(Topic, At, Then, body, [])!.Signature);
        byte[] head = [.. BackplaneMessage.HeaderOfAppended(new NodeId(1), isSigned: true), .. "17 1795238820123 x7Qa\n"u8];
        Assert.Equal(EncodedEvent.Encode(signed.At(At, Then)).Json, BackplaneMessage.Read(Topic, (byte[])[.. head, .. signed.Signature, .. "\n"u8, .. body], node: 2, out _)!.Json);
        Assert.Null(BackplaneMessage.Read(Topic, (byte[])[.. head, .. "\n"u8, .. body], node: 2, out _));
        Assert.Null(BackplaneMessage.Read(Topic, (byte[])[.. head, .. signed.Signature], node: 2, out _));
    }

    /// <summary>As the release before signatures has written it.</summary>
    [Fact]
    public void An_entry_of_before_there_were_signatures_is_read()
    {
        byte[] body =
        [
            1, 3, 0, 0, 0, .. "\u0005\0app:x"u8, .. "\u0004\0id-1"u8, .. "\u0002\0m1"u8, .. "\u0003\0ada"u8, .. "\0\0"u8, .. "\"hi\""u8,
        ];

        var read = RedisEventCodec.Read(Topic, At, Then, body)!;
        Assert.Equal(("app:x", "id-1", "m1", "ada", 3), (read.Event, read.Id, read.EntityId, read.UserId, read.Version));
        Assert.Equal("\"hi\"", System.Text.Encoding.UTF8.GetString(read.Payload));
        Assert.Null(read.Signature);
        Assert.DoesNotContain("signature", System.Text.Encoding.UTF8.GetString(EncodedEvent.Encode(read).Json.Span), StringComparison.Ordinal);
    }

    [Fact]
    public void The_message_of_an_append_is_the_event_to_other_nodes_and_nothing_to_its_own()
    {
        var append = TopicLogLaws.NewAppend(Topic, "id-1", "hi");
        byte[] message = [.. BackplaneMessage.HeaderOfAppended(new NodeId(1)), .. "17 1795238820123 x7Qa\n"u8, .. RedisEventCodec.Write(append)];

        var read = BackplaneMessage.Read(Topic, message, node: 2, out _);
        Assert.Equal(At, read!.Position);
        Assert.Equal(EncodedEvent.Encode(append.At(At, Then)).Json, read.Json);
        Assert.Null(BackplaneMessage.Read(Topic, message, node: 1, out var isOwn));
        Assert.True(isOwn);
    }

    [Theory]
    [InlineData("")]
    [InlineData("17 1795238820123 x7Qa")]
    [InlineData("17 1795238820123\n")]
    [InlineData("0 1795238820123 x7Qa\n")]
    [InlineData("17 1795238820123 \n")]
    [InlineData("17 9223372036854775807 x7Qa\n")]
    [InlineData("-17 1795238820123 x7Qa\n")]
    [InlineData("17 1795238820123 x7Qa x\n")]
    public void A_message_that_begins_otherwise_is_none(string head)
    {
        byte[] message = [.. BackplaneMessage.HeaderOfAppended(new NodeId(1)), .. System.Text.Encoding.UTF8.GetBytes(head), .. RedisEventCodec.Write(TopicLogLaws.NewAppend(Topic, "id-1", "hi"))];

        Assert.Null(BackplaneMessage.Read(Topic, message, node: 2, out _));
    }
}
