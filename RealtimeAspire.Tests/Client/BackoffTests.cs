using RealtimeAspire.Client;
using Xunit;

namespace RealtimeAspire.Tests.Client;

public sealed class BackoffTests
{
    private readonly Backoff _backoff = new();

    [Theory]
    [InlineData(0, 0.2)]
    [InlineData(1, 0.4)]
    [InlineData(5, 6.4)]
    [InlineData(6, 10)]
    [InlineData(1_000_000, 10)]
    public void A_wait_is_anything_up_to_a_bound_that_doubles_to_ten_seconds(long failedTries, double bound)
    {
        var waits = Enumerable.Range(0, 1_000).Select(_ => _backoff.DelayAfter(failedTries).TotalSeconds).ToList();

        Assert.All(waits, wait => Assert.InRange(wait, 0, bound));
        Assert.InRange(waits.Average(), bound * 0.4, bound * 0.6);
    }
}
