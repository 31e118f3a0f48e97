using System.Buffers;
using System.Net.Sockets;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>
/// The one queue below everything that is written to a client: events, answers, pings, the farewell. A frame leaves in the caller's
/// thread where the socket takes it at once; those that come meanwhile wait in order, and leave together in one write.
/// </summary>
/// <remarks>
/// It bounds nothing by itself: who writes waits for its frame before the next, so there are as many as there are writers, which
/// are the connection's <see cref="Outbound"/>, the hub, and what reads frames. A write ends with the connection at the latest.
/// </remarks>
/// <param name="socket">Where nothing sits between the connection and its socket: frames go there. Null: they go through the stream.</param>
/// <param name="stream">What the upgrade gave.</param>
/// <param name="time">Measures how long a client takes.</param>
internal sealed class SocketWriter(Socket? socket, Stream stream, TimeProvider time)
{
    private const int HeldBytes = 4096;

    private readonly Lock _lock = new();
    private long _waitsSince;

    // Under the lock.
    private Queue<Waiting>? _waiting;
    private byte[]? _held;
    private int _heldBytes;
    private bool _isHolding;
    private bool _isWriting;
    private Exception? _failure;

    public bool IsDirect => socket is not null;

    /// <summary>How long what is being written has waited for the client to read.</summary>
    public TimeSpan Delay => Volatile.Read(ref _waitsSince) is var since and not 0 ? time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <param name="frame">Not changed before it is written.</param>
    /// <exception cref="IOException">The connection has ended.</exception>
    /// <exception cref="SocketException">The same.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> frame)
    {
        lock (_lock)
        {
            if (_failure is not null)
            {
                return ValueTask.FromException(new IOException("The connection has ended.", _failure));
            }

            if (_isHolding && TryHold_NeedsLock(frame.Span))
            {
                return default;
            }

            if (_isWriting)
            {
                return new ValueTask(Wait_NeedsLock(frame));
            }

            _isWriting = true;
        }

        var sending = SendAsync(frame);
        if (!sending.IsCompletedSuccessfully)
        {
            return FinishAsync(sending);
        }

        if (TakeWaiting() is { } next)
        {
            _ = WriteWaitingAsync(next);
        }

        return default;
    }

    /// <summary>
    /// Keeps what is written from now on until <see cref="Release"/>, some small frames, so that they leave together. While something
    /// is being written this has no effect: what comes waits in any case.
    /// </summary>
    public void Hold()
    {
        lock (_lock)
        {
            if (!_isWriting)
            {
                (_isWriting, _isHolding) = (true, true);
            }
        }
    }

    /// <summary>Writes what was kept, if anything was; waits for nobody.</summary>
    public void Release()
    {
        byte[] held;
        int bytes;
        lock (_lock)
        {
            if (!_isHolding)
            {
                return;
            }

            _isHolding = false;
            if (_held is null)
            {
                _isWriting = false;
                return;
            }

            (held, bytes, _held, _heldBytes) = (_held, _heldBytes, null, 0);
        }

        var sending = SendAsync(held.AsMemory(0, bytes));
        if (!sending.IsCompletedSuccessfully)
        {
            _ = FinishHeldAsync(sending, held);
            return;
        }

        ArrayPool<byte>.Shared.Return(held);
        if (TakeWaiting() is { } next)
        {
            _ = WriteWaitingAsync(next);
        }
    }

    /// <summary>Fails with nothing: who comes next is told.</summary>
    private async Task FinishHeldAsync(ValueTask sending, byte[] held)
    {
        try
        {
            await FinishAsync(sending);
        }
        catch (Exception exception) when (_failure == exception)
        {
            // The connection has ended.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(held);
        }
    }

    /// <summary>False: it is too much to be kept; what there is leaves first, and this after it.</summary>
    private bool TryHold_NeedsLock(ReadOnlySpan<byte> frame)
    {
        if (_heldBytes + frame.Length > HeldBytes)
        {
            _isHolding = false;
            if (_held is null)
            {
                _isWriting = false;
            }
            else
            {
                _ = Wait_NeedsLock(_held.AsMemory(0, _heldBytes));
                (_held, _heldBytes) = (null, 0);
                _ = Background.Run(() => WriteWaitingAsync(TakeWaiting()));
            }

            return false;
        }

        frame.CopyTo((_held ??= ArrayPool<byte>.Shared.Rent(HeldBytes)).AsSpan(_heldBytes));
        _heldBytes += frame.Length;
        return true;
    }

    private Task Wait_NeedsLock(ReadOnlyMemory<byte> frame)
    {
        var waiting = new Waiting(frame);
        (_waiting ??= new Queue<Waiting>()).Enqueue(waiting);
        return waiting.Task;
    }

    private async ValueTask FinishAsync(ValueTask sending)
    {
        await WaitAsync(sending);
        if (TakeWaiting() is { } next)
        {
            _ = WriteWaitingAsync(next);
        }
    }

    /// <summary>Fails with nothing: those who wait are told.</summary>
    private async Task WriteWaitingAsync(Waiting[]? frames)
    {
        for (; frames is not null; frames = TakeWaiting())
        {
            try
            {
                await WriteTogetherAsync(frames);
            }
            catch (Exception exception)
            {
                Array.ForEach(frames, frame => frame.SetException(exception));
                return;
            }

            Array.ForEach(frames, static frame => frame.SetResult());
        }
    }

    private async ValueTask WriteTogetherAsync(Waiting[] frames)
    {
        if (frames is [var one])
        {
            await WaitAsync(SendAsync(one.Frame));
            return;
        }

        var length = frames.Sum(static frame => frame.Frame.Length);
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var at = 0;
            foreach (var waiting in frames)
            {
                waiting.Frame.CopyTo(buffer.AsMemory(at));
                at += waiting.Frame.Length;
            }

            await WaitAsync(SendAsync(buffer.AsMemory(0, length)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Waits for the client to read. A write that fails may have ended in the middle of a frame: no other can follow.</summary>
    private async ValueTask WaitAsync(ValueTask sending)
    {
        Volatile.Write(ref _waitsSince, time.GetTimestamp());
        try
        {
            await sending;
        }
        catch (Exception exception)
        {
            Fail(exception);
            throw;
        }
        finally
        {
            Volatile.Write(ref _waitsSince, 0);
        }
    }

    private void Fail(Exception exception)
    {
        Queue<Waiting>? waiting;
        lock (_lock)
        {
            _failure = exception;
            (waiting, _waiting) = (_waiting, null);
        }

        while (waiting is not null && waiting.TryDequeue(out var frame))
        {
            frame.SetException(new IOException("The connection has ended.", exception));
        }
    }

    /// <summary>All that waits; if there is none, nothing is being written any more.</summary>
    private Waiting[]? TakeWaiting()
    {
        lock (_lock)
        {
            if (_waiting is not { Count: > 0 } waiting)
            {
                _isWriting = false;
                return null;
            }

            var taken = waiting.ToArray();
            waiting.Clear();
            return taken;
        }
    }

    /// <summary>Throws nothing by itself, so that failures are met in one place.</summary>
    private ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            if (socket is null)
            {
                return stream.WriteAsync(bytes);
            }

            var sending = socket.SendAsync(bytes, SocketFlags.None);
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

    /// <summary>A frame that waits; completes when it is written.</summary>
    private sealed class Waiting(ReadOnlyMemory<byte> frame) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public ReadOnlyMemory<byte> Frame => frame;
    }
}
