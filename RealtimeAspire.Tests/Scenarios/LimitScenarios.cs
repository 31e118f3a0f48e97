using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What nodes share, over a Redis of their own that can be taken away.</summary>
public sealed class LimitScenarios : IAsyncLifetime
{
    private RedisServer _redis = null!;
    private Side _one = null!;
    private Side _two = null!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        (_one, _two) = (await Side.StartAsync(_redis), await Side.StartAsync(_redis));
        await ExchangeAsync();
        await ExchangeAsync();
        Assert.Equal((2, 2), (_one.Shares.Nodes, _two.Shares.Nodes));
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_tenant_s_rate_goes_to_the_node_that_it_publishes_at_and_is_never_exceeded()
    {
        Assert.Equal((50, 50), (PublishAll(_one), PublishAll(_two)));

        // Now everything is asked of one, more than there is.
        await AskAsync(ofOne: 1_000, ofTwo: 0);
        Assert.Equal((95, 5), (PublishAll(_one), PublishAll(_two)));

        // And then of both: none has all.
        await AskAsync(ofOne: 1_000, ofTwo: 1_000);
        Assert.Equal((50, 50), (PublishAll(_one), PublishAll(_two)));
    }

    [Fact]
    public async Task While_Redis_is_away_each_node_has_an_even_part_and_then_shares_again()
    {
        await AskAsync(ofOne: 1_000, ofTwo: 0);
        _redis.Kill();
        await Eventually.BecomesTrueAsync(() => !_one.IsConnected && !_two.IsConnected, "It was not noticed.");
        await ExchangeAsync();
        Pass(TimeSpan.FromSeconds(10));

        Assert.Equal((50, 50), (PublishAll(_one), PublishAll(_two)));

        await _redis.RestartAsync();
        await Eventually.BecomesTrueAsync(() => _one.IsConnected && _two.IsConnected, "It is not back.");
        await AskAsync(ofOne: 1_000, ofTwo: 0);

        Assert.Equal((95, 5), (PublishAll(_one), PublishAll(_two)));
    }

    [Fact]
    public async Task A_tenant_s_connections_count_on_all_nodes_together()
    {
        Assert.Equal(7, Connect(_one, 7));
        await ExchangeAsync();

        Assert.Equal(3, Connect(_two, 10));
        await ExchangeAsync();
        await ExchangeAsync();
        Assert.Equal(0, Connect(_one, 10));
        _one.Caps.Leave(new Caller("default", "ada"));
        await ExchangeAsync();
        Assert.Equal(1, Connect(_two, 10));
    }

    [Fact]
    public async Task Tries_to_sign_in_count_on_all_nodes_together_by_name_and_by_address()
    {
        Assert.Equal((bool[])[true, true, true], (bool[])[await LogInAsync(_one, "ada", 1), await LogInAsync(_two, "ada", 2), await LogInAsync(_one, "ada", 3)]);
        Assert.Equal((bool[])[false, false, true], (bool[])[await LogInAsync(_one, "ada", 4), await LogInAsync(_two, "ada", 5), await LogInAsync(_two, "bob", 4)]);

        // Of an address there are ten; those that it tries too many cost nobody else anything.
        for (var i = 0; i < 10; i++)
        {
            Assert.True(await LogInAsync(i % 2 == 0 ? _one : _two, $"user {i}", 9));
        }

        Assert.False(await LogInAsync(_one, "carol", 9));
        Assert.Equal((bool[])[true, true, true], (bool[])[await LogInAsync(_one, "carol", 1), await LogInAsync(_two, "carol", 2), await LogInAsync(_one, "carol", 3)]);

        // Nobody's name is in there.
        Assert.Equal("0", await _redis.SendAsync("EXISTS realtime:logins:user:ada"));
    }

    [Fact]
    public async Task While_Redis_is_away_each_node_counts_tries_to_sign_in_by_itself()
    {
        _redis.Kill();
        await Eventually.BecomesTrueAsync(() => !_one.IsConnected && !_two.IsConnected, "It was not noticed.");

        Assert.Equal((bool[])[true, false], (bool[])[await LogInAsync(_one, "ada", 1), await LogInAsync(_one, "ada", 1)]);
        Assert.Equal((bool[])[true, false], (bool[])[await LogInAsync(_two, "ada", 1), await LogInAsync(_two, "ada", 1)]);
    }

    private async Task ExchangeAsync()
    {
        await _one.Shares.ExchangeAsync();
        await _two.Shares.ExchangeAsync();
    }

    /// <summary>Some seconds in which as much is asked of them, until each knows it of the other.</summary>
    private async Task AskAsync(int ofOne, int ofTwo)
    {
        for (var second = 0; second < 3; second++)
        {
            PublishAll(_one, ofOne);
            PublishAll(_two, ofTwo);
            await ExchangeAsync();
        }

        Pass(TimeSpan.FromSeconds(10));
    }

    private void Pass(TimeSpan time)
    {
        _one.Time.GoOn(time);
        _two.Time.GoOn(time);
    }

    private static int PublishAll(Side side, int tries = 200) =>
        Enumerable.Range(0, tries).Count(_ => side.Shares.Of("default").TakePublish(Side.PublishesPerSecond, side.Time) is null);

    private static int Connect(Side side, int tries) => Enumerable.Range(0, tries).Count(_ => side.Caps.Enter(new Caller("default", "ada")) is null);

    private static async Task<bool> LogInAsync(Side side, string user, int address) =>
        await side.Logins.TryAsync("default", user, AddressRange.Of(new System.Net.IPAddress([10, 0, 0, (byte)address]), 32, 64)) is null;

    /// <summary>What a node has of all this.</summary>
    private sealed class Side : IAsyncDisposable
    {
        public const int PublishesPerSecond = 100;

        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        private readonly RedisNode _node;

        private Side(RedisNode node)
        {
            _node = node;
            var limits = new LimitOptions { TenantPublishesPerSecond = PublishesPerSecond, TenantConnections = 10, LoginsPerMinute = 3, AddressLoginsPerMinute = 10 };
            var options = Options.Create(new RealtimeOptions { Limits = limits });
            var host = new HostingEnvironment { EnvironmentName = "Production" };
            var instruments = new LimitInstruments(_services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
            var tenants = new TenantLimits(options);
            Shares = new TenantShares(tenants, Time, NullLogger<TenantShares>.Instance, node.Commands, node.Id);
            Caps = new ConnectionCaps(options, host, tenants, Shares, instruments);
            Logins = new LoginLimiter(options, host, Shares, instruments, Time, node.Commands);
        }

        // Who does not wait for Redis long enough counts by himself.
        public StoppedTime Time { get; } = new(hasTimers: false);

        public TenantShares Shares { get; }

        public ConnectionCaps Caps { get; }

        public LoginLimiter Logins { get; }

        public bool IsConnected => _node.Commands.IsConnected;

        public static async Task<Side> StartAsync(RedisServer redis)
        {
            var node = await RedisNode.ConnectedAsync(redis.ConnectionString);
            await Eventually.BecomesTrueAsync(() => node.Commands.IsConnected, "There is no link for commands.");
            return new Side(node);
        }

        public async ValueTask DisposeAsync()
        {
            Shares.Dispose();
            await _node.DisposeAsync();
            await _services.DisposeAsync();
        }
    }
}
