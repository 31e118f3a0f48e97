using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Proof;

/// <summary>
/// Follows one subscriber over its connections: from the position it has, each event is the next one, unless it was told
/// otherwise.
/// </summary>
internal sealed class ReadingCheck(string subscriber, string topic, Durability durability, List<Violation> violations)
{
    private readonly HashSet<Position> _received = [];
    private readonly List<Seen> _early = [];
    private bool _isJoining;
    private Position? _asked;

    /// <summary>Where the subscriber is; null before its first reply.</summary>
    public Position? At { get; private set; }

    /// <summary>Takes the next step.</summary>
    public void Follow(Step step)
    {
        switch (step)
        {
            case Step.Asked asked:
                Ask(asked.From);
                break;
            case Step.Told told:
                Join(told);
                break;
            // What comes before the reply is merged behind it.
            case Step.Live live when _isJoining:
                _early.Add(live.Event);
                break;
            case Step.Live live:
                Take(live.Event);
                break;
            case Step.Lost:
                // Without the reply nothing of this join counts; the next one asks from the same position.
                _isJoining = false;
                _early.Clear();
                break;
        }
    }

    private void Ask(Position? from)
    {
        if (At is not null && from != At)
        {
            Report(ViolationKind.Hole, At?.Offset, $"to be asked from {At}, where it is, and was asked from {from?.ToString() ?? "nowhere"}");
        }

        (_isJoining, _asked) = (true, from);
    }

    private void Join(Step.Told told)
    {
        if (told.Recovery is Recovery.Gap or Recovery.NewEpoch)
        {
            Lose(told);
        }
        else
        {
            At ??= _asked ?? (told.Events is [{ Position: { } first }, ..] ? new Position(first.Epoch, first.Offset - 1) : told.Position);
            foreach (var seen in told.Events)
            {
                Take(seen);
            }

            RequireEnd(told);
        }

        if (told.More)
        {
            return;
        }

        _isJoining = false;
        foreach (var seen in _early)
        {
            var isInReply = seen.Position is { } position && At is { } at && position.Epoch == at.Epoch && position.Offset <= told.Position.Offset;
            if (!isInReply)
            {
                Take(seen);
            }
        }

        _early.Clear();
    }

    private void Lose(Step.Told told)
    {
        if (durability is Durability.Durable)
        {
            Report(ViolationKind.ToldLost, _asked?.Offset, $"everything after {_asked}, and was told {told.Recovery} and the position {told.Position}");
        }

        if (told.Events.Count > 0)
        {
            Report(ViolationKind.PartialRecovery, told.Events[0].Position?.Offset, $"no events with {told.Recovery}, and {told.Events.Count} came");
        }

        At = told.Position;
    }

    /// <summary>The reply's position is where its events lead to.</summary>
    private void RequireEnd(Step.Told told)
    {
        if (At is { } at && at != told.Position)
        {
            Report(ViolationKind.Hole, at.Offset, $"a reply whose events lead to its position; they lead to {at}, and it says {told.Position}");
            At = told.Position;
        }
    }

    private void Take(Seen seen)
    {
        if (seen.Position is not { } position)
        {
            Report(ViolationKind.Foreign, null, $"an event of the log; '{seen.Id}' has no position");
            return;
        }

        var at = At is { Offset: 0, Epoch: "" } ? new Position(position.Epoch, 0) : At ?? new Position(position.Epoch, position.Offset - 1);
        if (position.Epoch != at.Epoch)
        {
            Report(ViolationKind.SilentEpoch, position.Offset, $"an event of {at.Epoch} or word of another epoch, and {position} came");
        }
        else if (position.Offset <= at.Offset)
        {
            var again = _received.Contains(position);
            Report(again ? ViolationKind.Doubled : ViolationKind.OutOfOrder, position.Offset, $"{at.Offset + 1} next, and {position.Offset} came{(again ? " again" : "")}");
            _received.Add(position);
            return;
        }
        else if (position.Offset > at.Offset + 1)
        {
            Report(ViolationKind.Hole, at.Offset + 1, $"{at.Offset + 1} next, and {position.Offset} came");
        }

        _received.Add(position);
        At = position;
    }

    private void Report(ViolationKind kind, long? offset, string expected) =>
        violations.Add(new(kind, topic, offset, subscriber, $"expected {expected}"));
}
