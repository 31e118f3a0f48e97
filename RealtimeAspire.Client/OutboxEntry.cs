using RealtimeAspire.Client.Stores;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>A publish in the outbox, and who waits for its answer.</summary>
/// <param name="item">The publish.</param>
/// <param name="addedAt">When it was published, on this process's clock.</param>
/// <param name="late">Told of its outcome, where nobody waits for it any more.</param>
internal sealed class OutboxEntry(OutboxItem item, long addedAt, Action<LateOutcome>? late)
{
    /// <summary>What is around a payload.</summary>
    private const int EnvelopeLength = 300;

    public OutboxItem Item => item;

    public long AddedAt => addedAt;

    public int Length { get; } = EnvelopeLength + LengthOf(item.Request.Payload.GetRawText());

    /// <summary>It was sent and has no answer: the server may have it.</summary>
    public bool WasAttempted { get; set; }

    /// <summary>As it was before the attempt that is under way.</summary>
    public bool WasAttemptedBefore { get; private set; }

    public void Attempt() => (WasAttemptedBefore, WasAttempted) = (WasAttempted, true);

    public TaskCompletionSource<PublishReply> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Succeed(PublishReply reply)
    {
        Answer.TrySetResult(reply);
        Tell(new LateOutcome(item, reply, null));
    }

    /// <param name="error">Why.</param>
    /// <param name="isOutcome">False: the next outbox takes it over.</param>
    public void Fail(RealtimeException error, bool isOutcome = true)
    {
        if (late is null)
        {
            Answer.TrySetException(error);
        }
        else if (isOutcome)
        {
            Tell(new LateOutcome(item, null, error));
        }
    }

    private void Tell(LateOutcome outcome)
    {
        if (late is not null)
        {
            Application.Tell(() => late(outcome));
        }
    }

    /// <summary>JSON escapes what is not ASCII: six bytes for each such character.</summary>
    private static int LengthOf(string json)
    {
        var length = json.Length;
        foreach (var character in json)
        {
            length += char.IsAscii(character) ? 0 : 5;
        }

        return length;
    }
}
