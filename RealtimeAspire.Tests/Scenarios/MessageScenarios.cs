using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Npgsql;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

[Collection(SharedTopology.Name)]
public sealed class MessageScenarios(Topology topology, ITestOutputHelper output)
{
    [Fact]
    public async Task A_message_published_on_one_node_arrives_on_the_other()
    {
        var nodes = topology.Nodes();
        Assert.Equal(2, nodes.Count);
        await PublishAndReceiveAsync(nodes[0], nodes[1]);
        await PublishAndReceiveAsync(nodes[1], nodes[0]);
    }

    [Fact]
    public async Task A_message_is_a_row_in_Postgres_once_it_is_acknowledged()
    {
        var topic = NewRoom();
        await using var ada = await topology.ConnectAsync("ada");
        var reply = await ada.PublishAsync(topic, "chat:message", new { text = "kept" }, cancellationToken: Topology.Cancelled);

        await using var database = await topology.OpenDatabaseAsync();
        await using var query = new NpgsqlCommand("""
            select e."offset", e.event, e.payload, t.epoch
            from realtime.events e join realtime.topics t using (topic_id) where t.tenant = 'default' and t.topic = $1
            """, database)
        { Parameters = { new() { Value = topic } } };
        await using var rows = await query.ExecuteReaderAsync(Topology.Cancelled);
        Assert.True(await rows.ReadAsync(Topology.Cancelled));
        Assert.Equal(reply.Position!.Value.Offset, rows.GetInt64(0));
        Assert.Equal("chat:message", rows.GetString(1));
        Assert.Contains("kept", rows.GetString(2), StringComparison.Ordinal);
        // On the wire the epoch also names the Postgres that gave it.
        Assert.StartsWith(rows.GetString(3), reply.Position!.Value.Epoch, StringComparison.Ordinal);
        Assert.False(await rows.ReadAsync(Topology.Cancelled));
    }

    [Fact]
    public async Task A_retry_with_the_same_id_on_another_node_appends_nothing()
    {
        var topic = NewRoom();
        var nodes = topology.Nodes();
        var body = new { @event = "chat:message", payload = new { text = "once" }, id = "the-same-id" };
        using var first = await topology.HttpAsync("ada", nodes[0].Address);
        using var second = await topology.HttpAsync("ada", nodes[1].Address);

        using var published = await first.PostAsJsonAsync(EventsOf(topic), body, Topology.Cancelled);
        using var repeated = await second.PostAsJsonAsync(EventsOf(topic), body, Topology.Cancelled);

        Assert.Equal(201, (int)published.StatusCode);
        Assert.Equal(200, (int)repeated.StatusCode);
        var outcome = await published.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
        var again = await repeated.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled);
        Assert.True(again.GetProperty("duplicate").GetBoolean());
        Assert.Equal(outcome.GetProperty("position").GetRawText(), again.GetProperty("position").GetRawText());
    }

    [Fact]
    public async Task A_burst_from_both_nodes_is_seen_in_one_order_everywhere()
    {
        const int PerPublisher = 100;
        var topic = NewRoom();
        var nodes = topology.Nodes();
        await using var ada = await topology.ConnectAsync("ada", nodes[0].Address);
        await using var grace = await topology.ConnectAsync("grace", nodes[1].Address);
        await using var adaReads = await ada.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);
        await using var graceReads = await grace.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);

        var publishing = Enumerable.Range(0, PerPublisher).SelectMany(i => new[]
        {
            ada.PublishAsync(topic, "chat:message", new { text = $"ada {i}" }, cancellationToken: Topology.Cancelled),
            grace.PublishAsync(topic, "chat:message", new { text = $"grace {i}" }, cancellationToken: Topology.Cancelled),
        });
        await Task.WhenAll(publishing);

        var byAda = await adaReads.TakeAsync(2 * PerPublisher);
        var byGrace = await graceReads.TakeAsync(2 * PerPublisher);
        Assert.Equal(Enumerable.Range(1, 2 * PerPublisher).Select(i => (long?)i), byAda.Select(e => e.Offset));
        Assert.Equal(byAda.Select(Text), byGrace.Select(Text));
        foreach (var publisher in (string[])["ada", "grace"])
            Assert.Equal(Enumerable.Range(0, PerPublisher).Select(i => $"{publisher} {i}"), byAda.Select(Text).Where(t => t.StartsWith(publisher, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Who_was_away_gets_what_was_missed_on_another_node()
    {
        var topic = NewRoom();
        var nodes = topology.Nodes();
        await using var ada = await topology.ConnectAsync("ada", nodes[0].Address);
        var seen = (await ada.PublishAsync(topic, "chat:message", new { text = "seen" }, cancellationToken: Topology.Cancelled)).Position;
        foreach (var text in (string[])["missed 1", "missed 2", "missed 3"])
            await ada.PublishAsync(topic, "chat:message", new { text }, cancellationToken: Topology.Cancelled);

        await using var grace = await topology.ConnectAsync("grace", nodes[1].Address);
        await using var reads = await grace.SubscribeAsync(topic, new SubscribeOptions { Position = seen }, Topology.Cancelled);
        Assert.Equal(["missed 1", "missed 2", "missed 3"], (await reads.TakeAsync(3)).Select(Text));
    }

    /// <summary>Prints the figure; the machine's noise is no reason for a test to fail.</summary>
    [Fact]
    public async Task The_way_from_one_node_to_a_reader_on_the_other_is_measured()
    {
        const int Warmup = 200, Measured = 300;
        var topic = NewRoom();
        var nodes = topology.Nodes();
        using var publisher = await topology.HttpAsync("ada", nodes[0].Address);
        await using var grace = await topology.ConnectAsync("grace", nodes[1].Address);
        await using var subscription = await grace.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);
        await using var events = subscription.GetAsyncEnumerator(Topology.Cancelled);

        var times = new List<double>();
        for (var i = 0; i < Warmup + Measured; i++)
        {
            var started = TimeProvider.System.GetTimestamp();
            var publish = publisher.PostAsJsonAsync(EventsOf(topic), new { @event = "chat:message", payload = new { text = "tick" } }, Topology.Cancelled);
            Assert.True(await events.MoveNextAsync());
            if (i >= Warmup)
                times.Add(TimeProvider.System.GetElapsedTime(started).TotalMilliseconds);
            using var response = await publish;
            Assert.Equal(201, (int)response.StatusCode);
        }

        times.Sort();
        var figure = string.Create(CultureInfo.InvariantCulture, $"HTTP publish on one node to SignalR event on the other: median {times[Measured / 2]:0.00} ms, p99 {times[Measured * 99 / 100]:0.00} ms ({Measured} one after the other)");
        output.WriteLine(figure);
        await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(Repository.PathOf("artifacts")).FullName, "latency.txt"), figure + Environment.NewLine, Topology.Cancelled);
    }

    private async Task PublishAndReceiveAsync(Node from, Node to)
    {
        var topic = NewRoom();
        using var publisher = await topology.HttpAsync("ada", from.Address);
        await using var reader = await topology.ConnectAsync("grace", to.Address);
        await using var subscription = await reader.SubscribeAsync(topic, cancellationToken: Topology.Cancelled);

        using var response = await publisher.PostAsJsonAsync(EventsOf(topic), new { @event = "chat:message", payload = new { text = "over there" } }, Topology.Cancelled);
        Assert.Equal(201, (int)response.StatusCode);

        var received = Assert.Single(await subscription.TakeAsync(1));
        Assert.Equal("over there", Text(received));
        Assert.Equal("ada", received.Data.UserId);
    }

    private static string Text(TopicEvent item) => item.Data.Payload.GetProperty("text").GetString()!;

    private static string NewRoom() => $"room:{Guid.NewGuid():n}";

    private static string EventsOf(string topic) => $"/topics/{Uri.EscapeDataString(topic)}/events";
}
