using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Proof;

/// <summary>
/// What is at which position of one topic, on everybody's word. The first to say so counts; whoever says something else is
/// reported, and so is an event that is no publish of the run.
/// </summary>
internal sealed class TopicLedger(string topic, Durability durability, IReadOnlyDictionary<string, Publish> publishes, List<Violation> violations)
{
    private readonly Dictionary<Position, (string Id, DateTimeOffset Timestamp, string Who)> _events = [];
    private readonly Dictionary<string, List<Position>> _positions = new(StringComparer.Ordinal);
    private readonly HashSet<(string Who, string Id)> _reported = [];

    /// <summary>A publisher was told where its event is.</summary>
    public void Acknowledge(Publish publish, Position position, DateTimeOffset timestamp) => Note(position, publish.Id, timestamp, publish.Publisher);

    /// <summary>Somebody saw an event.</summary>
    public void See(Seen seen, string who)
    {
        if (!publishes.TryGetValue(seen.Id, out var publish) || publish.Topic != topic)
        {
            Report(ViolationKind.Foreign, seen, who, $"nobody has published '{seen.Id}' on this topic");
        }
        else if (publish.Attempts.All(attempt => attempt.Answer is Answer.Refused))
        {
            Report(ViolationKind.Foreign, seen, who, $"'{seen.Id}' was refused");
        }
        else if (publish.Content != seen.Content)
        {
            Report(ViolationKind.Altered, seen, who, $"'{seen.Id}' was published as {publish.Content}, and came as {seen.Content}");
        }

        if (seen.Position is { } position)
        {
            Note(position, seen.Id, seen.Timestamp, who);
        }
    }

    private void Note(Position position, string id, DateTimeOffset timestamp, string who)
    {
        if (_events.TryGetValue(position, out var first))
        {
            if (first.Id != id || first.Timestamp != timestamp)
            {
                violations.Add(new(ViolationKind.Disagreement, topic, position.Offset, who,
                    $"{first.Who} has '{first.Id}' of {first.Timestamp:HH:mm:ss.fff} at {position}, this one '{id}' of {timestamp:HH:mm:ss.fff}"));
            }

            return;
        }

        _events[position] = (id, timestamp, who);
        var positions = _positions.TryGetValue(id, out var known) ? known : _positions[id] = [];
        // A recoverable log that was lost has lost its ids too: a retry may be appended to the next one.
        if (positions.Exists(other => durability is Durability.Durable || other.Epoch == position.Epoch))
        {
            violations.Add(new(ViolationKind.Doubled, topic, position.Offset, who, $"'{id}' is at {positions[0]} already"));
        }

        positions.Add(position);
    }

    private void Report(ViolationKind kind, Seen seen, string who, string expected)
    {
        if (_reported.Add((who, seen.Id)))
        {
            violations.Add(new(kind, topic, seen.Position?.Offset, who, expected));
        }
    }
}
