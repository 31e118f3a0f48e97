using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

public sealed class TopicCatalogTests
{
    private const string Key = "0123456789abcdef0123456789abcdef";

    [Fact]
    public void A_type_that_says_nothing_has_the_defaults_of_its_durability()
    {
        var catalog = Catalog(new() { TopicTypes = { ["ticker"] = new() { Durability = Durability.Recoverable }, ["order"] = new() } });

        var (ticker, order) = (catalog.Get(Topic("ticker:a")), catalog.Get(Topic("order:a")));

        Assert.Equal((new Retention(10_000, TimeSpan.FromHours(1)), TimeSpan.FromMinutes(5)), (ticker.Retention, ticker.IdempotencyWindow));
        Assert.Equal((default(Retention), TimeSpan.FromHours(24)), (order.Retention, order.IdempotencyWindow));
        Assert.True(order.ClientsMayPublish("app:x") && !order.ClientsMayPublish("order:paid"));
    }

    [Fact]
    public void Another_type_is_refused_unless_there_is_a_default()
    {
        Assert.Equal("topic_type_unknown", Assert.Throws<RealtimeException>(() => Catalog(new()).Get(Topic("thing:a"))).Code);
        var catalog = Catalog(new() { DefaultTopicType = "any", TopicTypes = { ["any"] = new() { Durability = Durability.Ephemeral } } });

        Assert.Equal(Durability.Ephemeral, catalog.Get(Topic("thing:a")).Durability);
        Assert.Equal(Durability.Durable, catalog.Get(Topic("room:a")).Durability);
    }

    [Fact]
    public void A_type_of_servers_only_takes_nothing_of_clients_and_an_ephemeral_name_is_one_everywhere()
    {
        var policy = Catalog(new() { TopicTypes = { ["feed"] = new() { Publishers = Publishers.Servers, ClientEvents = ["*"], EphemeralEvents = ["live:*"] } } }).Get(Topic("feed:a"));

        Assert.False(policy.ClientsMayPublish("app:x"));
        Assert.True(policy.IsEphemeral("live:now") && !policy.IsEphemeral("app:x"));
    }

    [Fact]
    public void Every_mistake_in_a_topic_type_is_reported_with_its_key()
    {
        var options = new RealtimeOptions
        {
            Auth = { SigningKey = Key, BuiltIn = true },
            DefaultTopicType = "nowhere",
            TopicTypes =
            {
                ["a"] = new() { Durability = Durability.Recoverable, Retention = new() { Age = TimeSpan.FromDays(30), Events = 2_000_000 }, IdempotencyWindow = TimeSpan.FromDays(1) },
                ["b"] = new() { Retention = new() { Age = TimeSpan.FromSeconds(1), Events = 0 }, IdempotencyWindow = TimeSpan.FromDays(30), PayloadBytes = 1_000_000, RewindEvents = -1 },
                ["c"] = new() { Durability = Durability.Ephemeral, Retention = new() { Events = 5 }, Publishers = Publishers.None, Qos = [], EphemeralEvents = ["no way"] },
            },
        };

        var keys = new RealtimeOptionsValidator().Validate(null, options).Failures!.Select(failure => failure[..failure.IndexOf(": ", StringComparison.Ordinal)]);

        Assert.Equal(
            [
                "Realtime:DefaultTopicType",
                "Realtime:TopicTypes:a:IdempotencyWindow", "Realtime:TopicTypes:a:Retention:Age", "Realtime:TopicTypes:a:Retention:Events",
                "Realtime:TopicTypes:b:IdempotencyWindow", "Realtime:TopicTypes:b:PayloadBytes", "Realtime:TopicTypes:b:Retention:Age", "Realtime:TopicTypes:b:Retention:Events", "Realtime:TopicTypes:b:RewindEvents",
                "Realtime:TopicTypes:c", "Realtime:TopicTypes:c:EphemeralEvents", "Realtime:TopicTypes:c:Publishers", "Realtime:TopicTypes:c:Qos",
            ],
            keys.Order(StringComparer.Ordinal));
    }

    private static TopicCatalog Catalog(RealtimeOptions options) => new(Microsoft.Extensions.Options.Options.Create(options));

    private static TopicName Topic(string name) => TopicName.Parse(name);
}
