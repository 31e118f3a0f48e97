using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;

namespace RealtimeAspire.Tests.Server;

/// <summary>What one connection is sent when it reads slowly, and how.</summary>
public sealed class OutboundTests : IAsyncLifetime
{
    private const string Room = "room:a";

    private readonly TestNode _node = new();
    private readonly RecordingTransport _transport = new();

    // A reader that keeps up: what it has, the feed has offered to the others too.
    private readonly RecordingTransport _witness = new();

    public async ValueTask InitializeAsync() => await _node.StartAsync();

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task What_waits_for_a_reader_leaves_together()
    {
        await _node.SubscribeAsync(_node.Connect(_transport), Room);
        await _node.SubscribeAsync(_node.Connect(_witness), Room);
        _transport.Stall();
        for (var i = 0; i < 50; i++)
        {
            await _node.PublishAsync(Room);
        }

        await Until.TrueAsync(() => _witness.Offsets.Count == 50);
        _transport.Resume();

        await Until.TrueAsync(() => _transport.Offsets.Count == 50);
        Assert.Equal(Enumerable.Range(1, 50).Select(i => (long)i), _transport.Offsets);
        Assert.InRange(_transport.Writes, 1, 5);
    }

    [Fact]
    public async Task A_reader_that_wants_the_latest_has_all_while_it_keeps_up_and_the_newest_when_it_does_not()
    {
        await SubscribeAsync(QosMode.Latest);
        await _node.SubscribeAsync(_node.Connect(_witness), Room);
        for (var i = 1; i <= 3; i++)
        {
            await PublishAsync("a");
            await Until.TrueAsync(() => _transport.Offsets.Count == i);
        }

        _transport.Stall();
        await PublishAsync("a");
        // The first is being written; those behind it wait.
        await Until.TrueAsync(() => _transport.Begun == _transport.Writes + 1);
        await PublishAsync("a", "b", "a", "c", "b", "a");
        await Until.TrueAsync(() => _witness.Offsets.Count == 10);

        _transport.Resume();

        await Until.TrueAsync(() => _transport.Offsets.LastOrDefault() == 10);
        Assert.Equal([1, 2, 3, 4, 8, 9, 10], _transport.Offsets);
        await Until.TrueAsync(() => !_transport.Controls.IsEmpty);
        Assert.Equal((Control.Dropped, Room, 3L), _transport.Controls.Select(control => (control.Type, control.Topic, control.Count!.Value)).Single());
    }

    [Fact]
    public async Task A_slow_reader_that_wants_the_latest_is_not_closed()
    {
        await SubscribeAsync(QosMode.Latest);
        await _node.SubscribeAsync(_node.Connect(_witness), Room);
        _transport.Stall();
        for (var i = 0; i < 100; i++)
        {
            await _node.PublishAsync(Room, new string('x', 50_000), entity: "one");
        }

        await Until.TrueAsync(() => _witness.Offsets.Count == 100);
        _transport.Resume();

        await Until.TrueAsync(() => _transport.Offsets.LastOrDefault() == 100);
        Assert.False(_transport.Closed.Task.IsCompleted);
        Assert.InRange(_transport.Offsets.Count, 2, 10);
    }

    [Fact]
    public async Task A_reader_that_conflates_has_the_newest_once_per_interval()
    {
        var time = new HeldTime();
        await using var node = new TestNode(time: time);
        await node.StartAsync();
        await node.SubscribeAsync(
            node.Connect(_transport), new SubscribeRequest { Topic = Room, Qos = new QosRequest { Mode = QosMode.Conflate, IntervalMs = 200 } });
        await node.SubscribeAsync(node.Connect(_witness), Room);
        await node.PublishAsync(Room, entity: "a");
        await Until.TrueAsync(() => _transport.Offsets.Count == 1);

        foreach (var entity in (string[])["a", "b", "a", "b"])
        {
            await node.PublishAsync(Room, entity: entity);
        }

        await Until.TrueAsync(() => _witness.Offsets.Count == 5);
        time.GoOn(TimeSpan.FromMilliseconds(199));
        Assert.Equal([1], _transport.Offsets);
        time.GoOn(TimeSpan.FromMilliseconds(1));

        await Until.TrueAsync(() => _transport.Offsets.LastOrDefault() == 5);
        Assert.Equal([1, 4, 5], _transport.Offsets);
    }

    [Fact]
    public async Task Recovery_yields_the_newest_of_each_key_too()
    {
        await PublishAsync("a", "b", "a", "c");

        var answer = await SubscribeAsync(QosMode.Latest, Position.Origin);

        Assert.Equal([2L, 3L, 4L], answer.Events.Select(encoded => encoded.Position.Offset));
        Assert.Equal(4, answer.Position.Offset);
    }

    [Fact]
    public async Task Ephemeral_events_reach_who_listens_without_a_position_and_can_be_declined()
    {
        var declining = new RecordingTransport();
        await _node.SubscribeAsync(_node.Connect(_transport), Room);
        await _node.SubscribeAsync(_node.Connect(declining), new SubscribeRequest { Topic = Room, Ephemeral = false });

        var reply = await _node.PublishAsync(Room, name: "typing");
        await _node.PublishAsync(Room);

        await Until.TrueAsync(() => _transport.Offsets.Count == 2 && declining.Offsets.Count == 1);
        Assert.Equal((null, false), (reply.Position, reply.Duplicate));
        Assert.Equal([0, 1], _transport.Offsets);
        Assert.Equal([1], declining.Offsets);
        var json = System.Text.Encoding.UTF8.GetString(_transport.Events.First().Json.Span);
        Assert.DoesNotContain("offset", json, StringComparison.Ordinal);
        Assert.DoesNotContain("epoch", json, StringComparison.Ordinal);
        Assert.Empty((await _node.SubscribeAsync(_node.Connect(new RecordingTransport()), Room, new Position(_transport.Events.Last().Position.Epoch, 1))).Events);
    }

    private async Task<SubscribeAnswer> SubscribeAsync(QosMode mode, Position? position = null) => await _node.SubscribeAsync(
        _node.Connect(_transport),
        new SubscribeRequest { Topic = Room, Position = position, Qos = new QosRequest { Mode = mode } });

    private async Task PublishAsync(params string[] entities)
    {
        foreach (var entity in entities)
        {
            await _node.PublishAsync(Room, entity: entity);
        }
    }
}
