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
        Assert.True(Validate(new RealtimeOptions { Auth = { BuiltIn = true, SigningKey = Key } }).Succeeded);

    [Fact]
    public void A_missing_or_short_signing_key_is_named()
    {
        Assert.Equal(["Realtime:Auth:SigningKey: a key of 32 bytes or more is required, none is configured."], Validate(new RealtimeOptions { Auth = { BuiltIn = true } }).Failures);
        Assert.Contains("this one has 5", Validate(new RealtimeOptions { Auth = { BuiltIn = true, SigningKey = "short" } }).FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Somebody_has_to_give_out_tokens_and_an_authority_needs_no_signing_key()
    {
        Assert.Contains("set Authority to an OIDC authority", Validate(new RealtimeOptions { Auth = { BuiltIn = false } }).FailureMessage, StringComparison.Ordinal);
        Assert.True(Validate(new RealtimeOptions { Auth = { BuiltIn = false, Authority = "https://login.example.com" } }).Succeeded);
    }

    [Fact]
    public void Every_error_is_reported_with_its_key()
    {
        var options = new RealtimeOptions
        {
            Auth = { BuiltIn = true, SigningKey = Key, TokenSeconds = 1, Algorithms = ["HS256"], LockoutSeconds = 60, LockoutMaxSeconds = 1, RefreshIdleHours = 2, RefreshMaxHours = 1 },
            TrustedProxies = ["10.0.0.7", "10.0.0.0/24", "::1", "proxy"],
            Connections = { Sockets = (SocketMode)7 },
            Limits = new LimitOptions { PayloadBytes = 0, PublishesPerSecond = 10, PublishBurst = 5, QueueBytes = 1 },
            AllowedOrigins = ["https://ok.example", "https://ok.example/path", "nothing", "ftp://a"],
            TopicTypes = { ["Bad"] = new TopicTypeOptions(), ["board"] = new TopicTypeOptions { ClientEvents = ["ok", "*", "app:*", "no way"] } },
        };

        var keys = Validate(options).Failures!.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]);

        Assert.Equal(
            [
                "Realtime:AllowedOrigins:1", "Realtime:AllowedOrigins:2", "Realtime:AllowedOrigins:3", "Realtime:Auth:Algorithms", "Realtime:Auth:LockoutMaxSeconds",
                "Realtime:Auth:RefreshMaxHours", "Realtime:Auth:TokenSeconds",
                "Realtime:Connections:Sockets", "Realtime:Limits:PayloadBytes", "Realtime:Limits:PublishBurst", "Realtime:Limits:QueueBytes", "Realtime:TopicTypes:Bad",
                "Realtime:TopicTypes:board:ClientEvents", "Realtime:TrustedProxies:3",
            ],
            keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Limits_that_contradict_each_other_are_named()
    {
        var limits = new LimitOptions
        {
            ConnectionPublishesPerSecond = 501, RequestsPerSecond = 100, RequestBurst = 10, ConnectsPerSecond = 100, ConnectBurst = 10, UserConnections = 50,
            TenantConnections = 20, AddressPrefixV4 = 33,
        };

        var failures = Validate(new RealtimeOptions { Auth = { SigningKey = Key, BuiltIn = true }, Limits = limits }).Failures!;

        Assert.Equal(
            [
                "Realtime:Limits:AddressPrefixV4", "Realtime:Limits:ConnectionPublishesPerSecond", "Realtime:Limits:ConnectsPerSecond", "Realtime:Limits:RequestsPerSecond",
                "Realtime:Limits:UserConnections",
            ],
            failures.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));
    }

    private static Microsoft.Extensions.Options.ValidateOptionsResult Validate(RealtimeOptions options) => new RealtimeOptionsValidator().Validate(null, options);
}
