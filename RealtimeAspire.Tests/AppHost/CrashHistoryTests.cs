using Aspire.Hosting.ApplicationModel;
using RealtimeAspire.AppHost;

namespace RealtimeAspire.Tests.AppHost;

public sealed class CrashHistoryTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 5, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_process_that_ends_without_having_been_told_to_is_started_again()
    {
        Assert.Equal(CrashHistory.FirstDelay, Delays([KnownResourceStates.Running, KnownResourceStates.Exited]).Single());
        Assert.Equal(CrashHistory.FirstDelay, Delays([KnownResourceStates.Running, KnownResourceStates.Finished]).Single());
    }

    [Fact]
    public void A_process_that_was_stopped_stays_stopped() =>
        Assert.Empty(Delays([KnownResourceStates.Running, KnownResourceStates.Stopping, KnownResourceStates.Finished]));

    [Fact]
    public void A_process_that_could_not_start_is_not_hammered() =>
        Assert.Empty(Delays([KnownResourceStates.Starting, KnownResourceStates.FailedToStart]));

    [Fact]
    public void News_without_a_change_of_state_start_nothing() =>
        Assert.Single(Delays([KnownResourceStates.Running, KnownResourceStates.Exited, KnownResourceStates.Exited]));

    [Fact]
    public void Delays_double_up_to_the_longest()
    {
        var states = Enumerable.Repeat((string[])[KnownResourceStates.Running, KnownResourceStates.Exited, KnownResourceStates.Starting], 12).SelectMany(s => s);
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30], Delays([.. states]).Select(d => d.TotalSeconds));
    }

    [Fact]
    public void A_process_that_stayed_up_begins_with_the_first_delay_again()
    {
        var history = default(CrashHistory);
        history = history.Next(KnownResourceStates.Running, Start, out _).Next(KnownResourceStates.Exited, Start, out _);
        history = history.Next(KnownResourceStates.Running, Start, out _).Next(KnownResourceStates.Exited, Start, out var second);
        history = history.Next(KnownResourceStates.Running, Start, out _);
        history.Next(KnownResourceStates.Exited, Start + CrashHistory.StableAfter, out var afterLongLife);
        Assert.Equal(CrashHistory.FirstDelay * 2, second);
        Assert.Equal(CrashHistory.FirstDelay, afterLongLife);
    }

    private static List<TimeSpan> Delays(string[] states)
    {
        var delays = new List<TimeSpan>();
        var history = default(CrashHistory);
        foreach (var state in states)
        {
            history = history.Next(state, Start, out var delay);
            if (delay is { } after)
                delays.Add(after);
        }

        return delays;
    }
}
