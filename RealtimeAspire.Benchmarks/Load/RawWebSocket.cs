using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>
/// A WebSocket client that costs the generator little: a socket, a buffer, no task per message. It speaks to servers that it
/// trusts, so it checks nothing that it does not need.
/// </summary>
internal sealed class RawWebSocket : IDisposable
{
    private const int Continuation = 0, Text = 1, Close = 8, Ping = 9, Pong = 10;
    private const int FirstBuffer = 8 * 1024;

    // EAGAIN.
    private const int NothingThere = 11;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Lock _sending = new();
    private readonly byte[] _mask = RandomNumberGenerator.GetBytes(4);
    private readonly TaskCompletionSource _upgraded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _buffer = new byte[FirstBuffer];
    private SslStream? _tls;
    private int _start;
    private int _end;
    private ArrayBufferWriter<byte>? _fragments;
    private volatile bool _disposed;

    public required Action<ReadOnlySpan<byte>> Message { get; init; }

    /// <summary>The server has ended the connection, for this reason.</summary>
    public required Action<string> Ended { get; init; }

    /// <param name="address">Over TLS if this says https.</param>
    /// <param name="loop">Tells when there is something to read, without TLS.</param>
    /// <param name="trust">For TLS.</param>
    public async Task ConnectAsync(Uri address, ReceiveLoop loop, SslClientAuthenticationOptions trust)
    {
        // On loopback that takes no time, and a socket that has never waited asynchronously belongs to the loop alone.
        _socket.Connect(new IPEndPoint(IPAddress.Loopback, address.Port));
        if (address.Scheme == Uri.UriSchemeHttps)
        {
            _tls = new SslStream(new NetworkStream(_socket));
            await _tls.AuthenticateAsClientAsync(trust);
        }

        Write(Encoding.ASCII.GetBytes(
            $"GET {address.PathAndQuery} HTTP/1.1\r\nHost: {address.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(RandomNumberGenerator.GetBytes(16))}\r\n\r\n"));
        if (_tls is null)
            loop.Watch(_socket.SafeHandle, Receive);
        else
            _ = ReceiveOverTlsAsync(_tls); // Says itself how it ended.
        await _upgraded.Task;
    }

    /// <summary>One frame, one write.</summary>
    public void Send(ReadOnlySpan<byte> payload) => Send(Text, payload);

    public void Dispose()
    {
        _disposed = true;
        // Without lingering: thousands of connections that wait for their end would use the ports up.
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    private void Send(int opcode, ReadOnlySpan<byte> payload)
    {
        var frame = ArrayPool<byte>.Shared.Rent(payload.Length + 14);
        try
        {
            var header = payload.Length < 126 ? 2 : payload.Length <= ushort.MaxValue ? 4 : 10;
            frame[0] = (byte)(0x80 | opcode);
            frame[1] = (byte)(0x80 | (header == 2 ? payload.Length : header == 4 ? 126 : 127));
            if (header == 4)
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
            else if (header == 10)
                BinaryPrimitives.WriteUInt64BigEndian(frame.AsSpan(2), (ulong)payload.Length);
            _mask.CopyTo(frame.AsSpan(header));
            var masked = frame.AsSpan(header + 4, payload.Length);
            for (var i = 0; i < payload.Length; i++)
                masked[i] = (byte)(payload[i] ^ _mask[i & 3]);
            Write(frame.AsSpan(0, header + 4 + payload.Length));
        }
        catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
        {
            End(error.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_sending)
        {
            if (_tls is null)
                _socket.Send(bytes);
            else
                _tls.Write(bytes);
        }
    }

    private bool Receive()
    {
        try
        {
            var read = ReceiveLoop.Read(_socket.SafeHandle, _buffer.AsSpan(_end));
            return read < 0 && Marshal.GetLastPInvokeError() == NothingThere || Take(read);
        }
        catch (ObjectDisposedException)
        {
            // Dropped by the shape.
            return false;
        }
    }

    private async Task ReceiveOverTlsAsync(SslStream tls)
    {
        try
        {
            while (Take(await tls.ReadAsync(_buffer.AsMemory(_end))))
            {
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            End(error.Message);
        }
    }

    private bool Take(int read)
    {
        if (read <= 0)
        {
            End(read == 0 ? "end of stream" : $"error {Marshal.GetLastPInvokeError()} of recv");
            return false;
        }

        _end += read;
        if (_upgraded.Task.IsCompleted || TakeUpgrade())
            ReadFrames();
        return !_disposed;
    }

    /// <summary>Whether the response is there and frames follow.</summary>
    private bool TakeUpgrade()
    {
        var response = _buffer.AsSpan(0, _end);
        var headers = response.IndexOf("\r\n\r\n"u8);
        if (headers < 0)
            return false;
        var status = Encoding.ASCII.GetString(response[..response.IndexOf("\r\n"u8)]);
        if (!status.Contains(" 101 ", StringComparison.Ordinal))
        {
            _upgraded.TrySetException(new BenchmarkException($"The server refused a WebSocket: {status}"));
            return false;
        }

        _start = headers + 4;
        _upgraded.TrySetResult();
        return true;
    }

    private void ReadFrames()
    {
        while (_end - _start >= 2)
        {
            var waiting = _buffer.AsSpan(_start, _end - _start);
            var (header, length) = (2, (long)(waiting[1] & 0x7f));
            if (length == 126)
                (header, length) = (4, waiting.Length < 4 ? long.MaxValue : BinaryPrimitives.ReadUInt16BigEndian(waiting[2..]));
            else if (length == 127)
                (header, length) = (10, waiting.Length < 10 ? long.MaxValue : BinaryPrimitives.ReadInt64BigEndian(waiting[2..]));
            if (length == long.MaxValue || waiting.Length < header + length)
            {
                MakeRoom(length == long.MaxValue ? header : header + (int)length);
                return;
            }

            _start += header + (int)length;
            Handle(waiting[0], waiting.Slice(header, (int)length));
        }

        MakeRoom(2);
    }

    private void Handle(byte first, ReadOnlySpan<byte> payload)
    {
        var (opcode, final) = (first & 0x0f, (first & 0x80) != 0);
        switch (opcode)
        {
            case Ping:
                Send(Pong, payload);
                break;
            case Pong:
                break;
            case Close:
                End(payload.Length > 2 ? Encoding.UTF8.GetString(payload[2..]) : "closed by the server");
                break;
            case not Continuation when final:
                Message(payload);
                break;
            default:
                (_fragments ??= new ArrayBufferWriter<byte>()).Write(payload);
                if (final)
                {
                    Message(_fragments.WrittenSpan);
                    _fragments.ResetWrittenCount();
                }

                break;
        }
    }

    /// <summary>Moves what is not read yet to the front, into a larger buffer if it takes one.</summary>
    private void MakeRoom(int needed)
    {
        if (_start == _end)
            (_start, _end) = (0, 0);
        if (_end < _buffer.Length && _buffer.Length - _start >= needed)
            return;
        var target = needed > _buffer.Length ? new byte[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)needed)] : _buffer;
        _buffer.AsSpan(_start, _end - _start).CopyTo(target);
        (_buffer, _start, _end) = (target, 0, _end - _start);
    }

    private void End(string reason)
    {
        _upgraded.TrySetException(new BenchmarkException($"The server closed a connection during the WebSocket handshake: {reason}"));
        if (!_disposed)
            Ended(reason);
    }
}
