using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>
/// One thread that waits for all connections at once and has each read what has come. System.Net.Sockets asks the kernel a
/// second time after every read, which is half of what a received message costs, so this asks epoll itself.
/// </summary>
internal sealed partial class ReceiveLoop
{
    private const int Add = 1, Remove = 2;
    private const uint Readable = 1;
    private const int DoNotWait = 0x40, Interrupted = 4, AtOnce = 256;

    // struct epoll_event: the events, and what was registered with them; packed on x64 only.
    private static readonly int Size = RuntimeInformation.ProcessArchitecture is Architecture.X64 ? 12 : 16;

    private readonly ConcurrentDictionary<int, (SafeHandle Socket, Func<bool> Read)> _connections = new();
    private readonly int _epoll = Checked(EpollCreate(0));

    /// <summary>Starts the thread, which ends with the process.</summary>
    public static ReceiveLoop Start()
    {
        var loop = new ReceiveLoop();
        new Thread(loop.Run) { IsBackground = true, Name = "receive" }.Start();
        return loop;
    }

    /// <param name="socket">A connected socket that nothing else reads from.</param>
    /// <param name="read">Called whenever there is something to read, until it returns false or the socket is closed.</param>
    public void Watch(SafeHandle socket, Func<bool> read)
    {
        var descriptor = (int)socket.DangerousGetHandle();
        _connections[descriptor] = (socket, read);
        Checked(EpollControl(_epoll, Add, socket, EventOf(descriptor)));
    }

    /// <summary>Reads what is there.</summary>
    /// <returns>How many bytes, 0 at the end of the stream; below 0: nothing was there, or the connection is broken.</returns>
    public static int Read(SafeHandle socket, Span<byte> buffer) => (int)Receive(socket, buffer, (nuint)buffer.Length, DoNotWait);

    private void Run()
    {
        var events = new byte[AtOnce * Size];
        while (true)
        {
            var count = EpollWait(_epoll, events, AtOnce, Timeout.Infinite);
            if (count < 0 && Marshal.GetLastPInvokeError() != Interrupted)
                Checked(count);
            for (var i = 0; i < count; i++)
            {
                // A descriptor that has got another owner meanwhile is read once for nothing.
                if (_connections.TryGetValue(BinaryPrimitives.ReadInt32LittleEndian(events.AsSpan((i * Size) + Size - 8)), out var connection) && !connection.Read())
                    Forget(connection.Socket);
            }
        }
    }

    private void Forget(SafeHandle socket)
    {
        try
        {
            _ = EpollControl(_epoll, Remove, socket, EventOf(0));
        }
        catch (ObjectDisposedException)
        {
            // Closing it has removed it already.
        }
    }

    private static byte[] EventOf(int descriptor)
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Readable);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Size - 8), descriptor);
        return bytes;
    }

    private static int Checked(int result) =>
        result >= 0 ? result : throw new BenchmarkException($"The load generator cannot wait for its connections: error {Marshal.GetLastPInvokeError()} of epoll.");

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int EpollControl(int epoll, int operation, SafeHandle socket, byte[] watched);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int EpollWait(int epoll, byte[] events, int most, int milliseconds);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint Receive(SafeHandle socket, Span<byte> buffer, nuint length, int flags);
}
