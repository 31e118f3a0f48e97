using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>A topic as the scripts are told of it.</summary>
internal static class RedisTopic
{
    // How much longer than its events a topic's epoch lives: whoever comes back meanwhile is told exactly what is gone.
    private static readonly TimeSpan QuietLife = TimeSpan.FromDays(7);

    /// <summary>Where it is. What stands in braces puts all of it into one slot of a cluster.</summary>
    public static RedisKey[] KeysOf(TopicKey topic) => [Head(topic), Stream(topic)];

    /// <summary>And where an id of it is: with the length of the publisher's name, for that may hold anything.</summary>
    public static RedisKey[] KeysOf(Append append) =>
        [Head(append.Topic), Stream(append.Topic), $"{Prefix(append.Topic)}:id:{append.Publisher.Length}:{append.Publisher}:{append.Id}"];

    /// <summary>How many events are kept, and for how many milliseconds; 0 without a limit.</summary>
    public static RedisValue[] RetentionOf(TopicPolicy policy) =>
        [policy.Retention.Events ?? 0, (long)(policy.Retention.Age?.TotalMilliseconds ?? 0)];

    /// <summary>For how many milliseconds it keeps its epoch after its last event; 0 for ever.</summary>
    public static RedisValue LifeOf(TopicPolicy policy) => (long)((policy.Retention.Age + QuietLife)?.TotalMilliseconds ?? 0);

    private static RedisKey Head(TopicKey topic) => $"{Prefix(topic)}:meta";

    private static RedisKey Stream(TopicKey topic) => $"{Prefix(topic)}:stream";

    private static string Prefix(TopicKey topic) => $"realtime:{{{topic}}}";
}
