using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client.Transports;

/// <summary>A circuit breaker: where requests fail one after another, none is sent for a while, and then one that shows whether it is better.</summary>
internal sealed class Breaker(int failures, TimeSpan pause, TimeProvider time)
{
    private readonly Lock _lock = new();

    // Under the lock.
    private int _failed;
    private long _openedAt;
    private bool _isTrying;

    /// <summary>Sends a request, unless it is not to be sent.</summary>
    /// <param name="send">Sends it.</param>
    /// <param name="givenUp">Whoever asked wants no answer any more, which says nothing about the server.</param>
    /// <exception cref="RealtimeException"><c>circuit_open</c>, or what the request fails with.</exception>
    public async Task<T> PassAsync<T>(Func<Task<T>> send, CancellationToken givenUp)
    {
        Enter();
        try
        {
            var answer = await send();
            Reset();
            return answer;
        }
        // Whatever it says, it answers.
        catch (RealtimeException exception) when (exception.Error != ErrorCode.Disconnected && exception.Error != ErrorCode.Internal)
        {
            Reset();
            throw;
        }
        catch
        {
            Fail(counts: !givenUp.IsCancellationRequested);
            throw;
        }
    }

    /// <summary>It may be better now.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            (_failed, _isTrying) = (0, false);
        }
    }

    private void Enter()
    {
        lock (_lock)
        {
            var isOpen = _failed >= failures;
            if (isOpen && (_isTrying || time.GetElapsedTime(_openedAt) < pause))
            {
                throw new RealtimeException(ClientErrors.CircuitOpen);
            }

            _isTrying = isOpen;
        }
    }

    private void Fail(bool counts)
    {
        lock (_lock)
        {
            _isTrying = false;
            if (counts)
            {
                (_failed, _openedAt) = (_failed + 1, time.GetTimestamp());
            }
        }
    }
}
