using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Proof;

/// <summary>What a run saw, nothing of it judged.</summary>
internal sealed record Record
{
    public required Durability Durability { get; init; }

    public required IReadOnlyList<Publish> Publishes { get; init; }

    public required IReadOnlyList<Reading> Readings { get; init; }

    /// <summary>Each topic's log as it was read over HTTP when the load was over; none of an ephemeral one.</summary>
    public required IReadOnlyList<History> Histories { get; init; }
}

/// <summary>What is promised about the events of the topics that were checked.</summary>
internal enum Durability
{
    Durable,
    Recoverable,
    Ephemeral,
}

/// <summary>One event that a publisher wanted to be in a topic, with every attempt in the order of sending. Its id is unique in the run.</summary>
internal sealed record Publish(string Publisher, string Topic, string Id, string Content, IReadOnlyList<Attempt> Attempts);

/// <summary>One request with the publish, and its answer.</summary>
/// <param name="Connection">The connection whose order counts; null where none is promised, as over HTTP.</param>
/// <param name="Sent">A moment: a tick of the run's one counter, taken before it was sent.</param>
/// <param name="Settled">A tick taken after the answer was there.</param>
/// <param name="Answer">What came of it.</param>
internal sealed record Attempt(string? Connection, long Sent, long Settled, Answer Answer);

/// <summary>What a publisher was told.</summary>
internal abstract record Answer
{
    private Answer()
    {
    }

    /// <summary>It is in the log; without a position, a node took an ephemeral event.</summary>
    public sealed record Acknowledged(Position? Position, DateTimeOffset Timestamp, bool Duplicate) : Answer;

    /// <summary>This attempt has appended nothing.</summary>
    public sealed record Refused(string Code) : Answer;

    /// <summary>It may have been appended, or may still be.</summary>
    public sealed record Unknown(string Code) : Answer;
}

/// <summary>One subscriber on one topic, over all its connections.</summary>
/// <param name="Subscriber">Who.</param>
/// <param name="Topic">On which topic.</param>
/// <param name="Steps">In order, as they came over the wire.</param>
/// <param name="Stayed">It was there, or came back, until everything had arrived that was going to.</param>
internal sealed record Reading(string Subscriber, string Topic, IReadOnlyList<Step> Steps, bool Stayed);

/// <summary>Something a subscriber did, received or was told.</summary>
internal abstract record Step
{
    private Step()
    {
    }

    /// <summary>It subscribed, from a position or from now on.</summary>
    public sealed record Asked(Position? From) : Step;

    /// <summary>The reply. What came live since <see cref="Asked"/> is to be merged behind it.</summary>
    public sealed record Told(Recovery Recovery, Position Position, IReadOnlyList<Seen> Events, bool More) : Step;

    /// <summary>An event beside the replies.</summary>
    public sealed record Live(Seen Event) : Step;

    /// <summary>It was told to subscribe again.</summary>
    public sealed record Reset : Step;

    /// <summary>The connection ended.</summary>
    public sealed record Lost : Step;
}

/// <summary>An event as somebody saw it.</summary>
internal sealed record Seen(Position? Position, string Id, string Content, DateTimeOffset Timestamp);

/// <summary>A topic's log: from the oldest event kept to the newest.</summary>
internal sealed record History(string Topic, Position Position, IReadOnlyList<Seen> Events);
