using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>Makes a new connection to Redis. It may come back without having reached it: it keeps trying by itself.</summary>
internal delegate Task<IConnectionMultiplexer> RedisConnect();

/// <summary>Connects to the Redis that the application has registered, by a connection of one's own.</summary>
internal sealed class RedisConnector(IServiceProvider services)
{
    private const int Milliseconds = 2_000;
    private const int KeepAliveSeconds = 5;

    public async Task<IConnectionMultiplexer> ConnectAsync()
    {
        var options = Configured();
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = Milliseconds;
        options.SyncTimeout = Milliseconds;
        options.ConnectRetry = 1;
        // For idle NATs: it does not notice a dead connection.
        options.KeepAlive = KeepAliveSeconds;
        return await ConnectionMultiplexer.ConnectAsync(options);
    }

    /// <summary>
    /// What Aspire's client is configured by has everything, certificates and commas in a password included; the text of a
    /// connection that the application made itself has what text can have.
    /// </summary>
    private ConfigurationOptions Configured() => services.GetService<IOptions<ConfigurationOptions>>()?.Value is { EndPoints.Count: > 0 } configured
        ? configured.Clone()
        : ConfigurationOptions.Parse(services.GetRequiredService<IConnectionMultiplexer>().Configuration);
}
