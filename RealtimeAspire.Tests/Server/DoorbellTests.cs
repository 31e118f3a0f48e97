using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Tests.Server;

public sealed class DoorbellTests
{
    [Fact]
    public async Task A_ring_before_the_wait_is_kept_and_several_are_one()
    {
        var bell = new Doorbell();
        bell.Ring(lendThread: false);
        bell.Ring(lendThread: false);

        Assert.True(bell.WaitAsync().AsTask().IsCompleted);
        var waiting = bell.WaitAsync().AsTask();
        Assert.False(waiting.IsCompleted);
        bell.Ring(lendThread: false);
        await waiting;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_loop_goes_on_in_the_thread_that_was_lent_or_in_another(bool lendThread)
    {
        var bell = new Doorbell();
        var ringing = 0;
        var sameThread = false;
        var loop = LoopAsync();

        ringing = Environment.CurrentManagedThreadId;
        bell.Ring(lendThread);
        ringing = 0;

        await loop;
        Assert.Equal(lendThread, sameThread);

        async Task LoopAsync()
        {
            await bell.WaitAsync().ConfigureAwait(false);
            sameThread = ringing == Environment.CurrentManagedThreadId;
        }
    }

    [Fact]
    public async Task Whatever_is_enqueued_before_a_ring_is_seen_whoever_rings()
    {
        const int Ringers = 4;
        const int Rings = 20_000;
        var bell = new Doorbell();
        var enqueued = 0;
        var seen = 0;
        var loop = Task.Run(async () =>
        {
            while (seen < Ringers * Rings)
            {
                await bell.WaitAsync();
                seen = Volatile.Read(ref enqueued);
            }
        });

        await Task.WhenAll(Enumerable.Range(0, Ringers).Select(ringer => Task.Run(() =>
        {
            for (var i = 0; i < Rings; i++)
            {
                Interlocked.Increment(ref enqueued);
                bell.Ring(lendThread: ringer % 2 == 0);
            }
        })));

        await loop.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Ringers * Rings, seen);
    }
}
