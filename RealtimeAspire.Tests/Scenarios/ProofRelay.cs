using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A way to a node on which nothing of what the node sends moves on while it is paused.</summary>
internal sealed class ProofRelay : IAsyncDisposable
{
    // Small, so that what is not read soon weighs on the node.
    private const int SocketBytes = 16 * 1024;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _node;
    private readonly ConcurrentBag<TcpClient> _sockets = [];
    private readonly ConcurrentBag<Task> _pumps = [];
    private readonly Task _accepting;
    private volatile TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProofRelay(Uri node)
    {
        _node = node;
        _open.SetResult();
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    public void Pause() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume() => _open.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        Resume();
        _listener.Dispose();
        await _accepting;
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }

        await Task.WhenAll(_pumps);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                var node = new TcpClient { ReceiveBufferSize = SocketBytes };
                _sockets.Add(client);
                _sockets.Add(node);
                await node.ConnectAsync(_node.Host, _node.Port);
                _pumps.Add(PumpAsync(client, node, () => Task.CompletedTask));
                _pumps.Add(PumpAsync(node, client, () => _open.Task));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    /// <summary>Until one side ends; then the other one does too.</summary>
    private static async Task PumpAsync(TcpClient from, TcpClient to, Func<Task> open)
    {
        var buffer = new byte[SocketBytes];
        try
        {
            while (true)
            {
                await open();
                var read = await from.GetStream().ReadAsync(buffer);
                if (read == 0)
                {
                    break;
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // One side has hung up.
        }

        from.Dispose();
        to.Dispose();
    }
}
