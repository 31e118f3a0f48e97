using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// One loop takes whatever publishes are waiting and appends them, each by a run of the script, many in flight. The next ones
/// are sent when these are answered, so publishes of a topic are appended in order of arrival.
/// </summary>
/// <remarks>
/// Nothing is sent again: without an answer in time a publish fails as unavailable, and its retry with the same id finds out
/// what became of it. While Redis is away, publishes fail at once.
/// </remarks>
internal sealed class RedisAppender(
    RedisScripts scripts,
    TopicCatalog catalog,
    NodeId node,
    OtherNodes others,
    IOptions<RealtimeOptions> options,
    RealtimeTracing tracing,
    TimeProvider time) : BackgroundService
{
    private const int MaxBatch = 500;
    private const int EpochLength = 12;

    private readonly RedisScript _script = new("append", Guid.NewGuid());
    private readonly byte[] _header = BackplaneMessage.HeaderOfAppended(node);
    private readonly byte[] _signedHeader = BackplaneMessage.HeaderOfAppended(node, isSigned: true);
    private readonly AppendLine _line = new(catalog, options.Value.Limits, time);

    /// <inheritdoc cref="AppendLine.Enter"/>
    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) => scripts.IsAnswering
        ? _line.Enter(append, committed)
        : Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.LogUnavailable));

    /// <summary>Takes no more, and finishes what it has taken.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _line.Complete();
        await base.StopAsync(cancellationToken);
        if (ExecuteTask is null or { IsCompleted: true })
        {
            _line.FailRest();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (await _line.WaitAsync())
        {
            await StoreAsync(_line.Take(MaxBatch, IsInTime));
        }
    }

    /// <summary>False: it has waited for too long, and is told so.</summary>
    private bool IsInTime(PendingAppend pending)
    {
        if (pending.Deadline > time.GetTimestamp())
        {
            return true;
        }

        pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
        return false;
    }

    private async Task StoreAsync(List<PendingAppend> batch)
    {
        using var activity = tracing.StartAppend(batch);
        var results = await scripts.RunAsync(_script, batch.ConvertAll(CallOf));
        for (var i = 0; i < results.Length; i++)
        {
            Answer(batch[i], results[i]);
        }
    }

    private static void Answer(PendingAppend pending, RedisResult? result)
    {
        if (result is null)
        {
            pending.Fail(new RealtimeException(ErrorCode.LogUnavailable));
            return;
        }

        var reply = (string[])result!;
        if (reply is not [var said, var epoch, var offset, var milliseconds] || said == "conflict")
        {
            pending.Fail(new RealtimeException(ErrorCode.IdConflict));
            return;
        }

        pending.Complete(new AppendOutcome(
            new Position(epoch, long.Parse(offset, CultureInfo.InvariantCulture)),
            DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(milliseconds, CultureInfo.InvariantCulture)),
            Duplicate: said == "duplicate"));
    }

    private RedisCall CallOf(PendingAppend pending)
    {
        var (append, policy) = (pending.Append, pending.Policy);
        return new RedisCall(RedisTopic.KeysOf(append),
        [
            Guid.NewGuid().ToString("N")[..EpochLength],
            Convert.ToHexStringLower(append.ContentHash),
            others.AreAround ? BackplaneMessage.ChannelOf(append.Topic) : "",
            append.Signature is null ? _header : _signedHeader,
            RedisEventCodec.Write(append),
            (long)policy.IdempotencyWindow.TotalMilliseconds,
            .. RedisTopic.RetentionOf(policy),
            RedisTopic.LifeOf(policy),
            append.Signature ?? [],
        ]);
    }
}
