using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Cursors;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using Xunit;

namespace RealtimeAspire.Tests.Server;

/// <summary>The pipeline of one node, over a log in memory. Nodes that share log and backplane are one system.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly RealtimeInstruments _instruments;
    private readonly RealtimeTracing _tracing = new();
    private readonly List<Connection> _connections = [];
    private readonly MeterListener _meters = new();
    private long _subscriptions;

    public TestNode(
        FaultyTopicLog? log = null, IBackplane? backplane = null, RealtimeOptions? options = null, string environment = "Development", TimeProvider? time = null)
    {
        Options = options ?? new RealtimeOptions();
        Log = log ?? new FaultyTopicLog(TimeProvider.System, Options);
        var clock = time ?? TimeProvider.System;
        var meters = _services.GetRequiredService<IMeterFactory>();
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == meters && instrument.Name == "realtime.subscriptions")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _meters.SetMeasurementEventCallback<long>((_, change, _, _) => Interlocked.Add(ref _subscriptions, change));
        _meters.Start();
        _instruments = new RealtimeInstruments(meters);
        var wrapped = Microsoft.Extensions.Options.Options.Create(Options);
        var link = backplane ?? new InProcessBackplane();
        var topics = new TopicCatalog(wrapped);
        var logs = new LogCatalog(topics, Log, Log);
        Feeds = new FeedRegistry(
            new FeedContext(logs, link, new TailMemory(Options.Limits.TailBytes), _instruments, _tracing, clock, NullLogger<TopicFeed>.Instance),
            wrapped,
            NullLogger<FeedRegistry>.Instance);
        var events = new EventCatalog([new EventRule(TopicCatalog.Room, ChatFeature.MessageEvent, PayloadSchema.Of(ChatEventJson.Default.ChatMessage), FromClients: true)]);
        Memberships = new Memberships(clock);
        var host = new HostingEnvironment { EnvironmentName = environment };
        var access = new TopicAccess(host, events, Memberships, wrapped);
        var refusals = new LimitInstruments(meters);
        var tenants = new TenantLimits(wrapped);
        var shares = new TenantShares(tenants, clock, NullLogger<TenantShares>.Instance);
        var requests = new RequestLimiter(wrapped, host, refusals, clock);
        Publish = new PublishPath(
            new PublishLimiter(wrapped, tenants, shares, refusals, clock), access, topics, events, new SignatureCheck(wrapped, clock), Without<PublishContext>(),
            logs, Feeds, link, _instruments, _tracing, new FaultPoints(wrapped), wrapped, clock, new EphemeralPace(clock));
        var cursors = new CursorStore(NpgsqlDataSource.Create("Host=nowhere"));
        Acknowledge = new AcknowledgePath(requests, access, topics, logs, cursors);
        Subscribe = new SubscribePath(requests, access, topics, Without<SubscribeContext>(), new SubscribeStart(Memberships, cursors, wrapped), Feeds, _instruments, wrapped, clock, NullLogger<SubscribePath>.Instance);
        History = new HistoryPath(requests, access, Memberships, topics, Without<SubscribeContext>(), logs, wrapped);
        Connections = new ConnectionFactory(wrapped, new ConnectionCaps(wrapped, host, tenants, shares, refusals), new TenantTopics(tenants, shares, refusals), _instruments, clock);
    }

    private HookPipeline<TContext> Without<TContext>()
        where TContext : HookContext => new([], _services);

    public static Caller Ada { get; } = new("default", "ada");

    public FaultyTopicLog Log { get; }

    public ConnectionFactory Connections { get; }

    public RealtimeOptions Options { get; }

    public FeedRegistry Feeds { get; }

    public AcknowledgePath Acknowledge { get; }

    public PublishPath Publish { get; }

    public SubscribePath Subscribe { get; }

    public HistoryPath History { get; }

    public Memberships Memberships { get; }

    /// <summary>How many there are. One that is counted misses nothing that is published from then on.</summary>
    public long Subscriptions => Interlocked.Read(ref _subscriptions);

    public Task StartAsync() => Feeds.StartAsync(TestContext.Current.CancellationToken);

    public Connection Connect(IConnectionTransport transport)
    {
        var connection = Connections.Open(Ada, transport);
        _connections.Add(connection);
        return connection;
    }

    public Task<PublishReply> PublishAsync(string topic, string text = "hi", string? id = null, string name = "app:x", string? entity = null) => Publish.PublishAsync(
        Ada, TopicName.Parse(topic), new PublishRequest { Event = name, Payload = JsonSerializer.SerializeToElement(text), Id = id, EntityId = entity });

    public Task<SubscribeAnswer> SubscribeAsync(Connection connection, string topic, Position? position = null, Rewind? rewind = null) =>
        SubscribeAsync(connection, new SubscribeRequest { Topic = topic, Position = position, Rewind = rewind });

    public Task<SubscribeAnswer> SubscribeAsync(Connection connection, SubscribeRequest request) =>
        Subscribe.SubscribeAsync(connection, request, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }

        await Feeds.StopAsync(CancellationToken.None);
        Feeds.Dispose();
        _meters.Dispose();
        _tracing.Dispose();
        await _services.DisposeAsync();
    }
}

/// <summary>What a client would have received.</summary>
internal sealed class RecordingTransport : IConnectionTransport
{
    private volatile TaskCompletionSource? _stalled;

    public string Name => "test";

    public ConcurrentQueue<long> Offsets { get; } = new();

    public ConcurrentQueue<EncodedEvent> Events { get; } = new();

    /// <summary>How often events were given to write.</summary>
    public int Begun { get; private set; }

    /// <summary>How often events were written.</summary>
    public int Writes { get; private set; }

    public ConcurrentQueue<Control> Controls { get; } = new();

    public TaskCompletionSource<ErrorCode> Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The reader stops reading.</summary>
    public void Stall() => _stalled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>And reads again.</summary>
    public void Resume() => Interlocked.Exchange(ref _stalled, null)?.SetResult();

    public async ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken)
    {
        Begun++;
        await (_stalled?.Task.WaitAsync(cancellationToken) ?? Task.CompletedTask);
        Writes++;
        foreach (var sent in events.Events)
        {
            Events.Enqueue(sent);
            Offsets.Enqueue(sent.Position.Offset);
        }
    }

    public ValueTask SendControlAsync(Control control, CancellationToken cancellationToken)
    {
        Controls.Enqueue(control);
        return ValueTask.CompletedTask;
    }

    public Task CloseAsync(ErrorCode reason)
    {
        Closed.TrySetResult(reason);
        return Task.CompletedTask;
    }
}

/// <summary>A backplane that loses everything.</summary>
internal sealed class LosingBackplane : IBackplane
{
    public event Action? Restored
    {
        add { }
        remove { }
    }

    public bool IsConnected => false;

    public void Publish(EncodedEvent published)
    {
    }

    public Task<IAsyncDisposable> SubscribeAsync(TopicKey topic, Action<EncodedEvent> received) => Task.FromResult<IAsyncDisposable>(new Nothing());

    private sealed class Nothing : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

internal static class Until
{
    /// <summary>As <see cref="Eventually"/>, for what takes milliseconds and is asked often.</summary>
    public static async Task TrueAsync(Func<bool> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var isOver = TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(30);
            if (condition())
            {
                return;
            }

            Assert.False(isOver, "After 30 s it is not so.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
