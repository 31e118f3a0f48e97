using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Limits;
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

    public TestNode(MemoryTopicLog? log = null, IBackplane? backplane = null, RealtimeOptions? options = null, string environment = "Development")
    {
        Log = log ?? new MemoryTopicLog(TimeProvider.System);
        Options = options ?? new RealtimeOptions();
        _instruments = new RealtimeInstruments(_services.GetRequiredService<IMeterFactory>());
        var wrapped = Microsoft.Extensions.Options.Options.Create(Options);
        var link = backplane ?? new InProcessBackplane();
        Feeds = new FeedRegistry(
            new FeedContext(Log, link, _instruments, _tracing, TimeProvider.System, NullLogger<TopicFeed>.Instance), NullLogger<FeedRegistry>.Instance);
        var topics = new TopicCatalog(wrapped);
        var events = new EventCatalog([new EventRule(TopicCatalog.Room, ChatFeature.MessageEvent, ChatFeature.ValidateMessage)]);
        var access = new TopicAccess(new HostingEnvironment { EnvironmentName = environment }, events);
        Publish = new PublishPath(new PublishLimiter(wrapped), access, topics, events, Log, Feeds, link, _instruments, _tracing, TimeProvider.System);
        Subscribe = new SubscribePath(access, topics, Log, Feeds, wrapped);
        History = new HistoryPath(access, topics, Log, wrapped);
    }

    public static Caller Ada { get; } = new("default", "ada");

    public MemoryTopicLog Log { get; }

    public RealtimeOptions Options { get; }

    public FeedRegistry Feeds { get; }

    public PublishPath Publish { get; }

    public SubscribePath Subscribe { get; }

    public HistoryPath History { get; }

    public Task StartAsync() => Feeds.StartAsync(TestContext.Current.CancellationToken);

    public Connection Connect(IConnectionTransport transport)
    {
        var connection = new Connection(Ada, transport, Options.Limits, _instruments);
        connection.Open();
        _connections.Add(connection);
        return connection;
    }

    public Task<PublishReply> PublishAsync(string topic, string text = "hi", string? id = null) => Publish.PublishAsync(
        Ada, TopicName.Parse(topic), new PublishRequest { Event = "app:x", Payload = JsonSerializer.SerializeToElement(text), Id = id });

    public Task<SubscribeAnswer> SubscribeAsync(Connection connection, string topic, Position? position = null, Rewind? rewind = null) =>
        Subscribe.SubscribeAsync(connection, new SubscribeRequest { Topic = topic, Position = position, Rewind = rewind }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }

        await Feeds.StopAsync(CancellationToken.None);
        Feeds.Dispose();
        _tracing.Dispose();
        await _services.DisposeAsync();
    }
}

/// <summary>What a client would have received.</summary>
internal sealed class RecordingTransport : IConnectionTransport
{
    private volatile Task _reading = Task.CompletedTask;

    public ConcurrentQueue<long> Offsets { get; } = new();

    public ConcurrentQueue<Control> Controls { get; } = new();

    public TaskCompletionSource<ErrorCode> Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The reader stops reading.</summary>
    public void Stall() => _reading = new TaskCompletionSource().Task;

    public async ValueTask SendEventsAsync(List<EncodedEvent> events, CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        foreach (var sent in events)
        {
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
    /// <summary>Waits for a condition; fails after 10 s.</summary>
    public static async Task TrueAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10), TimeProvider.System);
        while (!condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, patience.Token);
        }
    }
}
