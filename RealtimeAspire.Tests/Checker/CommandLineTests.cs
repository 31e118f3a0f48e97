using RealtimeAspire.Checker;
using RealtimeAspire.Checker.Proof;

namespace RealtimeAspire.Tests.Checker;

public sealed class CommandLineTests
{
    [Fact]
    public void An_address_is_enough() =>
        Assert.Equal(new CommandLine { Server = new Uri("http://localhost:5200/") }, CommandLine.Parse(["http://localhost:5200"]));

    [Fact]
    public void Everything_can_be_said() => Assert.Equal(
        new CommandLine
        {
            Server = new Uri("https://example.test/realtime-here/"), Topics = 2, Publishers = 3, Subscribers = 4, Rate = 5, Duration = TimeSpan.FromMinutes(6),
            Seed = -7, Type = "ticker", Durability = Durability.Recoverable, Token = "t",
        },
        CommandLine.Parse(
        [
            "https://example.test/realtime-here", "--topics", "2", "--publishers", "3", "--subscribers", "4", "--rate", "5", "--duration", "6m",
            "--seed", "-7", "--type", "ticker", "--durability", "recoverable", "--token", "t",
        ]));

    [Theory]
    [InlineData("address")]
    [InlineData("address", "localhost:5200")]
    [InlineData("address", "--topics", "5")]
    [InlineData("--nonsense", "http://localhost:5200", "--nonsense", "1")]
    [InlineData("--topics", "http://localhost:5200", "--topics")]
    [InlineData("--topics", "http://localhost:5200", "--topics", "0")]
    [InlineData("--duration", "http://localhost:5200", "--duration", "60")]
    [InlineData("--duration", "http://localhost:5200", "--duration", "0s")]
    [InlineData("--durability", "http://localhost:5200", "--durability", "7")]
    [InlineData("--seed", "http://localhost:5200", "--seed", "x")]
    public void What_is_wrong_is_named(string named, params string[] args) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => CommandLine.Parse(args)).Message, StringComparison.Ordinal);
}
