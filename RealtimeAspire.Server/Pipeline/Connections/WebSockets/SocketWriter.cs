using System.Net.Sockets;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>Writes frames to one client, one at a time, in the caller's thread where the socket takes them at once.</summary>
/// <param name="socket">Where nothing sits between the connection and its socket: frames go there. Null: they go through the stream.</param>
/// <param name="stream">What the upgrade gave.</param>
/// <param name="time">Measures how long a client takes.</param>
// Nobody asks the semaphore for its handle, and without one there is nothing to dispose of.
#pragma warning disable CA1001
internal sealed class SocketWriter(Socket? socket, Stream stream, TimeProvider time)
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _turn = new(1);
    private long _waitsSince;
    private volatile bool _isBroken;

    public bool IsDirect => socket is not null;

    /// <summary>How long the frame that is being written has waited for the client to read.</summary>
    public TimeSpan Waiting => Volatile.Read(ref _waitsSince) is var since and not 0 ? time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <param name="frame">Not changed before it is written.</param>
    /// <param name="cancellationToken">Ends the wait for the turn; and in the middle of a frame the connection, which can take no other then.</param>
    /// <exception cref="IOException">The connection has ended, here or in the middle of another frame.</exception>
    /// <exception cref="SocketException">The same.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (!_turn.Wait(0, CancellationToken.None))
        {
            return WriteInTurnAsync(frame, cancellationToken);
        }

        var sending = SendAsync(frame, cancellationToken);
        if (!sending.IsCompletedSuccessfully)
        {
            return FinishAsync(sending);
        }

        _turn.Release();
        return default;
    }

    private async ValueTask WriteInTurnAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        await FinishAsync(SendAsync(frame, cancellationToken));
    }

    private async ValueTask FinishAsync(ValueTask sending)
    {
        Volatile.Write(ref _waitsSince, time.GetTimestamp());
        try
        {
            await sending;
        }
        catch
        {
            _isBroken = true;
            throw;
        }
        finally
        {
            Volatile.Write(ref _waitsSince, 0);
            _turn.Release();
        }
    }

    /// <summary>Throws nothing by itself, so that the turn ends in one place.</summary>
    private ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (_isBroken)
        {
            return ValueTask.FromException(new IOException("The connection has ended in the middle of a frame."));
        }

        try
        {
            if (socket is null)
            {
                return stream.WriteAsync(frame, cancellationToken);
            }

            var sending = socket.SendAsync(frame, SocketFlags.None, cancellationToken);
            if (!sending.IsCompletedSuccessfully)
            {
                return new ValueTask(sending.AsTask());
            }

            sending.GetAwaiter().GetResult();
            return default;
        }
        catch (Exception exception)
        {
            return ValueTask.FromException(exception);
        }
    }
}
