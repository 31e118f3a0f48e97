using System.Collections.Concurrent;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Server;

/// <summary>The log's promises on a Redis of the tests' own, by two nodes.</summary>
public sealed class RedisTopicLogTests(RedisTopicLogTests.Redis redis) : TopicLogSpecification, IClassFixture<RedisTopicLogTests.Redis>, IAsyncLifetime
{
    private RedisLogNode? _node;
    private RedisLogNode? _other;

    private protected override ITopicLog Log => _node!.Log;

    private protected override ITopicLog Other => _other!.Log;

    public async ValueTask InitializeAsync()
    {
        _node = await RedisLogNode.StartAsync(redis.Server.ConnectionString, TypesOf(Durability.Recoverable));
        _other = await RedisLogNode.StartAsync(redis.Server.ConnectionString, TypesOf(Durability.Recoverable));
    }

    public async ValueTask DisposeAsync()
    {
        await _node!.DisposeAsync();
        await _other!.DisposeAsync();
    }

    [Fact]
    public async Task An_append_tells_every_node_but_its_own()
    {
        Assert.True(Log.AnnouncesAppends);
        var heard = new ConcurrentQueue<byte[]>();
        var channel = new RedisChannel(BackplaneMessage.ChannelOf(Topic), RedisChannel.PatternMode.Literal);
        await _node!.Link.Multiplexer!.GetSubscriber().SubscribeAsync(channel, (_, message) => heard.Enqueue(message!));
        LoggedEvent? committed = null;

        await Log.AppendAsync(NewAppend(Topic, "a", "hi"), logged => committed = logged);
        await AppendAsync("a");
        await AppendAsync("b");
        await Eventually.BecomesTrueAsync(() => heard.Count >= 2, "The messages do not come.");

        Assert.True(heard.TryDequeue(out var message));
        var read = BackplaneMessage.Read(Topic, message, _other!.Id.Value, out _)!;
        Assert.Equal(EncodedEvent.Encode(committed!).Json, read.Json);
        Assert.Equal(committed!.Position, read.Position);
        Assert.Null(BackplaneMessage.Read(Topic, message, _node.Id.Value, out var isOwn));
        Assert.True(isOwn);
        Assert.Equal(2, BackplaneMessage.Read(Topic, Assert.Single(heard), 0, out _)!.Position.Offset);
    }

    private protected override async Task<bool> ResetAsync(TopicKey topic)
    {
        // The stream stays: without its head nobody knows which incarnation it is of.
        await redis.Server.SendAsync($"DEL realtime:{{{topic}}}:meta");
        return true;
    }

    public sealed class Redis : IAsyncLifetime
    {
        private RedisServer? _server;

        public RedisServer Server => _server!;

        public async ValueTask InitializeAsync() => _server = await RedisServer.StartAsync(password: "secret");

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }
}
