using System.Threading.Channels;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>What a feed is told: an event, or else the log's tip.</summary>
/// <param name="Event">The event.</param>
/// <param name="Tip">The tip.</param>
/// <param name="AsOf">The feed's last offset before the log was asked for its tip.</param>
internal readonly record struct FeedInput(EncodedEvent? Event, Position Tip, long AsOf);

/// <summary>
/// What waits for a feed's loop, bounded in number and bytes, and the bell that calls it. A full one refuses: the sequence then sees
/// a hole and reads the log.
/// </summary>
internal sealed class FeedQueue(TimeProvider time)
{
    private const int Length = 10_000;
    private const int Bytes = 16 * 1024 * 1024;

    private readonly Channel<FeedInput> _inputs = Channel.CreateBounded<FeedInput>(new BoundedChannelOptions(Length) { SingleReader = true });

    private readonly ByteBudget _bytes = new(Bytes);

    // Rung for whatever is in the queue, and for its end.
    private readonly Doorbell _bell = new();

    /// <summary>Closed, and everything has been taken.</summary>
    public bool IsOver => _inputs.Reader.Completion.IsCompleted;

    /// <summary>False: it is full, or closed.</summary>
    /// <param name="posted">The event.</param>
    /// <param name="lendThread">Lets the loop go on in the caller's thread.</param>
    public bool TryPost(EncodedEvent posted, bool lendThread)
    {
        if (!_bytes.TryTake(posted.Json.Length))
        {
            return false;
        }

        if (!_inputs.Writer.TryWrite(new FeedInput(posted, default, 0)))
        {
            _bytes.Release(posted.Json.Length);
            return false;
        }

        _bell.Ring(lendThread);
        return true;
    }

    /// <inheritdoc cref="TopicFeed.PostTip"/>
    public void PostTip(Position tip, long asOf)
    {
        if (_inputs.Writer.TryWrite(new FeedInput(null, tip, asOf)))
        {
            _bell.Ring(lendThread: false);
        }
    }

    public bool TryTake(out FeedInput input)
    {
        if (!_inputs.Reader.TryRead(out input))
        {
            return false;
        }

        _bytes.Release(input.Event?.Json.Length ?? 0);
        return true;
    }

    public void Close()
    {
        _inputs.Writer.TryComplete();
        _bell.Ring(lendThread: false);
    }

    /// <summary>Until the bell rings. Where it has rung already others have their turn first, and whoever lent his thread has it back.</summary>
    /// <param name="gathering">So long more may come, where something has.</param>
    public async ValueTask RestAsync(TimeSpan gathering)
    {
        var waiting = _bell.WaitAsync();
        if (waiting.IsCompleted && gathering > TimeSpan.Zero)
        {
            await Task.Delay(gathering, time);
        }
        else if (waiting.IsCompleted)
        {
            await Task.Yield();
        }

        await waiting;
    }

    /// <inheritdoc cref="RestAsync(TimeSpan)"/>
    /// <param name="gathering">So long more may come, where something has.</param>
    /// <param name="limit">Or until so much time has gone.</param>
    public async ValueTask RestAsync(TimeSpan gathering, TimeSpan limit)
    {
        await using var over = time.CreateTimer(static bell => ((Doorbell)bell!).Ring(lendThread: false), _bell, limit, Timeout.InfiniteTimeSpan);
        await RestAsync(gathering);
    }
}
