using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>What the hub writes: each flush is one frame. Holds a buffer only between the first byte and the end of the flush.</summary>
/// <param name="socket">Where frames go, with those of others in between.</param>
/// <param name="format">Of the frames, as the hub's protocol has it.</param>
internal sealed class HubWriter(SocketWriter socket, ITransferFormatFeature format) : PipeWriter
{
    private const int FirstBytes = 512;

    private byte[]? _buffer;
    private int _written;
    private volatile bool _isCompleted;
    private volatile bool _isStopped;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _written;

    public override Memory<byte> GetMemory(int sizeHint = 0) => Room(sizeHint).AsMemory(Frames.MaxHeader + _written);

    public override Span<byte> GetSpan(int sizeHint = 0) => Room(sizeHint).AsSpan(Frames.MaxHeader + _written);

    public override void Advance(int bytes) => _written += bytes;

    public override void CancelPendingFlush()
    {
        // A flush ends with the connection.
    }

    /// <summary>Nobody reads any more: what the hub goes on to write is dropped. May be called beside a write.</summary>
    public void Stop() => _isStopped = true;

    public override void Complete(Exception? exception = null)
    {
        _isCompleted = true;
        Return(Interlocked.Exchange(ref _buffer, null));
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_isCompleted || _buffer is not { } buffer)
        {
            return new ValueTask<FlushResult>(new FlushResult(isCanceled: false, _isCompleted));
        }

        if (_isStopped)
        {
            Complete();
            return new ValueTask<FlushResult>(new FlushResult(isCanceled: false, isCompleted: true));
        }

        var header = Frames.HeaderLength(_written);
        var frame = buffer.AsMemory(Frames.MaxHeader - header, header + _written);
        Frames.WriteHeader(frame.Span[..header], format.ActiveFormat is TransferFormat.Binary ? Opcode.Binary : Opcode.Text, _written);
        (_buffer, _written) = (null, 0);
        var writing = socket.WriteAsync(frame);
        if (!writing.IsCompletedSuccessfully)
        {
            return new ValueTask<FlushResult>(FinishAsync(writing, buffer).WaitAsync(cancellationToken));
        }

        Return(buffer);
        return default;
    }

    private async Task<FlushResult> FinishAsync(ValueTask writing, byte[] buffer)
    {
        try
        {
            await writing;
            return default;
        }
        catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException or OperationCanceledException)
        {
            // As a pipe says it: nobody reads any more.
            _isCompleted = true;
            return new FlushResult(isCanceled: false, isCompleted: true);
        }
        finally
        {
            Return(buffer);
        }
    }

    private byte[] Room(int sizeHint)
    {
        var used = Frames.MaxHeader + _written;
        var needed = used + Math.Max(sizeHint, 1);
        if (_buffer is not { } buffer)
        {
            return _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(needed, FirstBytes));
        }

        if (buffer.Length < needed)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(needed, buffer.Length * 2));
            buffer.AsSpan(0, used).CopyTo(_buffer);
            Return(buffer);
        }

        return _buffer;
    }

    private static void Return(byte[]? buffer)
    {
        if (buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
