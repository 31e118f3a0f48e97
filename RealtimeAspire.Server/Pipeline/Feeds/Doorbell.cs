using System.Threading.Tasks.Sources;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>Wakes one loop, in the thread of whoever rings or in another. A ring that nobody waits for is kept; several are one.</summary>
internal sealed class Doorbell : IValueTaskSource
{
    private const int Quiet = 0;
    private const int Rung = 1;
    private const int Waiting = 2;

    private ManualResetValueTaskSourceCore<bool> _wait;
    private int _state;

    /// <param name="lendThread">Lets the loop go on in this thread until it waits again, for this or for something else.</param>
    public void Ring(bool lendThread)
    {
        if (Interlocked.Exchange(ref _state, Rung) == Waiting)
        {
            _wait.RunContinuationsAsynchronously = !lendThread;
            _wait.SetResult(true);
        }
    }

    /// <summary>Completes at once if there was a ring since the last time. Called by the loop alone.</summary>
    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Quiet, Rung) == Rung)
        {
            return default;
        }

        _wait.Reset();
        if (Interlocked.CompareExchange(ref _state, Waiting, Quiet) == Quiet)
        {
            return new ValueTask(this, _wait.Version);
        }

        Volatile.Write(ref _state, Quiet);
        return default;
    }

    void IValueTaskSource.GetResult(short token)
    {
        _wait.GetResult(token);
        // What is rung from here on is for the next time: the loop has yet to look.
        Volatile.Write(ref _state, Quiet);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);
}
