using System.Net;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>Which region an address is of.</summary>
public sealed class RegionMapTests
{
    [Theory]
    [InlineData("10.1.2.3", "wide")]
    [InlineData("10.0.0.0", "wide")]
    [InlineData("10.255.255.255", "wide")]
    [InlineData("10.1.0.9", "narrow")]
    [InlineData("10.1.1.0", "wide")]
    [InlineData("10.1.0.7", "one")]
    [InlineData("::ffff:10.1.0.7", "one")]
    [InlineData("9.255.255.255", null)]
    [InlineData("11.0.0.0", null)]
    [InlineData("2001:db8::1", "six")]
    [InlineData("2001:db9::", null)]
    [InlineData("255.255.255.255", "last")]
    [InlineData("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "end")]
    public void The_narrowest_range_counts(string address, string? region)
    {
        var map = RegionFile.Read(
            [
                "# the operator's", "", "10.0.0.0/8,wide", " 10.1.0.0/24 , narrow ", "10.1.0.7,one", """{ "cidr": "2001:db8::/32", "region": "six" }""",
                "255.255.255.255/32,last", "ffff::/16,end",
            ],
            "regions.csv");

        Assert.Equal(region, map.Of(IPAddress.Parse(address)));
        Assert.Equal(6, map.Names.Count);
    }

    [Theory]
    [InlineData("10.0.0.0/8", "a line is cidr,region.")]
    [InlineData("10.0.0.0/8,a,b", "a line is cidr,region.")]
    [InlineData("10.0.0.0/33,a", "'10.0.0.0/33' is no range of addresses")]
    [InlineData("10.0.0.0/-1,a", "'10.0.0.0/-1' is no range of addresses")]
    [InlineData("2001:db8::/129,a", "'2001:db8::/129' is no range of addresses")]
    [InlineData("somewhere/8,a", "'somewhere/8' is no range of addresses")]
    [InlineData("10.0.0.1/8,a", "'10.0.0.1/8' has bits behind its first 8.")]
    [InlineData("10.0.0.0/8,", "'' is no region")]
    [InlineData("10.0.0.0/8,a b", "'a b' is no region")]
    [InlineData("{", "the line is no JSON object.")]
    [InlineData("""{ "cidr": "10.0.0.0/8" }""", "the object has no text 'region'.")]
    [InlineData("""{ "cidr": 7, "region": "a" }""", "the object has no text 'cidr'.")]
    [InlineData("192.0.2.0/24,other", "this range is there already.")]
    public void A_line_that_is_wrong_is_named(string line, string sentence)
    {
        var exception = Assert.Throws<FormatException>(() => RegionFile.Read(["# comment", "192.0.2.0/24,first", line], "regions.csv"));

        Assert.StartsWith($"regions.csv:3: {sentence}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_ranges_give_what_a_look_at_each_of_them_gives() => Prop.ForAll<(byte First, byte Bits)[]>(drawn =>
    {
        // The first byte of addresses, in ranges of its highest bits.
        var all = drawn.Select(range => (Bits: range.Bits % 9, range.First)).Select(range => (First: range.First & ~(0xFF >> range.Bits) & 0xFF, range.Bits)).Distinct().ToList();
        var map = RegionMap.From(all.Select(range => new RegionRange((UInt128)range.First << 120, range.Bits, $"{range.First}-{range.Bits}")));
        return Enumerable.Range(0, 256).All(first =>
        {
            var bytes = new byte[16];
            (bytes[0], bytes[15]) = ((byte)first, 1);
            var narrowest = all.Where(range => (first & ~(0xFF >> range.Bits) & 0xFF) == range.First).OrderByDescending(range => range.Bits).Select(range => $"{range.First}-{range.Bits}").FirstOrDefault();
            return map.Of(new IPAddress(bytes)) == narrowest;
        });
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Looking_up_makes_nothing()
    {
        var map = RegionFile.Read(Enumerable.Range(0, 10_000).Select(i => $"{i / 256}.{i % 256}.0.0/16,r{i % 7}"), "regions.csv");
        var address = IPAddress.Parse("20.7.1.2");
        Assert.NotNull(map.Of(address));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            map.Of(address);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
