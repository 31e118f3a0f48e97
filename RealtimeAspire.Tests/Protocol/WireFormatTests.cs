using System.Text.Json;
using RealtimeAspire.Protocol;
using Xunit;

namespace RealtimeAspire.Tests.Protocol;

/// <summary>The JSON of design.md, character by character: other programs are written against it.</summary>
public sealed class WireFormatTests
{
    private static readonly JsonSerializerOptions Options = MakeOptions();

    [Fact]
    public void An_event_has_this_form()
    {
        const string json = """
            {"topic":"room:general","event":"chat:message","offset":17,"epoch":"x7Qa","id":"01JD","v":1,"data":{"entity_id":"m1","payload":{"text":"hi"},"user_id":"ada","timestamp":"2026-11-21T05:27:00.123Z"},"trace_id":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
            """;

        var read = JsonSerializer.Deserialize<TopicEvent>(json, Options)!;

        Assert.Equal(new Position("x7Qa", 17), read.Position);
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 5, 27, 0, 123, TimeSpan.Zero), read.Data.Timestamp);
        Assert.Equal("hi", read.Data.Payload.GetProperty("text").GetString());
        Assert.Equal(json, JsonSerializer.Serialize(read, Options));
    }

    [Fact]
    public void A_signature_stands_last_in_the_data_of_an_event_and_in_a_publish()
    {
        const string signature = """{"keyId":"k","value":"v","signedAt":"2026-11-21T05:27:00.100Z"}""";
        const string received = $$$"""
            {"topic":"room:general","event":"chat:message","offset":17,"epoch":"x7Qa","id":"01JD","v":1,"data":{"entity_id":null,"payload":1,"user_id":"ada","timestamp":"2026-11-21T05:27:00.123Z","signature":{{{signature}}}},"trace_id":null}
            """;
        const string publish = $$"""{"topic":"room:general","event":"chat:message","payload":1,"id":"01JD","v":1,"signature":{{signature}}}""";

        Assert.Equal(received, JsonSerializer.Serialize(JsonSerializer.Deserialize<TopicEvent>(received, Options), Options));
        Assert.Equal(publish, JsonSerializer.Serialize(JsonSerializer.Deserialize<PublishRequest>(publish, Options), Options));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<PublishRequest>("""{"signature":{"keyId":"k"}}""", Options));
    }

    [Fact]
    public void An_ephemeral_event_has_no_offset_and_no_epoch()
    {
        var ephemeral = new TopicEvent
        {
            Topic = "room:general",
            Event = "typing",
            Id = "1",
            Data = new EventData { Payload = JsonElement.Parse("null"), Timestamp = DateTimeOffset.UnixEpoch },
        };

        Assert.Equal(
            """{"topic":"room:general","event":"typing","id":"1","v":1,"data":{"entity_id":null,"payload":null,"user_id":null,"timestamp":"1970-01-01T00:00:00.000Z"},"trace_id":null}""",
            JsonSerializer.Serialize(ephemeral, Options));
    }

    [Fact]
    public void Times_leave_in_utc_whatever_zone_they_have() => Assert.Equal(
        "\"2026-11-21T05:27:00.120Z\"",
        JsonSerializer.Serialize(new DateTimeOffset(2026, 11, 21, 7, 27, 0, 120, TimeSpan.FromHours(2)), Options));

    [Fact]
    public void A_subscribe_is_read_in_each_of_its_forms()
    {
        var resume = JsonSerializer.Deserialize<SubscribeRequest>("""{"topic":"room:general","position":{"epoch":"x7Qa","offset":17}}""", Options)!;
        var count = JsonSerializer.Deserialize<SubscribeRequest>("""{"topic":"room:general","rewind":{"count":50}}""", Options)!;
        var since = JsonSerializer.Deserialize<SubscribeRequest>("""{"topic":"room:general","rewind":{"since":"2026-11-21T05:00:00Z"}}""", Options)!;

        Assert.Equal(("room:general", new Position("x7Qa", 17)), (resume.Topic, resume.Position!.Value));
        Assert.Equal(50, count.Rewind!.Count);
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 5, 0, 0, TimeSpan.Zero), since.Rewind!.Since);
    }

    [Theory]
    [InlineData(Recovery.None, "none")]
    [InlineData(Recovery.Recovered, "recovered")]
    [InlineData(Recovery.Gap, "gap")]
    [InlineData(Recovery.NewEpoch, "new_epoch")]
    public void A_subscribe_reply_has_this_form(Recovery recovery, string text)
    {
        var reply = new SubscribeReply { Topic = "room:general", Position = new Position("x7Qa", 17), Recovery = recovery, Events = [] };

        Assert.Equal(
            $$"""{"topic":"room:general","position":{"epoch":"x7Qa","offset":17},"recovery":"{{text}}","events":[],"more":false,"expiresAt":null}""",
            JsonSerializer.Serialize(reply, Options));
    }

    [Fact]
    public void A_publish_has_this_form_and_a_missing_version_is_the_first()
    {
        const string json = """{"topic":"room:general","event":"chat:message","payload":{"text":"hi"},"id":"01JD","entityId":"m1","v":2}""";

        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize<PublishRequest>(json, Options), Options));
        Assert.Equal(1, JsonSerializer.Deserialize<PublishRequest>("{}", Options)!.Version);
        Assert.Equal(JsonValueKind.Undefined, JsonSerializer.Deserialize<PublishRequest>("{}", Options)!.Payload.ValueKind);
    }

    [Fact]
    public void A_publish_reply_and_an_outcome_have_this_form()
    {
        var reply = new PublishReply { Position = new Position("x7Qa", 17), Timestamp = DateTimeOffset.UnixEpoch, Duplicate = false };
        PublishOutcome[] outcomes = [new() { Reply = reply }, new() { Error = new ErrorBody("id_conflict", "No.", false) }];

        Assert.Equal(
            """[{"reply":{"position":{"epoch":"x7Qa","offset":17},"timestamp":"1970-01-01T00:00:00.000Z","duplicate":false}},{"error":{"code":"id_conflict","message":"No.","retryable":false}}]""",
            JsonSerializer.Serialize(outcomes, Options));
        Assert.StartsWith("""{"position":null,""", JsonSerializer.Serialize(reply with { Position = null }, Options), StringComparison.Ordinal);
    }

    private static JsonSerializerOptions MakeOptions()
    {
        var options = new JsonSerializerOptions();
        RealtimeJson.Configure(options);
        return options;
    }
}
