using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Proof;

/// <summary>The order of offsets against the order in which publishes were sent and answered.</summary>
internal static class PublishOrder
{
    /// <param name="topic">The topic of all of them.</param>
    /// <param name="publishes">Those of one epoch, with the position of each.</param>
    /// <param name="violations">Is added to.</param>
    public static void Check(string topic, IReadOnlyList<(Publish Publish, Position Position)> publishes, List<Violation> violations)
    {
        foreach (var connection in publishes.Where(p => WasPlacedAtOnce(p.Publish, p.Position)).GroupBy(p => p.Publish.Attempts[0].Connection!, StringComparer.Ordinal))
        {
            var last = (Offset: 0L, Id: "");
            foreach (var (publish, position) in connection.OrderBy(p => p.Publish.Attempts[0].Sent))
            {
                if (position.Offset < last.Offset)
                {
                    violations.Add(new(ViolationKind.PublisherOrder, topic, position.Offset, publish.Publisher,
                        $"expected '{publish.Id}' behind '{last.Id}' at {last.Offset}, which the connection sent before"));
                }

                last = (position.Offset, publish.Id);
            }
        }

        CheckRealTime(topic, publishes, violations);
    }

    /// <summary>What was acknowledged before another publish was first sent, by whomever, comes before it.</summary>
    private static void CheckRealTime(string topic, IReadOnlyList<(Publish Publish, Position Position)> publishes, List<Violation> violations)
    {
        var settled = publishes
            // A recoverable log that was lost may have acknowledged it before, at another position.
            .Select(p => (At: p.Publish.Attempts.Where(attempt => attempt.Answer is Answer.Acknowledged told && told.Position == p.Position).Min(attempt => attempt.Settled), p.Position.Offset, p.Publish.Id))
            .OrderBy(p => p.At)
            .ToList();
        var newest = (Offset: 0L, Id: "");
        var next = 0;
        foreach (var (publish, position) in publishes.OrderBy(p => p.Publish.Attempts[0].Sent))
        {
            for (; next < settled.Count && settled[next].At < publish.Attempts[0].Sent; next++)
            {
                newest = settled[next].Offset > newest.Offset ? (settled[next].Offset, settled[next].Id) : newest;
            }

            if (position.Offset < newest.Offset)
            {
                violations.Add(new(ViolationKind.PublisherOrder, topic, position.Offset, publish.Publisher,
                    $"expected '{publish.Id}' behind '{newest.Id}' at {newest.Offset}, which was acknowledged before this one was sent"));
            }
        }
    }

    /// <summary>
    /// The first attempt has placed it: another attempt, over another connection, could have done so at any time, and then a
    /// connection's order says nothing.
    /// </summary>
    private static bool WasPlacedAtOnce(Publish publish, Position position) =>
        publish.Attempts[0] is { Connection: not null, Answer: Answer.Acknowledged { Duplicate: false } told } && told.Position == position;
}
