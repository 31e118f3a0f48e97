using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Http;

/// <summary>A connection that lives until the first thing comes: events, or a reason to ask again.</summary>
internal sealed class PollTransport : IConnectionTransport
{
    private readonly TaskCompletionSource<EventBatch?> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name => "poll";

    /// <summary>The first events; null when the time is over, or when there is another reason to answer.</summary>
    /// <exception cref="RealtimeException">The connection was closed, and to ask again does not help.</exception>
    public async Task<EventBatch?> WaitAsync(TimeSpan wait, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            return await _first.Task.WaitAsync(wait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    public async ValueTask SendEventsAsync(EventBatch events, CancellationToken cancellationToken)
    {
        if (!_first.TrySetResult(events))
        {
            // The answer is on its way. The next poll finds these in the log; until then they wait where their bytes are counted.
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
    }

    public ValueTask SendControlAsync(Control control, CancellationToken cancellationToken)
    {
        // A poll is over soon by itself.
        if (control.Type != Control.Retry)
        {
            _first.TrySetResult(null);
        }

        return ValueTask.CompletedTask;
    }

    public Task CloseAsync(ErrorCode reason)
    {
        // What asking again cannot help is told at once; otherwise the next poll tells how things are.
        if (!reason.Retryable)
        {
            _first.TrySetException(new RealtimeException(reason));
        }

        _first.TrySetResult(null);
        return Task.CompletedTask;
    }
}
