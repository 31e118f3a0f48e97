using RealtimeAspire.Server;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Notifications;

namespace RealtimeAspire.Tests.Server.Notifications;

/// <summary>What is told on other channels and when: preferences × quiet hours × what has become of it, as a table.</summary>
public sealed class LadderTests
{
    private static readonly DateTimeOffset Noon = new(2026, 6, 10, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Delay = TimeSpan.FromMinutes(1);
    private static readonly KindRule Loud = new("loud", NotificationPriority.Normal, Push: true, Email: true);
    private static readonly KindRule Quiet = new("quiet", NotificationPriority.Normal, Push: false, Email: false);

    [Theory]
    [InlineData("loud", null, null, null, true, true)]
    [InlineData("quiet", null, null, null, false, false)]
    [InlineData("quiet", null, true, null, true, false)]
    [InlineData("loud", null, false, null, false, true)]
    [InlineData("loud", true, null, false, true, false)]
    // Who takes nothing of it into his inbox gets nothing of it elsewhere.
    [InlineData("loud", false, true, true, false, false)]
    public void Each_channel_follows_the_user_and_where_he_says_nothing_the_kind(string kind, bool? inbox, bool? push, bool? email, bool isPushed, bool isMailed)
    {
        var rule = kind == "loud" ? Loud : Quiet;
        var preferences = new Preferences(new Dictionary<string, KindPreference> { [kind] = new(inbox, push, email) });

        var steps = new[] { Channel.Push, Channel.Email }.Select(channel => Ladder.Decide(channel, rule, preferences, Entry(), Delay, Noon)).ToArray();

        Assert.Equal([isPushed, isMailed], steps.Select(step => step.At is not null));
        Assert.All(steps, step => Assert.Equal(step.At is null ? "off" : null, step.Never));
    }

    [Theory]
    [InlineData(true, false, false, "read")]
    [InlineData(false, true, false, "acknowledged")]
    [InlineData(false, false, true, "removed")]
    public void What_was_heard_of_anywhere_is_not_told_again(bool isRead, bool isAcknowledged, bool isRemoved, string why)
    {
        var entry = Entry() with { IsRead = isRead, IsAcknowledged = isAcknowledged, IsRemoved = isRemoved };

        Assert.Equal(LadderStep.Not(why), Ladder.Decide(Channel.Push, Loud, Preferences.None, entry, Delay, Noon.AddMinutes(5)));
    }

    [Fact]
    public void It_is_told_after_the_delay_and_at_once_where_that_has_passed()
    {
        Assert.Equal(LadderStep.Tell(Noon + Delay), Ladder.Decide(Channel.Push, Loud, Preferences.None, Entry(), Delay, Noon));
        Assert.Equal(LadderStep.Tell(Noon.AddHours(1)), Ladder.Decide(Channel.Push, Loud, Preferences.None, Entry(), Delay, Noon.AddHours(1)));
    }

    [Fact]
    public void What_would_be_told_after_it_has_expired_is_not()
    {
        var entry = Entry() with { Expires = Noon + Delay };

        Assert.Equal(LadderStep.Not("expired"), Ladder.Decide(Channel.Email, Loud, Preferences.None, entry, Delay, Noon));
    }

    [Theory]
    // Sent at, by UTC; in Berlin it is two hours later, and quiet from 22:00 to 07:00.
    [InlineData("12:00", "normal", "12:01")]
    [InlineData("19:58", "normal", "19:59")]
    [InlineData("19:59", "normal", "05:00 the next day")]
    [InlineData("23:30", "high", "05:00 the next day")]
    [InlineData("04:58", "normal", "05:00")]
    [InlineData("05:00", "normal", "05:01")]
    [InlineData("23:30", "urgent", "23:31")]
    public void In_quiet_hours_it_waits_for_their_end_unless_it_is_urgent(string sent, string priority, string told)
    {
        var preferences = new Preferences(QuietHours: new QuietHours("22:00", "07:00", "Europe/Berlin"));
        var entry = Entry() with { Created = At(sent), Priority = Names.ToPriority(priority) };

        Assert.Equal(LadderStep.Tell(At(told)), Ladder.Decide(Channel.Push, Loud, preferences, entry, Delay, entry.Created));
    }

    [Theory]
    [InlineData("09:00", "17:00", "08:59", null)]
    [InlineData("09:00", "17:00", "09:00", "17:00")]
    [InlineData("09:00", "17:00", "16:59", "17:00")]
    [InlineData("09:00", "17:00", "17:00", null)]
    [InlineData("22:00", "07:00", "22:00", "07:00 the next day")]
    [InlineData("22:00", "07:00", "06:59", "07:00")]
    [InlineData("00:00", "07:00", "00:00", "07:00")]
    [InlineData("07:00", "07:00", "07:00", null)]
    public void Quiet_hours_end_when_they_say_so(string from, string to, string moment, string? end) =>
        Assert.Equal(end is null ? null : At(end), new QuietHours(from, to, "UTC").EndFrom(At(moment)));

    [Fact]
    public void Quiet_hours_keep_to_the_clock_where_that_is_changed()
    {
        var nights = new QuietHours("22:00", "02:30", "Europe/Berlin");

        // 2026-03-29 there is no 02:30: at 03:00, which is 01:00 UTC. 2026-10-25 there are two: the second, 01:30 UTC.
        Assert.Equal(new DateTimeOffset(2026, 3, 29, 1, 0, 0, TimeSpan.Zero), nights.EndFrom(new DateTimeOffset(2026, 3, 28, 23, 0, 0, TimeSpan.Zero)));
        Assert.Equal(new DateTimeOffset(2026, 10, 25, 1, 30, 0, TimeSpan.Zero), nights.EndFrom(new DateTimeOffset(2026, 10, 24, 23, 0, 0, TimeSpan.Zero)));
    }

    [Theory]
    [InlineData("Europe")]
    [InlineData("Nowhere/At_all")]
    [InlineData("../../etc/passwd")]
    [InlineData("")]
    public void A_zone_that_is_none_is_refused_and_one_that_this_node_does_not_have_is_UTC(string zone)
    {
        var nights = new QuietHours("22:00", "07:00", zone);

        Assert.Equal(ErrorCode.RequestInvalid, Assert.Throws<RealtimeException>(nights.Require).Error);
        Assert.Equal(At("07:00 the next day"), nights.EndFrom(At("23:00")));
    }

    [Fact]
    public void Tries_wait_twice_as_long_each_time_up_to_a_limit_and_differ_by_chance()
    {
        var (first, last) = (TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60));

        Assert.Equal([10d, 20, 40, 60, 60], Enumerable.Range(1, 5).Select(attempt => RetryDelay.After(attempt, first, last, chance: 1).TotalSeconds));
        Assert.Equal([5d, 10, 20, 30, 30], Enumerable.Range(1, 5).Select(attempt => RetryDelay.After(attempt, first, last, chance: 0).TotalSeconds));
        Assert.Equal(last, RetryDelay.After(1_000, first, last, chance: 1));
        Assert.Equal(TimeSpan.FromSeconds(30), RetryDelay.After(1, first, last, chance: 1, asked: TimeSpan.FromSeconds(30)));
        Assert.Equal(last, RetryDelay.After(1, first, last, chance: 1, asked: TimeSpan.FromDays(1)));
    }

    private static LadderEntry Entry() => new(NotificationPriority.Normal, Noon, Noon.AddDays(90));

    private static DateTimeOffset At(string text) =>
        Noon.Date + TimeOnly.Parse(text.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture).ToTimeSpan() is var moment && text.Contains("next", StringComparison.Ordinal)
            ? new DateTimeOffset(moment.AddDays(1), TimeSpan.Zero)
            : new DateTimeOffset(moment, TimeSpan.Zero);
}
