using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class PublishPathTests : IAsyncDisposable
{
    private static readonly TopicName Room = TopicName.Parse("room:a");

    private readonly TestNode _node = new();

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task An_event_gets_its_position_and_a_retry_the_same_one()
    {
        var first = await _node.PublishAsync("room:a", id: "one");
        var again = await _node.PublishAsync("room:a", id: "one");

        Assert.Equal((1, false), (first.Position!.Value.Offset, first.Duplicate));
        Assert.Equal(first with { Duplicate = true }, again);
    }

    [Fact]
    public async Task The_same_id_with_anything_else_changed_is_a_conflict()
    {
        var request = new PublishRequest { Event = "app:x", Payload = JsonElement.Parse("1"), Id = "one", EntityId = "e" };
        await PublishAsync(request);

        await RefusedAsync("id_conflict", request with { Event = "app:y" });
        await RefusedAsync("id_conflict", request with { Payload = JsonElement.Parse("2") });
        await RefusedAsync("id_conflict", request with { EntityId = "f" });
        await RefusedAsync("id_conflict", request with { Version = 2 });
        Assert.True((await PublishAsync(request)).Duplicate);
    }

    [Fact]
    public async Task Without_an_id_every_publish_is_an_event() =>
        Assert.NotEqual((await _node.PublishAsync("room:a")).Position, (await _node.PublishAsync("room:a")).Position);

    [Theory]
    [InlineData("chat:message", "{\"text\":\"hi\"}", null)]
    [InlineData("app:anything", "null", null)]
    [InlineData("chat:message", "{\"text\":\"\"}", "payload_invalid")]
    [InlineData("chat:message", "{\"text\":1}", "payload_invalid")]
    [InlineData("chat:message", "{\"text\":\"\\ud800\"}", "payload_invalid")]
    [InlineData("chat:message", "[]", "payload_invalid")]
    [InlineData("chat:other", "{}", "event_not_allowed")]
    [InlineData("application:x", "{}", "event_not_allowed")]
    [InlineData("app:ä", "{}", "event_invalid")]
    [InlineData("", "{}", "event_invalid")]
    [InlineData(null, "{}", "event_invalid")]
    public async Task Clients_publish_what_is_opened_and_valid(string? eventName, string payload, string? code)
    {
        var request = new PublishRequest { Event = eventName, Payload = JsonElement.Parse(payload) };
        if (code is null)
        {
            await PublishAsync(request);
        }
        else
        {
            await RefusedAsync(code, request);
        }
    }

    [Fact]
    public async Task Ids_entity_ids_and_versions_have_bounds()
    {
        var request = new PublishRequest { Event = "app:x", Payload = JsonElement.Parse("1") };

        await RefusedAsync("id_invalid", request with { Id = "" });
        await RefusedAsync("id_invalid", request with { Id = "a b" });
        await RefusedAsync("id_invalid", request with { Id = "ä" });
        await RefusedAsync("id_invalid", request with { Id = new string('a', 129) });
        await RefusedAsync("request_invalid", request with { EntityId = "a\0" });
        await RefusedAsync("request_invalid", request with { EntityId = new string('a', 129) });
        await RefusedAsync("request_invalid", request with { Version = 0 });
        await RefusedAsync("payload_invalid", new PublishRequest { Event = "app:x" });
        await PublishAsync(request with { Id = new string('~', 128), EntityId = new string('ä', 128) });
    }

    [Fact]
    public async Task A_payload_may_have_64_KiB_and_not_a_byte_more()
    {
        var limit = _node.Options.Limits.PayloadBytes;

        await _node.PublishAsync("room:a", new string('x', limit - 2));
        var refused = await Assert.ThrowsAsync<RealtimeException>(() => _node.PublishAsync("room:a", new string('x', limit - 1)));

        Assert.Equal((65_536, "payload_too_large"), (limit, refused.Code));
    }

    [Fact]
    public async Task A_payload_that_is_no_text_is_refused()
    {
        using var broken = JsonDocument.Parse(Encoding.Latin1.GetBytes("\"\u00ff\""));

        await RefusedAsync("payload_invalid", new PublishRequest { Event = "app:x", Payload = broken.RootElement });
    }

    [Fact]
    public async Task A_user_who_publishes_too_fast_is_told_to_slow_down()
    {
        await using var node = new TestNode(options: new RealtimeOptions { Limits = new LimitOptions { PublishesPerSecond = 1, PublishBurst = 3 } });

        var codes = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            codes.Add(await Record.ExceptionAsync(() => node.PublishAsync("room:a")) is RealtimeException exception ? exception.Code : "");
        }

        Assert.Equal(["", "", ""], codes.Take(3));
        Assert.Contains("rate_limited", codes);
        Assert.True(ErrorCode.RateLimited.Retryable);
    }

    [Fact]
    public async Task In_production_a_type_is_closed_until_it_is_opened()
    {
        var open = new RealtimeOptions { TopicTypes = { ["room"] = new TopicTypeOptions { Open = true, ClientEvents = ["note", "app:*"] } } };
        await using var closed = new TestNode(environment: "Production");
        await using var opened = new TestNode(options: open, environment: "Production");

        Assert.Equal("forbidden", (await Assert.ThrowsAsync<RealtimeException>(() => closed.PublishAsync("room:a"))).Code);
        await opened.PublishAsync("room:a");
        await opened.Publish.PublishAsync(TestNode.Ada, Room, new PublishRequest { Event = "note", Payload = JsonElement.Parse("1") });
    }

    [Fact]
    public async Task A_page_of_history_says_whether_there_is_more()
    {
        for (var i = 0; i < 5; i++)
        {
            await _node.PublishAsync("room:a");
        }

        var first = await HistoryAsync(limit: 2);
        var rest = await HistoryAsync(after: first.Position);
        var last = await HistoryAsync(before: rest.Position, limit: 2);

        Assert.Equal(([1L, 2L], false, Recovery.None), (OffsetsOf(first), first.Complete, first.Recovery), new PageComparer());
        Assert.Equal(([3L, 4L, 5L], true, Recovery.Recovered), (OffsetsOf(rest), rest.Complete, rest.Recovery), new PageComparer());
        Assert.Equal(([3L, 4L], false, Recovery.Recovered), (OffsetsOf(last), last.Complete, last.Recovery), new PageComparer());
        Assert.Equal(Recovery.NewEpoch, (await HistoryAsync(after: new Position("other", 1))).Recovery);
        await Assert.ThrowsAsync<RealtimeException>(() => HistoryAsync(limit: 0));
    }

    private static long[] OffsetsOf(HistoryAnswer answer) => [.. answer.Events.Select(encoded => encoded.Position.Offset)];

    private Task<HistoryAnswer> HistoryAsync(Position? after = null, Position? before = null, int? limit = null) =>
        _node.History.ReadAsync(TestNode.Ada, Room, after, before, limit, TestContext.Current.CancellationToken);

    private Task<PublishReply> PublishAsync(PublishRequest request) => _node.Publish.PublishAsync(TestNode.Ada, Room, request);

    private async Task RefusedAsync(string code, PublishRequest request) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<RealtimeException>(() => PublishAsync(request))).Code);

    private sealed class PageComparer : IEqualityComparer<(long[] Offsets, bool Complete, Recovery Recovery)>
    {
        public bool Equals((long[] Offsets, bool Complete, Recovery Recovery) x, (long[] Offsets, bool Complete, Recovery Recovery) y) =>
            x.Offsets.SequenceEqual(y.Offsets) && (x.Complete, x.Recovery) == (y.Complete, y.Recovery);

        public int GetHashCode((long[] Offsets, bool Complete, Recovery Recovery) obj) => obj.Offsets.Length;
    }
}
