using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Tests.Server;

/// <summary>Many subscribers do not hold up few, nor slow ones those that read.</summary>
public sealed class FanOutTests : IAsyncLifetime
{
    private readonly TestNode _node = new(options: new RealtimeOptions { Limits = { QueueBytes = 64 * 1024, Connections = 0 } });

    public async ValueTask InitializeAsync() => await _node.StartAsync();

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task A_publish_to_a_few_overtakes_those_to_100_000()
    {
        // More than there are threads to fan them out.
        const int Crowds = 10;
        const int CrowdSize = 10_000;
        var crowd = new BusyTransport();
        for (var i = 0; i < Crowds * CrowdSize; i++)
        {
            await _node.SubscribeAsync(_node.Connect(crowd), $"room:crowd-{i % Crowds}");
        }

        var (published, arrived) = (0, 0);
        var few = new BusyTransport { AtFirst = () => Volatile.Write(ref arrived, crowd.Sent) };
        await _node.SubscribeAsync(_node.Connect(few), "room:few");

        // The test itself would come late to what takes a fraction of a second; and what a thread of the pool publishes is that thread's next work.
        crowd.AtFirst = () =>
        {
            var publisher = new Thread(() =>
            {
                for (var i = 1; i < Crowds; i++)
                {
                    _node.PublishAsync($"room:crowd-{i}").GetAwaiter().GetResult();
                }

                published = crowd.Sent;
                _node.PublishAsync("room:few").GetAwaiter().GetResult();
            });
            publisher.Start();
            publisher.Join();
        };
        await _node.PublishAsync("room:crowd-0");
        await Until.TrueAsync(() => Volatile.Read(ref arrived) > 0 && crowd.Sent == Crowds * CrowdSize);

        Assert.InRange(arrived - published, 0, Crowds * CrowdSize / 2);
    }

    [Fact]
    public async Task Ten_thousand_that_do_not_read_cost_the_others_nothing_and_are_closed()
    {
        const int Stalled = 10_000;
        const int Events = 200;
        var stalled = new List<RecordingTransport>();
        for (var i = 0; i < Stalled; i++)
        {
            stalled.Add(new RecordingTransport());
            stalled[^1].Stall();
            await _node.SubscribeAsync(_node.Connect(stalled[^1]), "room:a");
        }

        var reader = new RecordingTransport();
        await _node.SubscribeAsync(_node.Connect(reader), "room:a");
        for (var i = 0; i < Events; i++)
        {
            await _node.PublishAsync("room:a", new string('x', 1_000));
        }

        await Until.TrueAsync(() => reader.Offsets.Count == Events);
        Assert.Equal(Enumerable.Range(1, Events).Select(i => (long)i), reader.Offsets);
        await Until.TrueAsync(() => stalled.TrueForAll(one => one.Closed.Task.IsCompleted));
        Assert.All(stalled, one => Assert.Equal(ErrorCode.SlowConsumer, one.Closed.Task.Result));
    }

    [Theory]
    [InlineData(300, 20, 3)]
    [InlineData(300, 200, 5)]
    [InlineData(300, 2, 0)]
    [InlineData(200, 20, 0)]
    public async Task A_topic_that_is_behind_lets_events_gather_for_half_of_the_time_that_its_fan_out_took(int subscribers, int microseconds, int milliseconds)
    {
        var time = new JumpingTime(stands: true);
        await using var node = new TestNode(time: time);
        await node.StartAsync();
        var crowd = new BusyTransport { Time = time, SendTime = TimeSpan.FromMicroseconds(microseconds) };
        for (var i = 0; i < subscribers; i++)
        {
            await node.SubscribeAsync(node.Connect(crowd), "room:a");
        }

        // The second is there before the first has been sent to all.
        crowd.AtFirst = () => node.PublishAsync("room:a").GetAwaiter().GetResult();
        time.Timers.Clear();
        await node.PublishAsync("room:a");
        await Until.TrueAsync(() => crowd.Sent == 2 * subscribers);

        var gathered = time.Timers.Where(timer => timer < TimeSpan.FromMilliseconds(10)).ToList();
        if (milliseconds == 0)
        {
            Assert.Empty(gathered);
        }
        else
        {
            Assert.InRange(Assert.Single(gathered), TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromMilliseconds(5));
        }
    }

    /// <summary>Takes some microseconds for each event, as a socket does.</summary>
    private sealed class BusyTransport : IConnectionTransport
    {
        private int _sent;

        public string Name => "test";

        public TimeSpan SendTime { get; init; } = TimeSpan.FromMicroseconds(3);

        /// <summary>Is put forward instead of waiting, where it can be.</summary>
        public TimeProvider Time { get; init; } = TimeProvider.System;

        /// <summary>Happens during the first send.</summary>
        public Action AtFirst { get; set; } = static () => { };

        public int Sent => Volatile.Read(ref _sent);

        public ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken)
        {
            if (Time is JumpingTime time)
            {
                time.Jump(SendTime);
            }
            else
            {
                SpinFor(SendTime);
            }

            if (Interlocked.Increment(ref _sent) == 1)
            {
                AtFirst();
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask SendControlAsync(Control control, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public Task CloseAsync(ErrorCode reason) => Task.CompletedTask;

        private static void SpinFor(TimeSpan time)
        {
            var started = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(started) < time)
            {
                Thread.SpinWait(10);
            }
        }
    }
}
