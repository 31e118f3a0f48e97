namespace RealtimeAspire.Checker.Proof;

/// <summary>Ephemeral events may be lost; those that come are what was published, in the order of each publishing connection.</summary>
internal static class EphemeralCheck
{
    public static void Check(string topic, Record record, IReadOnlyDictionary<string, Publish> publishes, List<Violation> violations)
    {
        var ledger = new TopicLedger(topic, Durability.Ephemeral, publishes, violations);
        foreach (var reading in record.Readings.Where(reading => reading.Topic == topic))
        {
            var last = new Dictionary<string, (long Sent, string Id)>(StringComparer.Ordinal);
            foreach (var seen in reading.Steps.OfType<Step.Live>().Select(live => live.Event))
            {
                ledger.See(seen, reading.Subscriber);
                if (!publishes.TryGetValue(seen.Id, out var publish) || publish.Attempts[0].Connection is not { } connection)
                {
                    continue;
                }

                var sent = publish.Attempts[0].Sent;
                if (last.TryGetValue(connection, out var before) && sent <= before.Sent)
                {
                    violations.Add(new(ViolationKind.PublisherOrder, topic, null, reading.Subscriber,
                        $"expected '{seen.Id}' before '{before.Id}', as the connection sent them, and once"));
                }

                last[connection] = (sent, seen.Id);
            }
        }
    }
}
