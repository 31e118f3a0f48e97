using System.Collections.Concurrent;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Specifications;

/// <summary>What every backplane promises while nothing is broken. Derive, make nodes of one system, and the tests run on it.</summary>
public abstract class BackplaneSpecification
{
    private readonly string _run = Guid.NewGuid().ToString("N");

    /// <summary>The backplane of another node of the same system, connected.</summary>
    private protected abstract Task<IBackplane> AddNodeAsync();

    /// <summary>The system knows which topics are joined, by one node each, and which are not. A call that takes too long returns before.</summary>
    private protected virtual Task SettlesAsync(IReadOnlyList<(TopicKey Topic, bool IsJoined)> topics) => Task.CompletedTask;

    [Fact]
    public async Task An_event_of_a_log_arrives_on_every_other_node_as_it_was_sent()
    {
        var (a, b, c) = (await AddNodeAsync(), await AddNodeAsync(), await AddNodeAsync());
        await using var atB = await Listener.JoinAsync(b, Topic("x"));
        await using var atC = await Listener.JoinAsync(c, Topic("x"));
        var sent = Event(Topic("x"), 17, "{\"text\":\"héllo\"}");

        a.Publish(sent);

        foreach (var listener in (Listener[])[atB, atC])
        {
            await listener.HearsAsync(17);
            var heard = listener.Heard.Single();
            Assert.Equal((sent.Topic, sent.Position, sent.TraceParent, false), (heard.Topic, heard.Position, heard.TraceParent, heard.IsEphemeral));
            Assert.Equal(sent.Json.ToArray(), heard.Json.ToArray());
        }
    }

    [Fact]
    public async Task An_ephemeral_event_arrives_without_a_position()
    {
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        await using var listener = await Listener.JoinAsync(b, Topic("x"));

        a.Publish(Event(Topic("x"), 0, "{\"typing\":true}"));

        await listener.HearsAsync(0);
        var heard = listener.Heard.Single();
        Assert.True(heard.IsEphemeral);
        Assert.Equal("{\"typing\":true}", Encoding.UTF8.GetString(heard.Json.Span));
    }

    [Fact]
    public async Task A_node_does_not_hear_itself()
    {
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        await using var atA = await Listener.JoinAsync(a, Topic("x"));
        await using var atB = await Listener.JoinAsync(b, Topic("x"));

        a.Publish(Event(Topic("x"), 1));
        a.Publish(Event(Topic("x"), 0));
        await atB.HearsAsync(1, 0);
        b.Publish(Event(Topic("x"), 2));

        await atA.HearsAsync(2);
        Assert.Equal([1, 0], atB.Offsets);
    }

    [Fact]
    public async Task What_a_node_publishes_arrives_in_order_on_every_topic()
    {
        const int Events = 5_000;
        const int Topics = 10;
        var (a, b, c) = (await AddNodeAsync(), await AddNodeAsync(), await AddNodeAsync());
        var listeners = await Task.WhenAll(Enumerable.Range(0, Topics).Select(i => Listener.JoinAsync(c, Topic($"t{i}"))));

        // Fewer than a queue holds: nothing has to be dropped.
        await Task.WhenAll(Task.Run(() => PublishAll(a, 1)), Task.Run(() => PublishAll(b, Events + 1)));

        foreach (var listener in listeners)
        {
            await Until.TrueAsync(() => listener.Heard.Count >= 2 * Events / Topics);
            foreach (var ofOne in listener.Offsets.GroupBy(offset => offset > Events))
            {
                Assert.Equal(Events / Topics, ofOne.Count());
                Assert.Equal(ofOne.Order(), ofOne);
            }

            await listener.DisposeAsync();
        }

        void PublishAll(IBackplane publisher, long first)
        {
            for (var i = 0; i < Events; i++)
            {
                publisher.Publish(Event(Topic($"t{i % Topics}"), first + i));
            }
        }
    }

    [Fact]
    public async Task Nothing_arrives_after_leaving()
    {
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        var left = await Listener.JoinAsync(b, Topic("left"));
        await using var stayed = await Listener.JoinAsync(b, Topic("stayed"));
        a.Publish(Event(Topic("left"), 1));
        await left.HearsAsync(1);

        await left.DisposeAsync();
        a.Publish(Event(Topic("left"), 2));
        a.Publish(Event(Topic("stayed"), 3));

        await stayed.HearsAsync(3);
        Assert.Equal([1], left.Offsets);
    }

    [Fact]
    public async Task A_join_that_overtakes_the_leave_before_it_hears_everything_once()
    {
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        var former = await Listener.JoinAsync(b, Topic("x"));
        for (var i = 1; i <= 100; i++)
        {
            // The leave is called before it, while it is under way, or after it.
            var leaving = i % 3 == 0 ? LeaveAsync(former) : Task.CompletedTask;
            var joining = Listener.JoinAsync(b, Topic("x"));
            leaving = i % 3 == 1 ? LeaveAsync(former) : leaving;
            var joined = await joining;
            await (i % 3 == 2 ? LeaveAsync(former) : leaving);

            a.Publish(Event(Topic("x"), i));

            await joined.HearsAsync(i);
            former = joined;
        }

        await former.DisposeAsync();

        static Task LeaveAsync(Listener listener) => listener.DisposeAsync().AsTask();
    }

    [Fact]
    public async Task Joins_and_leaves_of_many_at_once_end_as_they_were_called()
    {
        const int Topics = 50;
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        await using var end = await Listener.JoinAsync(b, Topic("end"));

        var listeners = await Task.WhenAll(Enumerable.Range(0, Topics).Select(i => Task.Run(async () =>
        {
            var listener = await Listener.JoinAsync(b, Topic($"t{i}"));
            for (var turn = 0; turn < 20; turn++)
            {
                await listener.DisposeAsync();
                listener = await Listener.JoinAsync(b, Topic($"t{i}"));
            }

            if (i % 2 == 0)
            {
                await listener.DisposeAsync();
            }

            return listener;
        })));
        await SettlesAsync([.. Enumerable.Range(0, Topics).Select(i => (Topic($"t{i}"), i % 2 != 0)), (Topic("end"), true)]);
        for (var i = 0; i < Topics; i++)
        {
            a.Publish(Event(Topic($"t{i}"), i + 1));
        }

        await Until.TrueAsync(() => listeners.Count(listener => !listener.Heard.IsEmpty) >= Topics / 2);
        // Whatever came to others has had its time when this is here.
        a.Publish(Event(Topic("end"), 1));
        await end.HearsAsync(1);
        Assert.Equal(Enumerable.Range(0, Topics).Select(i => i % 2 == 0 ? 0 : 1), listeners.Select(listener => listener.Heard.Count));
    }

    [Fact]
    public async Task Of_many_topics_each_hears_its_own()
    {
        const int Topics = 2_000;
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        var listeners = await Task.WhenAll(Enumerable.Range(0, Topics).Select(i => Listener.JoinAsync(b, Topic($"t{i}"))));
        await SettlesAsync([.. Enumerable.Range(0, Topics).Select(i => (Topic($"t{i}"), true))]);

        for (var i = 0; i < Topics; i++)
        {
            a.Publish(Event(Topic($"t{i}"), i + 1));
        }

        for (var i = 0; i < Topics; i++)
        {
            await listeners[i].HearsAsync(i + 1);
        }

        await Task.WhenAll(listeners.Select(listener => listener.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task A_large_event_arrives_whole()
    {
        var (a, b) = (await AddNodeAsync(), await AddNodeAsync());
        await using var listener = await Listener.JoinAsync(b, Topic("x"));
        var large = Event(Topic("x"), 1, new string('x', 1024 * 1024));

        a.Publish(large);
        a.Publish(Event(Topic("x"), 2));

        await listener.HearsAsync(1, 2);
        Assert.True(large.Json.Span.SequenceEqual(listener.Heard.First().Json.Span));
    }

    private protected TopicKey Topic(string name) => new("default", TopicName.Parse($"room:{_run}-{name}"));

    internal static EncodedEvent Event(TopicKey topic, long offset, string json = "{}") => new()
    {
        Topic = topic,
        Position = offset == 0 ? Position.Origin : new Position("x7Qa", offset),
        TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        Json = Encoding.UTF8.GetBytes(json),
    };

    /// <summary>Stands for the feed of a topic on a node.</summary>
    private protected sealed class Listener : IAsyncDisposable
    {
        private IAsyncDisposable? _lease;

        public ConcurrentQueue<EncodedEvent> Heard { get; } = new();

        public IReadOnlyList<long> Offsets => [.. Heard.Select(heard => heard.Position.Offset)];

        public static async Task<Listener> JoinAsync(IBackplane backplane, TopicKey topic)
        {
            var listener = new Listener();
            listener._lease = await backplane.SubscribeAsync(topic, listener.Heard.Enqueue);
            return listener;
        }

        public async Task HearsAsync(params long[] offsets)
        {
            await Until.TrueAsync(() => Heard.Count >= offsets.Length);
            Assert.Equal(offsets, Offsets);
        }

        public ValueTask DisposeAsync() => _lease!.DisposeAsync();
    }
}
