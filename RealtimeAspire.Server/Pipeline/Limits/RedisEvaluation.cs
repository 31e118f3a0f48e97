using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.Limits;

internal static class RedisEvaluation
{
    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(600);

    /// <summary>Runs a short script over one key. Null: Redis has not answered in a moment; whether it has run is unknown.</summary>
    public static Task<RedisResult?> EvaluateAsync(this RedisLink link, string script, string key, TimeProvider time, params RedisValue[] arguments) =>
        link.EvaluateAsync(script, [key], time, arguments);

    /// <summary>Runs a short script over keys of one slot. Null: Redis has not answered in a moment; whether it has run is unknown.</summary>
    public static async Task<RedisResult?> EvaluateAsync(this RedisLink link, string script, RedisKey[] keys, TimeProvider time, params RedisValue[] arguments)
    {
        if (!link.IsConnected || link.Multiplexer is not { } multiplexer)
        {
            return null;
        }

        // Whatever its client throws when a connection breaks, and it is more than its own exceptions.
#pragma warning disable CA1031
        try
        {
            // Not by its hash: a Redis that was started again has forgotten that.
            var running = multiplexer.GetDatabase().ExecuteAsync("EVAL", [script, keys.Length, .. keys.Select(key => (object)key), .. arguments.Select(argument => (object)argument)], CommandFlags.DemandMaster);
            await running.WithinAsync(AnswerTime, time);
            return await running;
        }
        catch (Exception)
        {
            return null;
        }
#pragma warning restore CA1031
    }
}
