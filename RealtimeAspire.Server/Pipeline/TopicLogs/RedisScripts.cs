using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// Runs the log's scripts. Nothing waits long for Redis and nothing piles up before it: every run has a time limit, and what
/// was given up but is still under way counts against a bound.
/// </summary>
internal sealed partial class RedisScripts(RedisLink link, TimeProvider time, ILogger<RedisScripts> logger)
{
    private const int MaxUnderWay = 4_000;

    // Of a script that somebody flushes again and again.
    private const int MaxLoads = 20;

    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(2);

    private volatile Connection? _connection;
    private volatile bool _failing;

    /// <summary>If not, every run fails at once.</summary>
    public bool IsAnswering => link.IsConnected;

    /// <summary>Runs a script once with each call, in order, all in flight together.</summary>
    /// <returns>
    /// What each of them gave; null where it failed. Then it has changed nothing, or that is unknown: no answer came in time.
    /// </returns>
    public async Task<RedisResult?[]> RunAsync(RedisScript script, IReadOnlyList<RedisCall> calls)
    {
        if (!IsAnswering || Current() is not { } connection)
        {
            return new RedisResult?[calls.Count];
        }

        var replies = await RunAsync(connection, script, calls);
        for (var i = 0; i < MaxLoads && Array.Exists(replies, reply => reply.IsForgotten); i++)
        {
            connection.Forget(script);
            int[] forgotten = [.. Enumerable.Range(0, replies.Length).Where(at => replies[at].IsForgotten)];
            var again = await RunAsync(connection, script, Array.ConvertAll(forgotten, at => calls[at]));
            for (var j = 0; j < again.Length; j++)
            {
                replies[forgotten[j]] = again[j];
            }
        }

        Note(replies);
        return Array.ConvertAll(replies, reply => reply.Result);
    }

    /// <summary>The connection of the moment, with what is known of it.</summary>
    private Connection? Current()
    {
        var (known, multiplexer) = (_connection, link.Multiplexer);
        return multiplexer is null ? null : known?.Multiplexer == multiplexer ? known : _connection = new Connection(multiplexer);
    }

    private async Task<Reply[]> RunAsync(Connection connection, RedisScript script, IReadOnlyList<RedisCall> calls)
    {
        var runs = new Task<Reply>[calls.Count];
        // Whatever its client throws when a connection breaks, and it is more than its own exceptions.
#pragma warning disable CA1031
        try
        {
            var hash = await connection.HashAsync(script).WaitAsync(RunTime, time);
            var batch = connection.BeginBatch();
            for (var i = 0; i < runs.Length; i++)
            {
                runs[i] = connection.RunAsync(batch, hash, calls[i]);
            }

            batch.Execute();
            await Task.WhenAll(runs).WaitAsync(RunTime, time);
        }
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Array.ConvertAll(runs, run => run is { IsCompletedSuccessfully: true } ? run.Result : new Reply(null, exception));
        }

        return Array.ConvertAll(runs, run => run.Result);
    }

    /// <summary>Logs when Redis begins to fail and when it ends to.</summary>
    private void Note(Reply[] replies)
    {
        if (!_failing && replies.FirstOrDefault(reply => reply.Result is null).Error is { } error)
        {
            _failing = true;
            LogFailing(error, error.Message);
        }
        else if (_failing && replies.Length > 0 && replies.All(reply => reply.Result is not null))
        {
            _failing = false;
            LogWorking();
        }
    }

    [LoggerMessage(EventId = 1121, Level = LogLevel.Warning, Message = "The log in Redis fails: {Reason}. Publishes and reads of recoverable topics are refused as long as it does")]
    private partial void LogFailing(Exception exception, string reason);

    [LoggerMessage(EventId = 1122, Level = LogLevel.Information, Message = "The log in Redis works again")]
    private partial void LogWorking();

    private readonly record struct Reply(RedisResult? Result, Exception? Error)
    {
        /// <summary>Redis does not know the script: it has started since, or somebody has flushed its scripts.</summary>
        public bool IsForgotten => Error is RedisServerException && Error.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);
    }

    private sealed class Connection(IConnectionMultiplexer multiplexer)
    {
        private readonly ConcurrentDictionary<RedisScript, byte[]> _hashes = new();
        private readonly IDatabase _database = multiplexer.GetDatabase();
        private int _underWay;

        public IConnectionMultiplexer Multiplexer => multiplexer;

        /// <summary>By what Redis knows the script; loads it where it does not yet.</summary>
        public async Task<byte[]> HashAsync(RedisScript script) =>
            _hashes.TryGetValue(script, out var hash) ? hash : _hashes[script] = await CountedAsync(() => LoadAsync(script));

        public void Forget(RedisScript script) => _hashes.TryRemove(script, out _);

        /// <summary>Its client wakes a thread for each call, or for each batch.</summary>
        public IBatch BeginBatch() => _database.CreateBatch();

        /// <summary>Completes some time after the batch was executed.</summary>
        public async Task<Reply> RunAsync(IBatch batch, byte[] hash, RedisCall call)
        {
#pragma warning disable CA1031
            try
            {
                return new Reply(await CountedAsync(() => batch.ScriptEvaluateAsync(hash, call.Keys, call.Values, CommandFlags.DemandMaster)), null);
            }
            catch (Exception exception)
#pragma warning restore CA1031
            {
                return new Reply(null, exception);
            }
        }

        private async Task<byte[]> LoadAsync(RedisScript script)
        {
            byte[]? hash = null;
            foreach (var server in multiplexer.GetEndPoints().Select(endpoint => multiplexer.GetServer(endpoint)).Where(server => server.IsConnected))
            {
                hash = await server.ScriptLoadAsync(script.Text);
            }

            return hash ?? throw new TimeoutException("No server of Redis is connected.");
        }

        private async Task<T> CountedAsync<T>(Func<Task<T>> call)
        {
            try
            {
                return Interlocked.Increment(ref _underWay) <= MaxUnderWay ? await call() : throw new TimeoutException("Too many calls wait for an answer.");
            }
            finally
            {
                Interlocked.Decrement(ref _underWay);
            }
        }
    }
}
