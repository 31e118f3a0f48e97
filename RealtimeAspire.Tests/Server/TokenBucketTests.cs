using System.Net;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Server.Pipeline.Limits;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class TokenBucketTests
{
    private readonly StoppedTime _time = new();

    [Fact]
    public void A_bucket_lets_its_burst_through_and_then_as_many_as_its_rate()
    {
        var buckets = new BucketSet<string>(_time);
        var rate = BucketRate.Of(10, 20, _time);

        Assert.Equal(20, TakeAll(buckets, rate));
        _time.GoOn(TimeSpan.FromSeconds(1));
        Assert.Equal(10, TakeAll(buckets, rate));
        _time.GoOn(TimeSpan.FromHours(1));
        Assert.Equal(20, TakeAll(buckets, rate));
    }

    [Fact]
    public void A_refusal_says_when_there_is_room_and_then_there_is()
    {
        var buckets = new BucketSet<string>(_time);
        var rate = BucketRate.Of(4, 4, _time);
        TakeAll(buckets, rate);

        var wait = buckets.Take("ada", rate, 2);

        Assert.Equal(TimeSpan.FromMilliseconds(500), wait);
        _time.GoOn(wait!.Value);
        Assert.Null(buckets.Take("ada", rate, 2));
        Assert.NotNull(buckets.Take("ada", rate));
        Assert.Null(buckets.Take("bob", rate));
    }

    [Fact]
    public void What_costs_more_than_a_bucket_holds_is_let_through_when_it_is_full_and_paid_for_after()
    {
        var buckets = new BucketSet<string>(_time);
        var rate = BucketRate.Of(1, 5, _time);

        Assert.Null(buckets.Take("ada", rate, 8));
        Assert.Equal(TimeSpan.FromSeconds(4), buckets.Take("ada", rate));
        Assert.Equal(TimeSpan.FromSeconds(8), buckets.Take("ada", rate, 8));
    }

    [Fact]
    public void What_is_given_back_can_be_taken_again()
    {
        var buckets = new BucketSet<string>(_time);
        var rate = BucketRate.Of(1, 2, _time);
        TakeAll(buckets, rate);

        buckets.GiveBack("ada", rate);

        Assert.Equal(1, TakeAll(buckets, rate));
    }

    /// <summary>From whichever moment on, no more comes through than the burst and what the rate gives in the time since.</summary>
    [Fact]
    public void No_more_comes_through_than_burst_and_rate() => Prop.ForAll<(byte Milliseconds, byte Tokens)[]>(steps =>
    {
        var time = new StoppedTime();
        var bucket = new TokenBucket();
        var rate = BucketRate.Of(100, 30, time);
        var taken = new List<(long At, long Tokens)>();
        foreach (var (milliseconds, tokens) in steps)
        {
            time.GoOn(TimeSpan.FromMilliseconds(milliseconds));
            var wanted = 1 + (tokens % 30);
            if (bucket.Take(time.GetTimestamp(), rate, wanted) == 0)
            {
                taken.Add((time.GetTimestamp(), wanted));
            }
        }

        return taken.Index().All(first => taken.Skip(first.Index).Sum(take => take.Tokens) <= 30 + (100 * time.GetElapsedTime(first.Item.At).TotalSeconds) + 0.001);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Buckets_that_are_full_again_are_thrown_away_and_those_that_are_not_are_kept()
    {
        var buckets = new BucketSet<int>(_time);
        var rate = BucketRate.Of(1, 10, _time);
        buckets.Take(-1, rate, 10);
        for (var i = 0; i < 5_000; i++)
        {
            _time.GoOn(TimeSpan.FromMilliseconds(1));
            buckets.Take(i, rate);
        }

        Assert.InRange(buckets.Count, 1_000, 2_100);
        Assert.NotNull(buckets.Take(-1, rate, 10));
    }

    [Fact]
    public void Past_the_capacity_newcomers_share_one_and_those_who_were_there_keep_theirs()
    {
        var buckets = new BucketSet<int>(_time, capacity: 100);
        var rate = BucketRate.Of(1, 2, _time);
        for (var i = 0; i < 100; i++)
        {
            Assert.Null(buckets.Take(i, rate));
        }

        Assert.Null(buckets.Take(1_000, rate));
        Assert.Null(buckets.Take(1_001, rate));
        Assert.NotNull(buckets.Take(1_002, rate));
        Assert.Null(buckets.Take(7, rate));
        Assert.Equal(100, buckets.Count);
    }

    [Fact]
    public async Task However_many_take_at_once_each_token_is_given_once()
    {
        var buckets = new BucketSet<int>(_time, capacity: 10_000);
        var rate = BucketRate.Of(1, 1_000, _time);
        var taken = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < 2_000; i++)
                {
                    if (buckets.Take(0, rate) is null)
                    {
                        Interlocked.Increment(ref taken);
                    }

                    // Others come and go meanwhile.
                    buckets.Take(1 + i, rate);
                }
            },
            TestContext.Current.CancellationToken)));

        Assert.Equal(1_000, taken);
    }

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7/32")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7/32")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    public void Addresses_that_are_taken_for_one_are_a_range(string address, string range) =>
        Assert.Equal(range, AddressRange.Of(IPAddress.Parse(address), 32, 64).ToString());

    [Fact]
    public void Neighbours_are_one_range_by_the_length_of_the_prefix()
    {
        AddressRange Of(string address, int v4) => AddressRange.Of(IPAddress.Parse(address), v4, 64);

        Assert.NotEqual(Of("203.0.113.7", 32), Of("203.0.113.8", 32));
        Assert.Equal(Of("203.0.113.7", 24), Of("203.0.113.8", 24));
        Assert.Equal(Of("2001:db8::1", 32), Of("2001:db8::2", 32));
        Assert.NotEqual(Of("2001:db8::1", 32), Of("2001:db8:0:1::1", 32));
    }

    private static int TakeAll(BucketSet<string> buckets, BucketRate rate)
    {
        var taken = 0;
        while (buckets.Take("ada", rate) is null)
        {
            taken++;
        }

        return taken;
    }
}
