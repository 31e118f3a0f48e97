namespace RealtimeAspire.Checker.Proof;

/// <summary>Ephemeral events may be lost; those that come are what was published, in the order of each publishing connection.</summary>
internal static class EphemeralCheck
{
    public static void Check(string topic, Record record, IReadOnlyDictionary<string, Publish> publishes, List<Violation> violations)
    {
        foreach (var publish in publishes.Values.Where(publish => publish.Topic == topic && publish.Attempts.Any(attempt => attempt.Answer is Answer.Acknowledged { Position: not null })))
        {
            violations.Add(new(ViolationKind.Foreign, topic, null, publish.Publisher, $"expected no position with the acknowledgement of '{publish.Id}', which no log has"));
        }

        var ledger = new TopicLedger(topic, Durability.Ephemeral, publishes, violations);
        foreach (var reading in record.Readings.Where(reading => reading.Topic == topic))
        {
            var last = new Dictionary<string, (long Sent, string Id)>(StringComparer.Ordinal);
            foreach (var seen in reading.Steps.SelectMany(Verifier.EventsOf))
            {
                ledger.See(seen, reading.Subscriber);
                if (seen.Position is { } position)
                {
                    violations.Add(new(ViolationKind.Foreign, topic, position.Offset, reading.Subscriber, $"expected '{seen.Id}' without a position, and it has {position}"));
                }

                if (publishes.TryGetValue(seen.Id, out var publish) && SentOnceBy(publish) is { } connection)
                {
                    RequireOrder(connection, publish, reading, last, violations);
                }
            }
        }
    }

    /// <summary>Nobody knows the ids of what is kept nowhere: what was sent again may come again, and at any time.</summary>
    private static string? SentOnceBy(Publish publish) => publish.Attempts is [{ Connection: { } connection }] ? connection : null;

    private static void RequireOrder(string connection, Publish publish, Reading reading, Dictionary<string, (long Sent, string Id)> last, List<Violation> violations)
    {
        var sent = publish.Attempts[0].Sent;
        if (!last.TryGetValue(connection, out var before) || sent > before.Sent)
        {
            last[connection] = (sent, publish.Id);
            return;
        }

        violations.Add(sent == before.Sent
            ? new(ViolationKind.Doubled, reading.Topic, null, reading.Subscriber, $"expected '{publish.Id}' once, as it was sent")
            : new(ViolationKind.PublisherOrder, reading.Topic, null, reading.Subscriber, $"expected '{publish.Id}' before '{before.Id}', as the connection sent them, and once"));
    }
}
