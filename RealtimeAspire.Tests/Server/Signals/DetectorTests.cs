using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>What is unusual and what is not, without a server and a clock.</summary>
public sealed class DetectorTests
{
    private const int Minute = 60_000;

    private static readonly SignalOptions Defaults = new();

    [Theory]
    [InlineData(100)]
    [InlineData(1_000)]
    [InlineData(10_000)]
    public void Many_different_things_of_one_key_are_found_near_the_threshold_and_the_same_one_never_is(int threshold)
    {
        var detector = new DistinctDetector<string>(TimeSpan.FromMinutes(10));

        var found = Enumerable.Range(1, threshold * 4).First(i => detector.Add("one", HashCode.Combine(i), threshold, now: i) is not null);
        var same = Enumerable.Range(1, threshold * 4).Select(i => detector.Add("other", 7, threshold, now: i));

        Assert.InRange(found, threshold * 0.9, threshold * 1.1);
        Assert.All(same, Assert.Null);
    }

    [Fact]
    public void What_is_spread_over_windows_is_not_found()
    {
        var detector = new DistinctDetector<string>(TimeSpan.FromMinutes(10));

        Assert.All(Enumerable.Range(1, 1_000).Select(i => detector.Add("one", HashCode.Combine(i), 100, now: i * Minute)), Assert.Null);
    }

    /// <summary>50 people behind one address, with the same browser, who all sign in within five minutes; some of them mistype.</summary>
    [Fact]
    public void An_office_behind_one_address_is_ordinary_by_default()
    {
        var (identities, names) = (new DistinctDetector<int>(Defaults.ManyIdentities.Window), new DistinctDetector<int>(Defaults.CredentialStuffing.Window));
        var (connects, users) = (new RateDetector<int>(Defaults.ReconnectStorm.Window), new RateDetector<int>(Defaults.ReconnectStorm.Window));
        for (var person = 0; person < 50; person++)
        {
            var now = person * 6_000L;
            Assert.Null(identities.Add(0, HashCode.Combine(person), Defaults.ManyIdentities.Threshold, now));
            // One of five forgets his password, and tries three times.
            for (var slip = 0; person % 5 == 0 && slip < 3; slip++)
            {
                Assert.Null(names.Add(0, HashCode.Combine(person), Defaults.CredentialStuffing.Threshold, now));
            }
        }

        // And a node dies: five tabs each are back at once.
        for (var tab = 0; tab < 250; tab++)
        {
            Assert.Null(connects.Add(0, Defaults.ReconnectStorm.Threshold * 5, now: tab * 10, out _));
            Assert.Null(users.Add(tab / 5, Defaults.ReconnectStorm.Threshold, now: tab * 10, out _));
        }

        Assert.Equal(SignalEffect.Observe, Defaults.ManyIdentities.Action);
        Assert.False(Defaults.Act);
    }

    [Fact]
    public void A_million_hostile_keys_take_no_more_memory_and_do_not_hide_who_comes_often()
    {
        const int Capacity = 4_096;
        const int Heavy = 16;
        var (distinct, rate, volume) = (
            new DistinctDetector<int>(TimeSpan.FromMinutes(10), Capacity), new RateDetector<int>(TimeSpan.FromMinutes(1), Capacity), new VolumeDetector<int>(1_000, TimeSpan.FromSeconds(10), Capacity));
        var ledger = new SignalLedger(TimeSpan.FromMinutes(5), Capacity);
        var (names, connects) = (new Finding?[Heavy], new Finding?[Heavy]);
        var others = 0;
        Fill(from: 1, to: 50_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Fill(from: 50_001, to: 1_000_000);
        var made = GC.GetAllocatedBytesForCurrentThread() - before;
        for (var key = 0; key < 1_000_000; key++)
        {
            ledger.Take(SignalKind.FanOut, new SignalSubject(SubjectKind.User, "default", $"{key}"), isActedOn: false, key / 20L);
        }

        Assert.Equal((Capacity, Capacity, Capacity, Capacity), (distinct.Count, rate.Count, volume.Count, ledger.Count));
        // What a newcomer needs was there before.
        Assert.InRange(made, 0, 100_000);
        Assert.All(names, name => Assert.NotNull(name));
        Assert.All(connects, connect => Assert.NotNull(connect));
        Assert.Equal(0, others);

        void Fill(int from, int to)
        {
            for (var key = from; key <= to; key++)
            {
                var now = key / 20L;
                others += distinct.Add(key, 1, 100, now) is null ? 0 : 1;
                others += rate.Add(key, 100, now, out _) is null ? 0 : 1;
                volume.Add(key, 1, now, out _);
                // One in a hundred is one of those who mean it.
                if (key % 100 == 0)
                {
                    var who = key / 100 % Heavy;
                    names[who] ??= distinct.Add(-who, HashCode.Combine(key), 100, now);
                    connects[who] ??= rate.Add(-who, 100, now, out _);
                }
            }
        }
    }

    [Theory]
    [InlineData(99, 0)]
    [InlineData(100, 50)]
    [InlineData(200, 75)]
    [InlineData(400, 100)]
    [InlineData(10_000, 100)]
    public void A_score_is_50_at_the_threshold_and_a_quarter_more_with_each_doubling(int times, int score)
    {
        var detector = new RateDetector<string>(TimeSpan.FromMinutes(1));
        Finding? last = null;
        for (var i = 0; i < times; i++)
        {
            last = detector.Add("one", 100, now: i, out _);
        }

        Assert.Equal(score, last?.Score ?? 0);
    }

    [Fact]
    public void Who_comes_as_evenly_as_a_clock_is_told_from_who_does_not()
    {
        var (even, uneven) = (new RateDetector<string>(TimeSpan.FromMinutes(1)), new RateDetector<string>(TimeSpan.FromMinutes(1)));
        var (isEven, isUneven) = (false, false);
        for (var i = 0; i < 50; i++)
        {
            even.Add("one", 10, now: i * 500, out isEven);
            uneven.Add("one", 10, now: i * i * 10, out isUneven);
        }

        Assert.Equal((true, false), (isEven, isUneven));
    }

    [Fact]
    public void A_volume_that_jumps_is_found_and_one_that_is_large_or_grows_slowly_is_not()
    {
        var detector = new VolumeDetector<string>(floor: 100_000, TimeSpan.FromSeconds(10));
        var (large, grown, small) = (new List<Finding?>(), new List<Finding?>(), new List<Finding?>());
        for (var window = 1; window <= 200; window++)
        {
            large.Add(detector.Add("large", 150_000, window * 10_000, out _));
            grown.Add(detector.Add("grows", 1_000 * Math.Pow(1.05, window), window * 10_000, out _));
            small.Add(detector.Add("small", window % 50 == 0 ? 99_000 : 10, window * 10_000, out _));
        }

        // Who is new and begins with so much is told of once.
        Assert.NotNull(large[0]);
        Assert.All(large.Skip(2), Assert.Null);
        Assert.All(grown, Assert.Null);
        Assert.All(small, Assert.Null);
        Assert.NotNull(detector.Add("large", 3_000_000, 2_010_000, out var average));
        Assert.InRange(average, 140_000, 150_000);
    }

    [Fact]
    public void The_same_is_told_once_in_a_cool_down_with_its_count_and_once_more_when_something_is_done()
    {
        var ledger = new SignalLedger(TimeSpan.FromMinutes(5));
        var subject = new SignalSubject(SubjectKind.User, "default", "ada");

        long Take(bool isActedOn, long now) => ledger.Take(SignalKind.SubscribeScan, subject, isActedOn, now);

        Assert.Equal([1, 0, 0, 3, 0], (long[])[Take(false, 0), Take(false, 1), Take(false, 2), Take(true, 3), Take(true, 4)]);
        Assert.Equal([0, 0], (long[])[Take(false, 4 * Minute), Take(true, 4 * Minute)]);
        Assert.Equal(4, Take(false, (5 * Minute) + 3));
        Assert.Equal(1, ledger.Take(SignalKind.FanOut, subject, false, 5));
    }
}
