using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.AspireRedis;

public sealed class AspireRedisTests
{
    [Fact]
    public async Task The_connection_string_of_the_app_host_is_understood()
    {
        await using var services = Services("localhost:1234,password=p-_.{}~()*+!=?:@/\\#\"';x");
        var options = services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;
        Assert.Equal("localhost", ((DnsEndPoint)options.EndPoints.Single()).Host);
        Assert.Equal(1234, ((DnsEndPoint)options.EndPoints.Single()).Port);
        Assert.Equal("p-_.{}~()*+!=?:@/\\#\"';x", options.Password);
    }

    [Theory]
    [InlineData("localhost:1,password=abortConnect=true", false)]
    [InlineData("localhost:1,abortConnect=false", false)]
    [InlineData("localhost:1,abortConnect=true", true)]
    public async Task It_keeps_trying_to_connect_unless_told_otherwise(string connectionString, bool abort)
    {
        await using var services = Services(connectionString);
        Assert.Equal(abort, services.GetRequiredService<IOptions<ConfigurationOptions>>().Value.AbortOnConnectFail);
    }

    [Fact]
    public async Task Options_can_be_changed_in_code()
    {
        await using var services = Services("localhost:1", options => options.ClientName = "node");
        Assert.Equal("node", services.GetRequiredService<IOptions<ConfigurationOptions>>().Value.ClientName);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public async Task A_missing_connection_string_is_named_when_the_connection_is_asked_for(string? connectionString)
    {
        await using var services = Services(connectionString);
        var exception = Assert.Throws<InvalidOperationException>(services.GetRequiredService<IConnectionMultiplexer>);
        Assert.Contains("ConnectionStrings:redis", exception.Message, StringComparison.Ordinal);

        var entry = (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["StackExchange.Redis"];
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Contains("ConnectionStrings:redis", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redis_that_is_down_is_unhealthy_and_no_exception()
    {
        await using var services = Services("127.0.0.1:1,connectTimeout=500,connectRetry=1");
        Assert.False(services.GetRequiredService<IConnectionMultiplexer>().IsConnected);
        var entry = (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["StackExchange.Redis"];
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
    }

    [Fact]
    public async Task A_redis_that_falls_silent_is_reported_within_the_limit()
    {
        await using var redis = new FakeRedis();
        await using var services = Services($"127.0.0.1:{redis.Port},connectTimeout=2000");
        var health = services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Status);

        redis.Silent = true;
        var report = await health.CheckHealthAsync().WaitAsync(TimeSpan.FromSeconds(8));
        Assert.Equal(HealthStatus.Unhealthy, report.Status);
        Assert.IsType<TimeoutException>(report.Entries["StackExchange.Redis"].Exception);
        redis.Silent = false;
    }

    private static ServiceProvider Services(string? connectionString, Action<ConfigurationOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = connectionString;
        builder.AddRedisClient("redis", configureOptions: configure);
        return builder.Services.BuildServiceProvider();
    }

    /// <summary>Answers the few commands of a connect and a PING; silent, it takes everything and answers nothing.</summary>
    private sealed class FakeRedis : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task _accepting;

        public FakeRedis()
        {
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public volatile bool Silent;

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // Stopped.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var _ = client;
            using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
            while (await reader.ReadLineAsync() is ['*', .. var count])
            {
                var parts = new string[int.Parse(count)];
                for (var i = 0; i < parts.Length; i++)
                {
                    // By its length: the library's ECHO carries random bytes.
                    var argument = new char[int.Parse((await reader.ReadLineAsync())![1..])];
                    await reader.ReadBlockAsync(argument);
                    await reader.ReadLineAsync();
                    parts[i] = new string(argument);
                }

                if (!Silent)
                    await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(Answer(parts)));
            }
        }

        private static string Answer(string[] command) => command[0].ToUpperInvariant() switch
        {
            "PING" => "+PONG\r\n",
            "ECHO" => $"${command[1].Length}\r\n{command[1]}\r\n",
            "SUBSCRIBE" => $"*3\r\n$9\r\nsubscribe\r\n${command[1].Length}\r\n{command[1]}\r\n:1\r\n",
            _ => "-ERR unknown command\r\n",
        };
    }
}
