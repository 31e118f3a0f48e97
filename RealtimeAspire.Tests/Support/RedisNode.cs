using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Support;

/// <summary>What a node has of Redis: its two links and the backplane over them.</summary>
internal sealed class RedisNode : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly RealtimeTracing _tracing = new();
    private readonly MeterListener _meters = new();
    private int _restored;
    private long _dropped;

    private RedisNode(RedisConnect connect, TimeProvider time)
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        Others = new OtherNodes(time);
        Commands = new RedisLink(connect, new RedisPing(), time, NullLogger<RedisLink>.Instance);
        Channels = new RedisChannels(connect, Id, Others, time, NullLogger<RedisLink>.Instance, NullLogger<RedisChannels>.Instance);
        Backplane = new RedisBackplane(Channels, Commands, Id, Others, new RealtimeInstruments(meters), _tracing, time, NullLogger<RedisBackplane>.Instance);
        Backplane.Restored += () => Interlocked.Increment(ref _restored);
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "realtime.backplane.drops")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _meters.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _dropped, count));
        _meters.Start();
    }

    public NodeId Id { get; } = NodeId.New();

    public OtherNodes Others { get; }

    public RedisLink Commands { get; }

    public RedisChannels Channels { get; }

    public RedisBackplane Backplane { get; }

    /// <summary>How often the backplane has said that it is back.</summary>
    public int Restored => Volatile.Read(ref _restored);

    /// <summary>How many events it has dropped.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Starts a node; it need not be connected yet.</summary>
    /// <param name="configuration">A connection string.</param>
    /// <param name="time">The system's, if it is not another.</param>
    public static Task<RedisNode> StartAsync(string configuration, TimeProvider? time = null)
    {
        var services = new ServiceCollection().AddSingleton(Options.Create(ConfigurationOptions.Parse(configuration))).BuildServiceProvider();
        return StartAsync(new RedisConnector(services).ConnectAsync, time ?? TimeProvider.System);
    }

    public static async Task<RedisNode> StartAsync(RedisConnect connect, TimeProvider time)
    {
        var node = new RedisNode(connect, time);
        await node.Backplane.StartAsync(Topology.Cancelled);
        return node;
    }

    /// <summary>Starts a node and waits until it is connected.</summary>
    public static async Task<RedisNode> ConnectedAsync(string configuration)
    {
        var node = await StartAsync(configuration);
        await Eventually.BecomesTrueAsync(() => node.Backplane.IsConnected, "The backplane is not connected.");
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        await Backplane.StopAsync(CancellationToken.None);
        Assert.Null(Backplane.ExecuteTask!.Exception);
        Backplane.Dispose();
        _meters.Dispose();
        _tracing.Dispose();
        await _services.DisposeAsync();
    }
}
