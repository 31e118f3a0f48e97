using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Support;

/// <summary>What a node has of the log in Redis, over a connection of its own.</summary>
internal sealed class RedisLogNode : IAsyncDisposable
{
    private readonly RedisNode _redis;
    private readonly RealtimeTracing _tracing = new();
    private readonly RedisAppender _appender;

    private RedisLogNode(RedisNode redis, RealtimeOptions options, ILogger<RedisScripts> logger)
    {
        _redis = redis;
        var wrapped = Microsoft.Extensions.Options.Options.Create(options);
        var catalog = new TopicCatalog(wrapped);
        var scripts = new RedisScripts(redis.Commands, TimeProvider.System, logger);
        _appender = new RedisAppender(scripts, catalog, Id, redis.Others, wrapped, _tracing, TimeProvider.System);
        Log = new RedisTopicLog(scripts, _appender, catalog);
    }

    public NodeId Id { get; } = NodeId.New();

    public RedisTopicLog Log { get; }

    public RedisLink Link => _redis.Commands;

    public static async Task<RedisLogNode> StartAsync(string configuration, RealtimeOptions options, ILogger<RedisScripts>? logger = null)
    {
        var node = new RedisLogNode(await RedisNode.StartAsync(configuration), options, logger ?? NullLogger<RedisScripts>.Instance);
        await node._appender.StartAsync(Topology.Cancelled);
        await Eventually.BecomesTrueAsync(() => node.Link.IsConnected, "The node is not connected to Redis.");
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        await _appender.StopAsync(CancellationToken.None);
        Assert.Null(_appender.ExecuteTask!.Exception);
        _appender.Dispose();
        await _redis.DisposeAsync();
        _tracing.Dispose();
    }
}
