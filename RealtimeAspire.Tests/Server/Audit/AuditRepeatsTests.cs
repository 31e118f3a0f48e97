using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Tests.Server.Audit;

public sealed class AuditRepeatsTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_flood_of_the_same_is_one_row_at_once_and_one_a_minute_with_its_count()
    {
        var repeats = new AuditRepeats(100);
        var written = new List<AuditEntry>();
        for (var second = 0; second < 180; second++)
        {
            var now = Start.AddSeconds(second);
            written.AddRange(repeats.Close(now));
            if (repeats.Add(Entry(now)) is { } first)
            {
                written.Add(first);
            }
        }

        written.AddRange(repeats.CloseAll(Start.AddMinutes(3)));

        Assert.Equal(4, written.Count);
        Assert.Equal(180, written.Sum(entry => entry.Count));
    }

    [Fact]
    public void Whoever_varies_what_is_told_apart_is_counted_all_the_same()
    {
        var repeats = new AuditRepeats(10);
        var first = Enumerable.Range(0, 1_000).Select(i => repeats.Add(Entry(Start, $"user{i}"))).OfType<AuditEntry>().ToList();

        Assert.Equal(11, first.Count);
        Assert.Equal("many", first[^1].Actor.ToString());
        Assert.Equal(1_000, first.Count + repeats.CloseAll(Start).Sum(entry => entry.Count));
    }

    [Fact]
    public void What_stands_still_is_forgotten()
    {
        var repeats = new AuditRepeats(10);
        Assert.NotNull(repeats.Add(Entry(Start)));
        Assert.Empty(repeats.Close(Start.AddMinutes(1)));

        Assert.NotNull(repeats.Add(Entry(Start.AddMinutes(1))));
    }

    private static AuditEntry Entry(DateTimeOffset at, string user = "ada") =>
        new() { At = at, Action = AuditAction.LimitTripped, Tenant = "acme", Actor = AuditActor.User(user), Code = "rate_limited" };
}
