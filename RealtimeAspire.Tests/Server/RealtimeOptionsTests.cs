using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class RealtimeOptionsTests
{
    private const string Key = "0123456789abcdef0123456789abcdef";

    [Fact]
    public void A_signing_key_is_all_that_is_required() =>
        Assert.True(Validate(new RealtimeOptions { Auth = { SigningKey = Key } }).Succeeded);

    [Fact]
    public void A_missing_or_short_signing_key_is_named()
    {
        Assert.Equal(["Realtime:Auth:SigningKey: a key of 32 bytes or more is required, none is configured."], Validate(new RealtimeOptions()).Failures);
        Assert.Contains("this one has 5", Validate(new RealtimeOptions { Auth = { SigningKey = "short" } }).FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_error_is_reported_with_its_key()
    {
        var options = new RealtimeOptions
        {
            Auth = { SigningKey = Key, TokenSeconds = 1 },
            Connections = { Sockets = (SocketMode)7 },
            Limits = new LimitOptions { PayloadBytes = 0, PublishesPerSecond = 10, PublishBurst = 5, QueueBytes = 1 },
            AllowedOrigins = ["https://ok.example", "https://ok.example/path", "nothing", "ftp://a"],
            TopicTypes = { ["Bad"] = new TopicTypeOptions(), ["board"] = new TopicTypeOptions { ClientEvents = ["ok", "*", "app:*", "no way"] } },
        };

        var keys = Validate(options).Failures!.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]);

        Assert.Equal(
            [
                "Realtime:AllowedOrigins:1", "Realtime:AllowedOrigins:2", "Realtime:AllowedOrigins:3", "Realtime:Auth:TokenSeconds",
                "Realtime:Connections:Sockets", "Realtime:Limits:PayloadBytes", "Realtime:Limits:PublishBurst", "Realtime:Limits:QueueBytes", "Realtime:TopicTypes:Bad",
                "Realtime:TopicTypes:board:ClientEvents",
            ],
            keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Limits_that_contradict_each_other_are_named()
    {
        var limits = new LimitOptions
        {
            ConnectionPublishesPerSecond = 501, RequestsPerSecond = 100, RequestBurst = 10, ConnectsPerSecond = 100, ConnectBurst = 10, UserConnections = 50,
            TenantConnections = 20, TrustedProxies = ["10.0.0.1", "10.0.0.0/8", "fd00::/8", "proxy.example", "10.0.0.0/33"], AddressPrefixV4 = 33,
        };

        var failures = Validate(new RealtimeOptions { Auth = { SigningKey = Key }, Limits = limits }).Failures!;

        Assert.Equal(
            [
                "Realtime:Limits:AddressPrefixV4", "Realtime:Limits:ConnectionPublishesPerSecond", "Realtime:Limits:ConnectsPerSecond", "Realtime:Limits:RequestsPerSecond",
                "Realtime:Limits:TrustedProxies:3", "Realtime:Limits:TrustedProxies:4", "Realtime:Limits:UserConnections",
            ],
            failures.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
    }

    private static Microsoft.Extensions.Options.ValidateOptionsResult Validate(RealtimeOptions options) => new RealtimeOptionsValidator().Validate(null, options);
}
