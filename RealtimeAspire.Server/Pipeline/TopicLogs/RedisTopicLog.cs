using System.Globalization;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The recoverable log: a stream per topic, bounded by count and age. Appends go through the node's one appender; the script
/// that appends an event also tells the other nodes.
/// </summary>
internal sealed class RedisTopicLog(RedisScripts scripts, RedisAppender appender, TopicCatalog catalog) : ITopicLog
{
    private const int TipsAtOnce = 500;

    /// <summary>Its offset, time, body and signature.</summary>
    private const int FieldsOfEvent = 4;

    private readonly RedisScript _read = new("read");
    private readonly RedisScript _tip = new("tip");

    public bool AnnouncesAppends => true;

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) => appender.AppendAsync(append, committed);

    public async Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        (string Kind, long Bound) asked = range switch
        {
            LogRange.After after => ("after", after.Offset),
            LogRange.Before before => ("before", before.Offset),
            LogRange.Newest newest => ("newest", newest.Count),
            LogRange.Since since => ("since", MillisecondsUpTo(since.Time)),
            _ => throw new ArgumentOutOfRangeException(nameof(range)),
        };
        var call = new RedisCall(RedisTopic.KeysOf(topic), [asked.Kind, asked.Bound, limit, LogPage.MaxBytes, .. RedisTopic.RetentionOf(catalog.Get(topic))]);
        var results = await scripts.RunAsync(_read, [call]).WaitAsync(cancellationToken);
        var page = (RedisResult[])(results[0] ?? throw new RealtimeException(ErrorCode.LogUnavailable))!;
        return page.Length == 0 ? LogPage.Empty : ToPage(topic, page, range is LogRange.Before or LogRange.Newest);
    }

    public async Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
    {
        var tips = new Dictionary<TopicKey, Position>(topics.Count);
        foreach (var some in topics.Chunk(TipsAtOnce))
        {
            var calls = Array.ConvertAll(some, topic => new RedisCall(RedisTopic.KeysOf(topic), [RedisTopic.LifeOf(catalog.Get(topic))]));
            var results = await scripts.RunAsync(_tip, calls).WaitAsync(cancellationToken);
            for (var i = 0; i < some.Length; i++)
            {
                var tip = (string[])(results[i] ?? throw new RealtimeException(ErrorCode.LogUnavailable))!;
                tips[some[i]] = tip is [var epoch, var offset] ? new Position(epoch, Number(offset)) : Position.Origin;
            }
        }

        return tips;
    }

    private static LogPage ToPage(TopicKey topic, RedisResult[] page, bool isBackwards)
    {
        var epoch = ((string?)page[0])!;
        var fields = (RedisValue[])page[3]!;
        var events = new List<LoggedEvent>(fields.Length / FieldsOfEvent);
        for (var i = 0; i < fields.Length; i += FieldsOfEvent)
        {
            events.Add(RedisEventCodec.Read(
                topic,
                new Position(epoch, (long)fields[i]),
                DateTimeOffset.FromUnixTimeMilliseconds((long)fields[i + 1]),
                (byte[]?)fields[i + 2],
                (byte[]?)fields[i + 3]) ?? throw new RealtimeException(ErrorCode.LogUnavailable, "The log has an event that this release cannot read."));
        }

        if (isBackwards)
        {
            events.Reverse();
        }

        return new LogPage(new Position(epoch, (long)page[1]), (long)page[2], events);
    }

    /// <summary>Events have whole milliseconds: of a time within one, the first event is in the next.</summary>
    private static long MillisecondsUpTo(DateTimeOffset time) =>
        time.ToUnixTimeMilliseconds() + (time.UtcTicks % TimeSpan.TicksPerMillisecond == 0 ? 0 : 1);

    private static long Number(string digits) => long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
}
