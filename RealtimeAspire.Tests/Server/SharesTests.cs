using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Server.Pipeline.Limits;
using Xunit;

namespace RealtimeAspire.Tests.Server;

/// <summary>How nodes divide a rate, each by itself.</summary>
public sealed class SharesTests
{
    private const double Rate = 1_000;
    private const double Rounding = 1e-6;

    [Fact]
    public void All_shares_together_are_the_rate() => ForAll(demands => Math.Abs(SharesOf(demands).Sum() - Rate) < Rounding);

    [Fact]
    public void Nobody_starves() => ForAll(demands => demands.Zip(SharesOf(demands))
        .All(node => node.Second >= (Rate * 0.1 / demands.Length) - Rounding && node.Second >= Math.Min(node.First, Rate * 0.9 / demands.Length) - Rounding));

    [Fact]
    public void Who_asks_for_more_has_no_less() => ForAll(demands =>
    {
        var shares = demands.Zip(SharesOf(demands)).OrderBy(node => node.First).Select(node => node.Second).ToArray();
        return shares.Zip(shares.Skip(1)).All(pair => pair.First <= pair.Second + Rounding);
    });

    [Fact]
    public void The_order_of_the_others_does_not_matter() => ForAll(demands =>
        Math.Abs(Shares.Of(Rate, demands[1..], demands[0]) - Shares.Of(Rate, [.. demands[1..].Reverse()], demands[0])) < Rounding);

    [Fact]
    public void What_all_ask_for_is_given_where_it_can_be() => ForAll(demands =>
        demands.Sum() > Rate * 0.9 || demands.Zip(SharesOf(demands)).All(node => node.Second >= node.First - Rounding));

    [Fact]
    public void An_idle_node_s_share_goes_to_those_who_are_busy()
    {
        Assert.Equal([925, 25, 25, 25], SharesOf([5_000, 0, 0, 0]).Select(share => Math.Round(share)));
        Assert.Equal([475, 475, 25, 25], SharesOf([5_000, 700, 0, 0]).Select(share => Math.Round(share)));
        Assert.Equal([250, 250, 250, 250], SharesOf([0, 0, 0, 0]).Select(share => Math.Round(share)));
    }

    private static double[] SharesOf(double[] demands) =>
        [.. demands.Select((own, at) => Shares.Of(Rate, [.. demands.Where((_, other) => other != at)], own))];

    private static void ForAll(Func<double[], bool> law) => Prop.ForAll<NonEmptyArray<ushort>>(nodes =>
        law([.. nodes.Get.Take(20).Select(demand => (double)(demand % 2_500))])).QuickCheckThrowOnFailure();
}
