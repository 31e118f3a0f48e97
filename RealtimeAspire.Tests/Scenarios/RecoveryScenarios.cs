using System.Diagnostics;
using System.Net.Http.Json;
using Aspire.Hosting.Testing;
using Npgsql;
using RealtimeAspire.Protocol;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Coming back, on the wire and over the real stores: by position, by cursor, to any node.</summary>
[Collection(SharedTopology.Name)]
public sealed class RecoveryScenarios(Topology topology, ITestOutputHelper output)
{
    [Theory]
    [InlineData("room")]
    [InlineData("ticker")]
    public async Task Who_comes_back_to_another_node_has_what_was_missed_and_what_follows(string type)
    {
        var topic = NewTopic(type);
        var nodes = topology.Nodes();
        using var publisher = await ConnectAsync(nodes[0]);
        Position last;
        using (var reader = await ConnectAsync(nodes[0]))
        {
            await reader.InvokeAsync("Subscribe", new { topic });
            await PublishAsync(publisher, topic, 3);
            last = (await reader.EventsAsync(3))[^1].Position!.Value;
        }

        await PublishAsync(publisher, topic, 5);
        using var back = await ConnectAsync(nodes[1]);
        var reply = await back.InvokeAsync<SubscribeReply>("Subscribe", new { topic, position = last });
        await PublishAsync(publisher, topic, 2);
        var live = await back.EventsAsync(2);

        Assert.Equal(Recovery.Recovered, reply.Recovery);
        Assert.Equal([4, 5, 6, 7, 8, 9, 10], reply.Events.Concat(live).Select(item => item.Offset!.Value));
        Assert.Single(reply.Events.Concat(live).Select(item => item.Epoch).Append(last.Epoch).Distinct());
    }

    [Fact]
    public async Task Many_topics_of_every_durability_are_resumed_in_one_call()
    {
        var nodes = topology.Nodes();
        string[] topics = [NewTopic("room"), NewTopic("ticker"), NewTopic("game")];
        using var publisher = await ConnectAsync(nodes[0]);
        foreach (var topic in topics)
            await PublishAsync(publisher, topic, 2);
        using var reader = await ConnectAsync(nodes[1]);

        var outcomes = await reader.InvokeAsync<SubscribeOutcome[]>(
            "SubscribeMany", topics.Select(topic => (object)new { topic, position = Position.Origin }).Append(new { topic = "nonsense", position = Position.Origin }));
        foreach (var topic in topics)
            await PublishAsync(publisher, topic, 1);
        var live = await reader.EventsAsync(3);

        Assert.Equal([2, 2, 0], outcomes[..3].Select(outcome => outcome.Reply!.Events.Count));
        Assert.Equal("topic_invalid", outcomes[3].Error!.Code);
        Assert.Equal(topics.Order(StringComparer.Ordinal), live.Select(item => item.Topic).Order(StringComparer.Ordinal));
        Assert.Null(live.Single(item => item.Topic == topics[2]).Offset);
    }

    [Fact]
    public async Task A_device_goes_on_where_it_has_acknowledged_and_never_moves_back()
    {
        var topic = NewTopic("room");
        var nodes = topology.Nodes();
        using var phone = await ConnectAsync(nodes[0]);
        var positions = await PublishAsync(phone, topic, 4);

        var fresh = await phone.InvokeAsync<SubscribeReply>("Subscribe", new { topic, from = "cursor", consumer = "phone" });
        await phone.InvokeAsync("Acknowledge", new { topic, position = positions[2], consumer = "phone" });
        await phone.InvokeAsync("Acknowledge", new { topic, position = positions[0], consumer = "phone" });
        using var elsewhere = await ConnectAsync(nodes[1]);
        var resumed = await elsewhere.InvokeAsync<SubscribeReply>("Subscribe", new { topic, from = "cursor", consumer = "phone" });
        var tablet = await elsewhere.InvokeAsync<SubscribeReply>("Subscribe", new { topic, from = "cursor", consumer = "tablet" });

        Assert.Equal((Recovery.None, 4), (fresh.Recovery, fresh.Events.Count));
        Assert.Equal([4], resumed.Events.Select(item => item.Offset!.Value));
        Assert.Equal(4, tablet.Events.Count);
        foreach (var wrong in new[] { new Position("other", 2), new Position(positions[0].Epoch, 99) })
        {
            var error = await Assert.ThrowsAsync<RealtimeException>(() => phone.InvokeAsync("Acknowledge", new { topic, position = wrong, consumer = "phone" }));
            Assert.Equal("position_invalid", error.Code);
        }
    }

    /// <summary>Its node dies when it has committed the event and told nobody; no later event shows the hole.</summary>
    [Fact]
    public async Task An_event_whose_message_to_the_other_nodes_is_lost_arrives_within_5_s_on_the_same_connection()
    {
        var topic = NewTopic("room");
        using var reader = await ConnectAsync(topology.Nodes()[1]);
        await reader.InvokeAsync("Subscribe", new { topic });
        await using var node = await ProofNode.StartAsync(topology, ("Realtime:Faults:KillAfterCommit", "1"));
        using var publisher = await topology.HttpAsync("ada", node.Address);

        var sent = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<HttpRequestException>(
            () => publisher.PostAsJsonAsync($"/topics/{topic}/events", new { @event = "app:x", payload = 1, id = "lost" }, Topology.Cancelled));
        var arrived = (await reader.EventsAsync(1))[0];
        var delay = Stopwatch.GetElapsedTime(sent);
        using var other = await ConnectAsync(topology.Nodes()[0]);
        await PublishAsync(other, topic, 1);

        Assert.Equal("lost", arrived.Id);
        Assert.Equal([1, 2], (await reader.EventsAsync(2)).Select(item => item.Offset!.Value));
        output.WriteLine($"It arrived after {delay.TotalSeconds:0.0} s.");
        // The promise.
        Assert.InRange(delay.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task What_an_application_publishes_in_its_own_transaction_is_seen_when_that_commits_and_only_then()
    {
        var topic = NewTopic("room");
        using var reader = await ConnectAsync(topology.Nodes()[1]);
        await reader.InvokeAsync("Subscribe", new { topic });
        await using var database = await topology.OpenDatabaseAsync();

        await using (var undone = await database.BeginTransactionAsync(Topology.Cancelled))
        {
            await PublishBySqlAsync(database, topic, "undone");
            await undone.RollbackAsync(Topology.Cancelled);
        }

        var delays = new List<double>();
        for (var i = 1; i <= 5; i++)
        {
            await using var kept = await database.BeginTransactionAsync(Topology.Cancelled);
            await PublishBySqlAsync(database, topic, $"kept-{i}");
            var committed = Stopwatch.GetTimestamp();
            await kept.CommitAsync(Topology.Cancelled);
            await reader.EventsAsync(i);
            delays.Add(Stopwatch.GetElapsedTime(committed).TotalMilliseconds);
        }

        Assert.Equal(Enumerable.Range(1, 5).Select(i => ($"kept-{i}", (long?)i)), reader.Events.Select(item => (item.Id, item.Offset)));
        Assert.Null(reader.Events[0].Data.UserId);
        output.WriteLine($"From commit to subscriber: {string.Join(", ", delays.Order().Select(delay => $"{delay:0.0} ms"))}");
        // The promise: half a second.
        Assert.InRange(delays.Order().ElementAt(2), 0, 500);
    }

    [Fact]
    public async Task A_flushed_Redis_is_a_new_epoch_that_readers_are_told_and_durable_topics_do_not_notice()
    {
        string[] topics = [NewTopic("ticker"), NewTopic("room")];
        using var publisher = await ConnectAsync(topology.Nodes()[0]);
        using var reader = await ConnectAsync(topology.Nodes()[1]);
        var last = new Position[2];
        for (var i = 0; i < 2; i++)
        {
            await reader.InvokeAsync("Subscribe", new { topic = topics[i] });
            last[i] = (await PublishAsync(publisher, topics[i], 3))[^1];
        }

        await reader.EventsAsync(6);
        using (var redis = await ConnectionMultiplexer.ConnectAsync($"{await topology.App.GetConnectionStringAsync("redis", Topology.Cancelled)},allowAdmin=true"))
            await redis.GetDatabase().ExecuteAsync("FLUSHALL");
        var reset = await reader.ControlAsync(Control.Reset);
        var replies = await reader.InvokeAsync<SubscribeOutcome[]>(
            "SubscribeMany", topics.Select((topic, i) => new { topic, position = last[i] }));
        var after = await PublishAsync(publisher, topics[0], 1);

        Assert.Equal(topics[0], reset.Topic);
        Assert.Equal([Recovery.NewEpoch, Recovery.Recovered], replies.Select(outcome => outcome.Reply!.Recovery));
        Assert.NotEqual(last[0].Epoch, after[0].Epoch);
        Assert.Equal(1, after[0].Offset);
    }

    private static string NewTopic(string type) => $"{type}:{Guid.NewGuid():n}";

    private static async Task<IReadOnlyList<Position>> PublishAsync(RawHub hub, string topic, int count)
    {
        var outcomes = await hub.InvokeAsync<PublishOutcome[]>(
            "PublishBatch", Enumerable.Range(1, count).Select(i => new { topic, @event = "app:x", payload = i, id = Guid.NewGuid().ToString("n") }));
        return [.. outcomes.Select(outcome => outcome.Reply!.Position ?? Position.Origin)];
    }

    private static async Task PublishBySqlAsync(NpgsqlConnection database, string topic, string id)
    {
        await using var publish = new NpgsqlCommand("select realtime.publish($1, 'order:paid', '{\"order\": 7}', $2)", database)
        {
            Parameters = { new() { Value = topic }, new() { Value = id } },
        };
        await publish.ExecuteNonQueryAsync(Topology.Cancelled);
    }

    private async Task<RawHub> ConnectAsync(Node node) => await RawHub.ConnectAsync(node.Address, await topology.TokenAsync("ada", node.Address));
}
