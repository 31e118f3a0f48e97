using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Proof;

/// <summary>
/// Compares a record with the promises:
/// <list type="bullet">
/// <item>every acknowledged event is in the log, at the position of its acknowledgement, once;</item>
/// <item>every subscriber that stayed or came back has received each of them once and in the order of offsets, without a hole
/// in an epoch; of a recoverable topic it may have been told <c>gap</c> or <c>new_epoch</c> instead;</item>
/// <item>nothing was received that was not published; a publish of unknown outcome is there at most once;</item>
/// <item>at each position everybody has seen the same event;</item>
/// <item>a publisher's events keep their order; an event acknowledged before another was sent precedes it;</item>
/// <item>of ephemeral events: nothing foreign, and order per publishing connection.</item>
/// </list>
/// Pure: no clock, no I/O.
/// </summary>
internal static class Verifier
{
    public static Verdict Verify(Record record)
    {
        var violations = new List<Violation>();
        var publishes = record.Publishes.ToDictionary(publish => publish.Id, StringComparer.Ordinal);
        var topics = record.Publishes.Select(publish => publish.Topic)
            .Concat(record.Readings.Select(reading => reading.Topic))
            .Concat(record.Histories.Select(history => history.Topic))
            .Distinct(StringComparer.Ordinal);
        foreach (var topic in topics)
        {
            if (record.Durability is Durability.Ephemeral)
            {
                EphemeralCheck.Check(topic, record, publishes, violations);
            }
            else
            {
                CheckTopic(topic, record, publishes, violations);
            }
        }

        return new Verdict(violations);
    }

    private static void CheckTopic(string topic, Record record, Dictionary<string, Publish> publishes, List<Violation> violations)
    {
        var ledger = new TopicLedger(topic, record.Durability, publishes, violations);
        var history = record.Histories.SingleOrDefault(history => history.Topic == topic) ?? new History(topic, Position.Origin, []);
        var acknowledged = Settle(topic, record, ledger, violations);

        CheckHistory(history, record.Durability, ledger, violations);
        CheckAcknowledged(acknowledged, history, record.Durability, violations);
        foreach (var epoch in acknowledged.GroupBy(placed => placed.Position.Epoch, StringComparer.Ordinal))
        {
            PublishOrder.Check(topic, [.. epoch], violations);
        }

        var last = acknowledged.Select(placed => placed.Position).Where(position => position.Epoch == history.Position.Epoch)
            .DefaultIfEmpty(Position.Origin).MaxBy(position => position.Offset);
        foreach (var reading in record.Readings.Where(reading => reading.Topic == topic))
        {
            foreach (var seen in reading.Steps.SelectMany(EventsOf))
            {
                ledger.See(seen, reading.Subscriber);
            }

            var check = new ReadingCheck(reading.Subscriber, topic, record.Durability, violations);
            foreach (var step in reading.Steps)
            {
                check.Follow(step);
            }

            RequireCaughtUp(reading, check.At, last, violations);
        }
    }

    /// <summary>Where each acknowledged publish is; all of its acknowledgements have to say the same.</summary>
    private static List<(Publish Publish, Position Position)> Settle(string topic, Record record, TopicLedger ledger, List<Violation> violations)
    {
        var placed = new List<(Publish, Position)>();
        foreach (var publish in record.Publishes.Where(publish => publish.Topic == topic))
        {
            if (publish.Attempts.Any(attempt => attempt.Answer is Answer.Refused { Code: "id_conflict" }))
            {
                violations.Add(new(ViolationKind.TwoOutcomes, topic, null, publish.Publisher, $"expected '{publish.Id}' to be taken; it has one content, and was told id_conflict"));
            }

            var acknowledged = publish.Attempts.Select(attempt => attempt.Answer).OfType<Answer.Acknowledged>().ToList();
            foreach (var epoch in acknowledged.GroupBy(answer => record.Durability is Durability.Durable ? "" : answer.Position?.Epoch, StringComparer.Ordinal))
            {
                var first = epoch.First();
                if (epoch.Any(other => other.Position != first.Position || other.Timestamp != first.Timestamp) || epoch.Count(other => !other.Duplicate) > 1)
                {
                    violations.Add(new(ViolationKind.TwoOutcomes, topic, first.Position?.Offset, publish.Publisher,
                        $"expected one outcome of '{publish.Id}', there are {string.Join(", ", epoch.Select(other => $"{other.Position}{(other.Duplicate ? " (duplicate)" : "")}"))}"));
                }

                if (first.Position is { } position)
                {
                    ledger.Acknowledge(publish, position, first.Timestamp);
                    placed.Add((publish, position));
                }
                else
                {
                    violations.Add(new(ViolationKind.Lost, topic, null, publish.Publisher, $"expected a position with the acknowledgement of '{publish.Id}'"));
                }
            }
        }

        return placed;
    }

    private static void CheckHistory(History history, Durability durability, TopicLedger ledger, List<Violation> violations)
    {
        const string Who = "history";
        var last = durability is Durability.Durable || history.Events.Count == 0
            ? new Position(history.Position.Epoch, 0)
            : new Position(history.Position.Epoch, history.Events[0].Position!.Value.Offset - 1);
        var time = DateTimeOffset.MinValue;
        foreach (var seen in history.Events)
        {
            ledger.See(seen, Who);
            var next = new Position(last.Epoch, last.Offset + 1);
            if (seen.Position != next)
            {
                violations.Add(new(ViolationKind.Hole, history.Topic, next.Offset, Who, $"expected {next}, and {seen.Position} is there"));
            }

            if (seen.Timestamp < time)
            {
                violations.Add(new(ViolationKind.Timestamp, history.Topic, seen.Position?.Offset, Who, $"expected {time:O} or later, it is of {seen.Timestamp:O}"));
            }

            (last, time) = (seen.Position ?? next, seen.Timestamp);
        }

        if (history.Events.Count > 0 && last != history.Position)
        {
            violations.Add(new(ViolationKind.Hole, history.Topic, last.Offset, Who, $"expected events up to {history.Position}, they end at {last}"));
        }
    }

    /// <summary>What was acknowledged is in the log. A recoverable log may have been trimmed, or be another one by now.</summary>
    private static void CheckAcknowledged(
        List<(Publish Publish, Position Position)> acknowledged, History history, Durability durability, List<Violation> violations)
    {
        var kept = history.Events.Select(seen => seen.Position).ToHashSet();
        var floor = history.Events is [{ Position: { } oldest }, ..] ? oldest.Offset : history.Position.Offset + 1;
        foreach (var (publish, position) in acknowledged)
        {
            var isDue = durability is Durability.Durable || (position.Epoch == history.Position.Epoch && position.Offset >= floor);
            if (isDue && !kept.Contains(position))
            {
                violations.Add(new(ViolationKind.Lost, history.Topic, position.Offset, publish.Publisher,
                    $"expected '{publish.Id}' in the log at {position}, where it was acknowledged"));
            }
        }
    }

    private static void RequireCaughtUp(Reading reading, Position? at, Position last, List<Violation> violations)
    {
        if (!reading.Stayed || last.Offset == 0)
        {
            return;
        }

        if (at is not { } end || end.Offset == 0)
        {
            violations.Add(new(ViolationKind.Lost, reading.Topic, last.Offset, reading.Subscriber, $"expected everything up to {last}, and has nothing"));
        }
        else if (end.Epoch != last.Epoch)
        {
            violations.Add(new(ViolationKind.SilentEpoch, reading.Topic, end.Offset, reading.Subscriber, $"expected to be told of the epoch {last.Epoch}, and is at {end}"));
        }
        else if (end.Offset < last.Offset)
        {
            violations.Add(new(ViolationKind.Lost, reading.Topic, end.Offset + 1, reading.Subscriber, $"expected everything up to {last}, and has it up to {end}"));
        }
    }

    /// <summary>What came with a step.</summary>
    public static IEnumerable<Seen> EventsOf(Step step) => step switch
    {
        Step.Told told => told.Events,
        Step.Live live => [live.Event],
        _ => [],
    };
}
