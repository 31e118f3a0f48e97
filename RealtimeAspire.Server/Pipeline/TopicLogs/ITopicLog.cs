using System.Diagnostics;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.TopicLogs;

/// <summary>
/// The ordered store of the topics' events. What it keeps and for how long an id is known says the topic's
/// <see cref="TopicPolicy"/>. Every implementation passes <c>TopicLogSpecification</c>.
/// </summary>
internal interface ITopicLog
{
    /// <summary>
    /// Appends an event, or finds what became of its id before. Calls made one after another, without awaiting, are
    /// appended in that order.
    /// </summary>
    /// <param name="append">What to append; validated.</param>
    /// <param name="committed">
    /// Called once the event is stored, in offset order per topic and before the returned task completes; must only
    /// enqueue. Also called, possibly again, for a stored event whose first call may have been lost.
    /// </param>
    /// <exception cref="RealtimeException"><c>id_conflict</c>, <c>log_unavailable</c>, <c>overloaded</c>.</exception>
    Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed);

    /// <summary>Whether an append itself tells the other nodes' feeds; if not, the backplane has to.</summary>
    bool AnnouncesAppends { get; }

    /// <summary>Reads a page, with the tip and the floor of the same moment. What is past its retention is not read any more.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken);

    /// <summary>The tips of many topics at once; a topic without events is at <see cref="Position.Origin"/>.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken);
}

/// <summary>An event on its way into the log.</summary>
internal sealed record Append
{
    public required TopicKey Topic { get; init; }

    /// <summary>When it came in, as a timestamp of the time provider; its time limit runs from here.</summary>
    public required long Started { get; init; }

    /// <summary>Whose id it is; empty for code of the server itself.</summary>
    public required string Publisher { get; init; }

    public required string Id { get; init; }

    public required string Event { get; init; }

    public required int Version { get; init; }

    public string? EntityId { get; init; }

    /// <summary>JSON as UTF-8.</summary>
    public required byte[] Payload { get; init; }

    /// <summary>The publisher's signature, JSON as UTF-8; null: he has not signed.</summary>
    public byte[]? Signature { get; init; }

    /// <summary>Tells another event under the same id from a retry.</summary>
    public required byte[] ContentHash { get; init; }

    /// <summary>The context of the publish, for the trace that ends at the subscribers.</summary>
    public ActivityContext Trace { get; init; }

    public string? TraceParent { get; init; }

    public LoggedEvent At(Position position, DateTimeOffset timestamp) => new()
    {
        Topic = Topic,
        Position = position,
        Id = Id,
        Event = Event,
        Version = Version,
        EntityId = EntityId,
        Payload = Payload,
        Signature = Signature,
        UserId = Publisher.Length == 0 ? null : Publisher,
        Timestamp = timestamp,
        TraceParent = TraceParent,
    };
}

/// <summary>Where an event is.</summary>
/// <param name="Position">Its position.</param>
/// <param name="Timestamp">When the log took it, in milliseconds; never falls within a topic.</param>
/// <param name="Duplicate">An earlier publish of the same id appended it.</param>
internal readonly record struct AppendOutcome(Position Position, DateTimeOffset Timestamp, bool Duplicate);

/// <summary>One entry of a topic's log.</summary>
internal sealed record LoggedEvent
{
    public required TopicKey Topic { get; init; }

    public required Position Position { get; init; }

    public required string Id { get; init; }

    public required string Event { get; init; }

    public required int Version { get; init; }

    public string? EntityId { get; init; }

    /// <summary>JSON as UTF-8.</summary>
    public required byte[] Payload { get; init; }

    /// <summary>The publisher's signature, JSON as UTF-8; null: he has not signed.</summary>
    public byte[]? Signature { get; init; }

    public string? UserId { get; init; }

    public required DateTimeOffset Timestamp { get; init; }

    public string? TraceParent { get; init; }
}

/// <summary>Which events of a topic are read: one of four.</summary>
internal abstract record LogRange
{
    private LogRange()
    {
    }

    /// <summary>The oldest ones after an offset.</summary>
    public sealed record After(long Offset) : LogRange;

    /// <summary>The newest ones before an offset.</summary>
    public sealed record Before(long Offset) : LogRange;

    /// <summary>The newest ones.</summary>
    public sealed record Newest(int Count) : LogRange;

    /// <summary>The oldest ones of a time and later.</summary>
    public sealed record Since(DateTimeOffset Time) : LogRange;
}

/// <summary>A page of a topic's log.</summary>
/// <param name="Tip">The position of the newest event there is.</param>
/// <param name="Floor">No offset below this one can be read. By age more may be gone: then the events begin later.</param>
/// <param name="Events">Ascending, without a hole; as many as were asked for, or about <see cref="MaxBytes"/>.</param>
internal sealed record LogPage(Position Tip, long Floor, IReadOnlyList<LoggedEvent> Events)
{
    /// <summary>A page ends with the event whose payload reaches this.</summary>
    public const int MaxBytes = 1024 * 1024;

    public static readonly LogPage Empty = new(Position.Origin, 1, []);

    /// <summary>The page as it is for who sees nothing up to an offset.</summary>
    public LogPage Behind(long offset) => offset < Floor
        ? this
        : this with { Floor = offset + 1, Events = [.. Events.Where(logged => logged.Position.Offset > offset)] };
}
