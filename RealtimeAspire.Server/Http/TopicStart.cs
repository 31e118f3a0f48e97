using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Http;

/// <summary>A topic of a stream or a poll, and where in it the reader begins.</summary>
/// <param name="Name">The topic.</param>
/// <param name="After">Behind this position; null: from now on, or from <paramref name="Rewind"/>.</param>
/// <param name="Rewind">With the newest so many events.</param>
/// <param name="Presence">What the reader is told of who is there; untrusted.</param>
internal sealed record TopicStart(TopicName Name, Position? After, int? Rewind = null, string? Presence = null)
{
    public const int MaxTopics = 50;

    // Each may wait for its feed, and each may hold a page of the log meanwhile.
    private const int SubscribedTogether = 8;

    public SubscribeRequest ToRequest(bool ephemeral) => new()
    {
        Topic = Name.Value,
        Position = After,
        Rewind = After is null && Rewind is { } count ? new Rewind { Count = count } : null,
        Ephemeral = ephemeral,
        Presence = Presence,
    };

    /// <summary>Where the events of an answer begin: who has seen up to here has missed nothing before them.</summary>
    public Position Before(SubscribeAnswer answer)
    {
        if (answer.Events.Count == 0)
        {
            return answer.Position;
        }

        var first = answer.Events[0].Position;
        return After ?? new Position(first.Epoch, first.Offset - 1);
    }

    /// <summary>Reads the query <c>topic=a&amp;after=…&amp;topic=b&amp;after=…</c>, in which an <c>after</c> belongs to the topic of its place.</summary>
    /// <param name="topics">Untrusted.</param>
    /// <param name="after">Untrusted; empty where a topic has none.</param>
    /// <param name="rewind">Untrusted; <see cref="SubscribePath"/> validates it.</param>
    /// <param name="presence">Untrusted; <see cref="SubscribePath"/> validates it. Empty where a topic has none.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>too_many_topics</c>, <c>topic_invalid</c>, <c>position_invalid</c>.</exception>
    public static TopicStart[] Parse(string[] topics, string[] after, int? rewind = null, string[]? presence = null)
    {
        if (topics.Length == 0 || after.Length > topics.Length || presence?.Length > topics.Length)
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "Name one topic or more, and at most one position and one presence for each.");
        }

        if (topics.Length > MaxTopics)
        {
            throw new RealtimeException(ErrorCode.TooManyTopics);
        }

        var starts = topics.Select((topic, i) => new TopicStart(TopicName.Parse(topic), i < after.Length ? ToPosition(after[i]) : null, rewind, presence?.ElementAtOrDefault(i) is { Length: > 0 } told ? told : null)).ToArray();
        return starts.DistinctBy(start => start.Name).Count() == starts.Length
            ? starts
            : throw new RealtimeException(ErrorCode.RequestInvalid, "Name each topic once.");
    }

    /// <summary>Subscribes to all of them. What their pasts hold over so many bytes is left for later: such an answer has <c>more</c>.</summary>
    /// <exception cref="RealtimeException">One of them was refused or failed.</exception>
    public static async Task<SubscribeAnswer[]> SubscribeAllAsync(
        SubscribePath path, Connection connection, IReadOnlyCollection<TopicStart> starts, bool ephemeral, CancellationToken cancellationToken)
    {
        var answers = new List<SubscribeAnswer>(starts.Count);
        var bytes = 0;
        foreach (var chunk in starts.Chunk(SubscribedTogether))
        {
            var subscribes = chunk.Select(start => path.SubscribeAsync(connection, start.ToRequest(ephemeral), cancellationToken));
            foreach (var (start, answer) in chunk.Zip(await Task.WhenAll(subscribes)))
            {
                bytes += answer.Events.Sum(read => read.Json.Length);
                answers.Add(bytes <= LogPage.MaxBytes || answer.Events.Count == 0 || answers.Count == 0 ? answer : LeftForLater(connection, start, answer));
            }
        }

        return [.. answers];
    }

    private static SubscribeAnswer LeftForLater(Connection connection, TopicStart start, SubscribeAnswer answer)
    {
        connection.Remove(new TopicKey(connection.Caller.Tenant, start.Name));
        return answer with { Events = [], Position = start.Before(answer), More = true };
    }

    private static Position? ToPosition(string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        return Position.TryParse(text, out var position) ? position : throw new RealtimeException(ErrorCode.PositionInvalid);
    }
}
