using Microsoft.AspNetCore.Http;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>What looks like one client.</summary>
public sealed class FingerprintTests
{
    private readonly ShiftingTime _time = new();

    [Fact]
    public void It_is_the_same_on_every_node_and_differs_by_range_and_traits_and_key()
    {
        var (one, two, stranger) = (Node(TestServer.SigningKey), Node(TestServer.SigningKey), Node("another-key-of-32-bytes-or-more-than-that"));
        var client = Request("browser", "de");

        var fingerprint = one.Of(client, "203.0.113.0/24");

        Assert.Matches("^[0-9a-f]{16}$", fingerprint.ToString());
        Assert.Equal(fingerprint, two.Of(Request("browser", "de"), "203.0.113.0/24"));
        Fingerprint[] others =
        [
            one.Of(client, "203.0.114.0/24"), one.Of(Request("bot", "de"), "203.0.113.0/24"), one.Of(Request("browser", "en"), "203.0.113.0/24"), stranger.Of(client, "203.0.113.0/24"),
            one.FormerOf(client, "203.0.113.0/24"),
        ];
        Assert.DoesNotContain(fingerprint, others);
        Assert.Equal(others.Length, others.Distinct().Count());
    }

    [Fact]
    public void It_is_another_one_the_next_day_and_today_s_is_then_the_one_before()
    {
        var node = Node(TestServer.SigningKey);
        var client = Request("browser", "de");
        var today = node.Of(client, "203.0.113.0/24");

        _time.Shift += TimeSpan.FromDays(1);

        Assert.NotEqual(today, node.Of(client, "203.0.113.0/24"));
        Assert.Equal(today, node.FormerOf(client, "203.0.113.0/24"));
        Assert.Equal(today, Node(TestServer.SigningKey).FormerOf(client, "203.0.113.0/24"));
    }

    [Fact]
    public void A_node_without_a_secret_has_one_of_its_own()
    {
        Assert.NotEqual(Node("").Of(Request("browser", "de"), "203.0.113.0/24"), Node("").Of(Request("browser", "de"), "203.0.113.0/24"));
        var options = new RealtimeOptions { Auth = { Authority = "https://login.example.com" }, Signals = { FanOut = { Action = SignalEffect.Slow } } };

        Assert.StartsWith("Realtime:Signals: nodes that act together need a secret in common", Assert.Single(new RealtimeOptionsValidator().Validate(null, options).Failures!), StringComparison.Ordinal);
        options.SingleNode = true;
        Assert.True(new RealtimeOptionsValidator().Validate(null, options).Succeeded);
    }

    private static DefaultHttpContext Request(string agent, string language) => new() { Request = { Headers = { UserAgent = agent, AcceptLanguage = language } } };

    private Fingerprints Node(string key)
    {
        var options = Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Auth = { SigningKey = key } });
        return new Fingerprints(new SignalSecret(options), options, _time);
    }

    private sealed class ShiftingTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
