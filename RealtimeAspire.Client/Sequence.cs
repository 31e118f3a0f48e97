using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>How far one subscription has come in its topic: the rules for clients of <c>docs/protocol.md</c>, without time or network.</summary>
/// <param name="position">What has been read before; null: wherever the first reply says.</param>
/// <param name="jumps">Offsets only rise, as with <c>latest</c> and <c>conflate</c>: a jump is no hole.</param>
internal sealed class Sequence(Position? position, bool jumps)
{
    private List<TopicEvent>? _held = [];

    /// <summary>After the last event that was taken; null until the first reply.</summary>
    public Position? Position { get; private set; } = position;

    /// <summary>What arrives from now on waits for a reply, which has all of what came before.</summary>
    public void Hold() => _held = [];

    /// <summary>The reader is elsewhere now: it has read the state there by other means.</summary>
    public void MoveTo(Position elsewhere) => Position = elsewhere;

    /// <summary>Merges a reply with what has arrived before it.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="taken">Is given the events that are new, in order.</param>
    /// <returns>False: something is missing before what came; subscribe again from the position.</returns>
    public bool Reply(SubscribeReply reply, List<TopicEvent> taken)
    {
        if (Position is null || reply.Recovery is Recovery.Gap or Recovery.NewEpoch)
        {
            // A rewind begins before its first event.
            Position = reply.Events.Count > 0 ? new Position(reply.Events[0].Epoch, reply.Events[0].Offset!.Value - 1) : reply.Position;
        }

        if (reply.More)
        {
            return Take(reply.Events, taken);
        }

        var held = _held ?? [];
        _held = null;
        return Take(reply.Events, taken) && Take(held, taken);
    }

    /// <summary>Events as they come.</summary>
    /// <inheritdoc cref="Reply" path="/param|/returns"/>
    public bool Arrive(TopicEvent arrived, List<TopicEvent> taken)
    {
        if (_held is null)
        {
            return Take(arrived, taken);
        }

        _held.Add(arrived);
        return true;
    }

    private bool Take(IReadOnlyList<TopicEvent> events, List<TopicEvent> taken)
    {
        foreach (var next in events)
        {
            if (!Take(next, taken))
            {
                return false;
            }
        }

        return true;
    }

    private bool Take(TopicEvent next, List<TopicEvent> taken)
    {
        if (next.Position is not { } at)
        {
            taken.Add(next);
            return true;
        }

        var last = Position ?? Protocol.Position.Origin;
        var isSameLog = last == Protocol.Position.Origin || at.Epoch == last.Epoch;
        if (isSameLog && at.Offset <= last.Offset)
        {
            return true;
        }

        if (!isSameLog || (at.Offset != last.Offset + 1 && !jumps))
        {
            return false;
        }

        taken.Add(next);
        Position = at;
        return true;
    }
}
