using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Server;

/// <summary>A connection of one's own to the Redis that the application has registered, its password included.</summary>
public sealed class RedisConnectorTests
{
    [Fact]
    public async Task It_connects_as_the_options_of_the_applications_client_say()
    {
        // Text could not say this one.
        await using var redis = await RedisServer.StartAsync(password: "one,two=3");
        var options = new ConfigurationOptions { EndPoints = { { "127.0.0.1", redis.Port } }, Password = "one,two=3", AbortOnConnectFail = true };
        await using var services = new ServiceCollection().AddSingleton(Options.Create(options)).BuildServiceProvider();

        using var connection = (ConnectionMultiplexer)await new RedisConnector(services).ConnectAsync();

        await connection.GetDatabase().PingAsync();
        Assert.True(options.AbortOnConnectFail);
    }

    [Fact]
    public async Task It_connects_as_a_connection_that_the_application_has_made()
    {
        await using var redis = await RedisServer.StartAsync(password: "secret");
        await using var services = new ServiceCollection().AddOptions()
            .AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(redis.ConnectionString)).BuildServiceProvider();

        using var connection = (ConnectionMultiplexer)await new RedisConnector(services).ConnectAsync();

        await connection.GetDatabase().PingAsync();
        Assert.NotSame(services.GetRequiredService<IConnectionMultiplexer>(), connection);
    }
}
