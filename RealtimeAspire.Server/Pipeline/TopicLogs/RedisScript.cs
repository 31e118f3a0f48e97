using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>One of the files in <c>Scripts</c>, behind the part that all have in common.</summary>
/// <param name="name">The file's name.</param>
/// <param name="loader">
/// Whoever alone loads it, which makes it another script for Redis. When Redis has forgotten its scripts, what is under way
/// fails from there to the end and can be run again in order; if somebody else loaded it meanwhile, the end would pass.
/// </param>
internal sealed class RedisScript(string name, Guid? loader = null)
{
    private const string Common = "topic";

    public string Text { get; } = $"-- {loader}\n{Read(Common)}{Read(name)}";

    private static string Read(string name)
    {
        using var reader = new StreamReader(typeof(RedisScript).Assembly.GetManifestResourceStream($"{typeof(RedisScript).Namespace}.Scripts.{name}.lua")!);
        return reader.ReadToEnd();
    }
}

/// <summary>What one run of a script is given.</summary>
internal readonly record struct RedisCall(RedisKey[] Keys, RedisValue[] Values);
