using System.Collections.Concurrent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>The log in memory, with the faults that tests need.</summary>
internal sealed class FaultyTopicLog(TimeProvider time, RealtimeOptions? options = null) : ITopicLog
{
    private readonly TopicCatalog _catalog = new(Microsoft.Extensions.Options.Options.Create(options ?? new RealtimeOptions()));

    // One for each topic, so that one of them can be forgotten.
    private readonly ConcurrentDictionary<TopicKey, MemoryTopicLog> _logs = new();
    private readonly ConcurrentDictionary<TopicKey, long> _floors = new();
    private int _reads;
    private int _appends;

    public bool AnnouncesAppends { get; set; }

    /// <summary>How often events were read.</summary>
    public int Reads => _reads;

    public int Appends => _appends;

    public bool IsDown { get; set; }

    /// <summary>While set, an append is taken and answered when this completes.</summary>
    public Task? Answer { get; set; }

    /// <summary>While set, a page is read and handed over when this completes.</summary>
    public Task? Page { get; set; }

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed)
    {
        Interlocked.Increment(ref _appends);
        if (Answer is { } answer)
        {
            return AnswerAfterAsync(answer, append, committed);
        }

        return IsDown ? Task.FromException<AppendOutcome>(Down()) : LogOf(append.Topic).AppendAsync(append, committed);
    }

    public async Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        var page = IsDown ? throw Down() : await ReadAboveFloorAsync(topic, range, limit, cancellationToken);
        await (Page ?? Task.CompletedTask);
        return page;
    }

    public async Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
    {
        var tips = new Dictionary<TopicKey, Position>();
        foreach (var topic in topics)
        {
            tips[topic] = IsDown ? throw Down() : (await LogOf(topic).ReadTipsAsync([topic], cancellationToken))[topic];
        }

        return tips;
    }

    /// <summary>Retention: events below the floor are gone.</summary>
    public void RaiseFloor(TopicKey topic, long floor) => _floors[topic] = floor;

    /// <summary>Another incarnation, empty.</summary>
    public void Forget(TopicKey topic)
    {
        _logs.TryRemove(topic, out _);
        _floors.TryRemove(topic, out _);
    }

    private static RealtimeException Down() => new(ErrorCode.LogUnavailable);

    private MemoryTopicLog LogOf(TopicKey topic) => _logs.GetOrAdd(topic, _ => new MemoryTopicLog(_catalog, time));

    private async Task<AppendOutcome> AnswerAfterAsync(Task answer, Append append, Action<LoggedEvent> committed)
    {
        await answer;
        Answer = null;
        return await AppendAsync(append, committed);
    }

    private async Task<LogPage> ReadAboveFloorAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        var floor = _floors.GetValueOrDefault(topic, 1);
        var above = range is LogRange.After after ? new LogRange.After(Math.Max(after.Offset, floor - 1)) : range;
        var page = await LogOf(topic).ReadAsync(topic, above, limit, cancellationToken);
        return page.Floor >= floor ? page : page with { Floor = floor, Events = [.. page.Events.Where(logged => logged.Position.Offset >= floor)] };
    }
}
