using System.Net;
using System.Net.Http.Json;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Cursors;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Durable, acknowledged positions.</summary>
[Collection(SharedTopology.Name)]
public sealed class PostgresCursorScenarios(Topology topology) : IAsyncLifetime
{
    private static readonly TopicName Topic = TopicName.Parse("room:a");
    private static readonly Position Tip = new("e1", 10);

    private readonly Caller _ada = new("default", "ada");
    private PostgresDatabase? _database;
    private CursorStore? _cursors;

    private CursorStore Cursors => _cursors!;

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresDatabase.CreateAsync(topology);
        _cursors = new CursorStore(_database.DataSource);
    }

    public ValueTask DisposeAsync() => _database!.DisposeAsync();

    [Fact]
    public async Task A_cursor_is_where_it_was_acknowledged_last_and_never_moves_back()
    {
        Assert.Null(await FindAsync());
        await AcknowledgeAsync(new Position("e1", 3));
        Assert.Equal(new Position("e1", 3), await FindAsync());
        await AcknowledgeAsync(new Position("e1", 7));
        await AcknowledgeAsync(new Position("e1", 5));

        Assert.Equal(new Position("e1", 7), await FindAsync());
    }

    [Fact]
    public async Task A_cursor_that_is_moved_over_HTTP_is_where_a_subscribe_goes_on()
    {
        using var http = await topology.HttpAsync("ada");
        var topic = $"room:{Guid.NewGuid():N}";
        var positions = new List<Position>();
        for (var i = 1; i <= 3; i++)
        {
            using var published = await http.PostAsJsonAsync($"/topics/{topic}/events", new { @event = "app:note", payload = i }, Topology.Cancelled);
            positions.Add((await published.Content.ReadFromJsonAsync<PublishReply>(RealtimeJson.Default.PublishReply, Topology.Cancelled))!.Position!.Value);
        }

        using var moved = await http.PutAsJsonAsync($"/topics/{topic}/cursors/phone-1", new { position = positions[1] }, Topology.Cancelled);
        using var refused = await http.PutAsJsonAsync($"/topics/{topic}/cursors/phone-1", new { position = new Position("other", 1) }, Topology.Cancelled);
        using var polled = await http.PostAsJsonAsync("/topics/poll", new[] { new { topic, from = "cursor", consumer = "phone-1" } }, Topology.Cancelled);

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.BadRequest), (moved.StatusCode, refused.StatusCode));
        var outcomes = await polled.Content.ReadFromJsonAsync(RealtimeJson.Default.SubscribeOutcomeArray, Topology.Cancelled);
        Assert.Equal([3], Assert.Single(outcomes!).Reply!.Events.Select(read => read.Data.Payload.GetInt32()));
    }

    [Fact]
    public async Task Acknowledges_that_cross_end_at_the_highest()
    {
        await Task.WhenAll(Enumerable.Range(1, 200).Select(i => AcknowledgeAsync(new Position("e1", 1 + (i * 7 % 200)), new Position("e1", 200))));

        Assert.Equal(new Position("e1", 200), await FindAsync());
    }

    [Fact]
    public async Task A_position_of_another_epoch_or_ahead_of_the_tip_is_refused_and_changes_nothing()
    {
        await AcknowledgeAsync(new Position("e1", 3));
        foreach (var wrong in new[] { new Position("e0", 5), new Position("e1", 11), new Position("e1", -1), new Position("", 5), Position.Origin })
        {
            var error = await Assert.ThrowsAsync<RealtimeException>(() => AcknowledgeAsync(wrong));
            Assert.Equal("position_invalid", error.Code);
        }

        Assert.Equal(new Position("e1", 3), await FindAsync());
    }

    [Fact]
    public async Task In_a_new_epoch_a_lower_offset_is_ahead()
    {
        await AcknowledgeAsync(new Position("e1", 9));
        await AcknowledgeAsync(new Position("e2", 1), new Position("e2", 1));

        Assert.Equal(new Position("e2", 1), await FindAsync());
    }

    [Fact]
    public async Task Every_tenant_user_consumer_and_topic_has_its_own()
    {
        await AcknowledgeAsync(new Position("e1", 3));

        Assert.Null(await Cursors.FindAsync(_ada with { Tenant = "acme" }, Topic, "phone", Topology.Cancelled));
        Assert.Null(await Cursors.FindAsync(_ada with { UserId = "bob" }, Topic, "phone", Topology.Cancelled));
        Assert.Null(await Cursors.FindAsync(_ada, Topic, "laptop", Topology.Cancelled));
        Assert.Null(await Cursors.FindAsync(_ada, TopicName.Parse("room:b"), "phone", Topology.Cancelled));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData(null)]
    public async Task A_consumer_is_visible_ASCII(string? consumer)
    {
        var acknowledged = await Assert.ThrowsAsync<RealtimeException>(() => Cursors.AcknowledgeAsync(_ada, Topic, consumer!, Tip, Tip, Topology.Cancelled));
        var found = await Assert.ThrowsAsync<RealtimeException>(() => Cursors.FindAsync(_ada, Topic, consumer!, Topology.Cancelled));
        var tooLong = await Assert.ThrowsAsync<RealtimeException>(() => Cursors.FindAsync(_ada, Topic, new string('x', 65), Topology.Cancelled));

        Assert.Equal(["consumer_invalid", "consumer_invalid", "consumer_invalid"], [acknowledged.Code, found.Code, tooLong.Code]);
    }

    [Fact]
    public async Task Without_Postgres_it_fails_as_retryable()
    {
        await using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Timeout=1");
        var cursors = new CursorStore(nowhere);

        var acknowledged = await Assert.ThrowsAsync<RealtimeException>(() => cursors.AcknowledgeAsync(_ada, Topic, "phone", Tip, Tip, Topology.Cancelled));
        var found = await Assert.ThrowsAsync<RealtimeException>(() => cursors.FindAsync(_ada, Topic, "phone", Topology.Cancelled));

        Assert.Equal((ErrorCode.LogUnavailable, ErrorCode.LogUnavailable), (acknowledged.Error, found.Error));
    }

    private Task AcknowledgeAsync(Position position, Position? tip = null) =>
        Cursors.AcknowledgeAsync(_ada, Topic, "phone", position, tip ?? Tip, Topology.Cancelled);

    private Task<Position?> FindAsync() => Cursors.FindAsync(_ada, Topic, "phone", Topology.Cancelled);
}
