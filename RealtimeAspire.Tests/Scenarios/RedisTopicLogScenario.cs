using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What is done to a node's log in a Redis of the test's own.</summary>
public abstract class RedisTopicLogScenario
{
    private protected static readonly TopicKey Topic = new("default", TopicName.Parse("room:a"));

    private protected static RealtimeOptions Types { get; } = TopicLogLaws.TypesOf(Durability.Recoverable);

    private protected static Task<RedisLogNode> StartAsync(RedisServer redis, ILogger<RedisScripts>? logger = null) =>
        RedisLogNode.StartAsync(redis.ConnectionString, Types, logger);

    private protected static Task<AppendOutcome> AppendAsync(RedisLogNode node, string id, TopicKey? topic = null) =>
        node.Log.AppendAsync(TopicLogLaws.NewAppend(topic ?? Topic, id, "hi"), _ => { });

    private protected static Task<LogPage> ReadAsync(RedisLogNode node) => node.Log.ReadAsync(Topic, new LogRange.After(0), 100, Topology.Cancelled);

    private protected static async Task<Position> TipAsync(RedisLogNode node) => (await node.Log.ReadTipsAsync([Topic], Topology.Cancelled))[Topic];

    /// <summary>The code with which it was refused, null if it was not.</summary>
    private protected static async Task<string?> RefusedAsync(Task append)
    {
        try
        {
            await append;
            return null;
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }

    private protected static Task AnswersAsync(RedisLogNode node) =>
        Eventually.BecomesTrueAsync(async () => await RefusedAsync(TipAsync(node)) is null, "The log does not answer again.");

    /// <summary>Waits until a replica has what its master has.</summary>
    private protected static Task HasCopiedAsync(RedisServer replica) => Eventually.BecomesTrueAsync(
        async () => (await replica.SendAsync("INFO replication")).Contains("master_link_status:up", StringComparison.Ordinal) && await replica.SendAsync($"EXISTS {Key("meta")}") == "1",
        "The replica has not copied.");

    private protected static string Key(string name, TopicKey? topic = null) => $"realtime:{{{topic ?? Topic}}}:{name}";

    private protected static async Task<long> NumberAsync(RedisServer redis, string command) => long.Parse(await redis.SendAsync(command), CultureInfo.InvariantCulture);

    /// <summary>What was logged.</summary>
    private protected sealed class Lines : ConcurrentQueue<string>, ILogger<RedisScripts>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Enqueue(formatter(state, exception));
    }
}
