using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Server;

/// <summary>A topic log in memory, with the faults that tests need.</summary>
internal sealed class MemoryTopicLog(TimeProvider time) : ITopicLog
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TopicKey, Topic> _topics = [];

    /// <summary>How often events were read.</summary>
    public int Reads { get; private set; }

    public bool IsDown { get; set; }

    /// <summary>While set, an append is taken and answered when this completes.</summary>
    public Task? Answer { get; set; }

    public int Appends { get; private set; }

    /// <summary>While set, a page is read and handed over when this completes.</summary>
    public Task? Page { get; set; }

    public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed)
    {
        lock (_lock)
        {
            Appends++;
            if (Answer is { } answer)
            {
                return AnswerAfterAsync(answer, append, committed);
            }

            if (IsDown)
            {
                return Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.LogUnavailable));
            }

            var topic = _topics.TryGetValue(append.Topic, out var known) ? known : _topics[append.Topic] = new Topic();
            if (topic.Ids.TryGetValue((append.Publisher, append.Id), out var first))
            {
                return first.Content.AsSpan().SequenceEqual(append.ContentHash)
                    ? Task.FromResult(first.Outcome with { Duplicate = true })
                    : Task.FromException<AppendOutcome>(new RealtimeException(ErrorCode.IdConflict));
            }

            var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
            var outcome = new AppendOutcome(new Position(topic.Epoch, topic.Events.Count + 1), now, Duplicate: false);
            topic.Ids[(append.Publisher, append.Id)] = (append.ContentHash, outcome);
            var logged = append.At(outcome.Position, now);
            topic.Events.Add(logged);
            committed(logged);
            return Task.FromResult(outcome);
        }
    }

    private async Task<AppendOutcome> AnswerAfterAsync(Task answer, Append append, Action<LoggedEvent> committed)
    {
        await answer;
        Answer = null;
        return await AppendAsync(append, committed);
    }

    public async Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken)
    {
        var page = await ReadNowAsync(topic, range, limit);
        await (Page ?? Task.CompletedTask);
        return page;
    }

    private Task<LogPage> ReadNowAsync(TopicKey topic, LogRange range, int limit)
    {
        lock (_lock)
        {
            Reads++;
            if (IsDown)
            {
                return Task.FromException<LogPage>(new RealtimeException(ErrorCode.LogUnavailable));
            }

            if (!_topics.TryGetValue(topic, out var known))
            {
                return Task.FromResult(LogPage.Empty);
            }

            var kept = known.Events.Skip((int)known.Floor - 1);
            var events = range switch
            {
                LogRange.After after => kept.Where(logged => logged.Position.Offset > after.Offset).Take(limit),
                LogRange.Before before => kept.Where(logged => logged.Position.Offset < before.Offset).TakeLast(limit),
                LogRange.Newest newest => kept.TakeLast(Math.Min(newest.Count, limit)),
                LogRange.Since since => kept.Where(logged => logged.Timestamp >= since.Time).Take(limit),
                _ => throw new ArgumentOutOfRangeException(nameof(range)),
            };
            return Task.FromResult(new LogPage(known.Tip, known.Floor, Cut([.. events], range is LogRange.Before or LogRange.Newest)));
        }
    }

    public Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return IsDown
                ? Task.FromException<IReadOnlyDictionary<TopicKey, Position>>(new RealtimeException(ErrorCode.LogUnavailable))
                : Task.FromResult<IReadOnlyDictionary<TopicKey, Position>>(
                    topics.ToDictionary(topic => topic, topic => _topics.TryGetValue(topic, out var known) ? known.Tip : Position.Origin));
        }
    }

    /// <summary>Retention: events below the floor are gone.</summary>
    public void RaiseFloor(TopicKey topic, long floor)
    {
        lock (_lock)
        {
            _topics[topic].Floor = floor;
        }
    }

    /// <summary>Another incarnation, empty.</summary>
    public void Forget(TopicKey topic)
    {
        lock (_lock)
        {
            _topics.Remove(topic);
        }
    }

    /// <summary>What fits into a page: the first events, or of those that end a range the last.</summary>
    private static List<LoggedEvent> Cut(List<LoggedEvent> events, bool fromEnd)
    {
        var (bytes, count) = (0, 0);
        while (count < events.Count && bytes < LogPage.MaxBytes)
        {
            bytes += events[fromEnd ? ^(count + 1) : count].Payload.Length;
            count++;
        }

        return fromEnd ? events[^count..] : events[..count];
    }

    private sealed class Topic
    {
        public string Epoch { get; } = Guid.NewGuid().ToString("N")[..6];

        public List<LoggedEvent> Events { get; } = [];

        public long Floor { get; set; } = 1;

        public Dictionary<(string Publisher, string Id), (byte[] Content, AppendOutcome Outcome)> Ids { get; } = [];

        public Position Tip => Events.Count == 0 ? Position.Origin : Events[^1].Position;
    }
}

public sealed class MemoryTopicLogTests : TopicLogSpecification
{
    private protected override ITopicLog Log { get; } = new MemoryTopicLog(TimeProvider.System);
}
