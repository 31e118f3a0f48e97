using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace RealtimeAspire.Tests.Support;

/// <summary>
/// Stands before a server of this machine and does to its connections what networks do. It forwards until told otherwise.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Pair, Task> _pairs = new();
    private readonly Task _accepting;
    private readonly int? _others;
    private volatile bool _isHole;
    private volatile bool _refuses;
    private volatile bool _blocksWebSockets;
    private volatile bool _holdsStreams;
    private volatile Weakness _weakness = new(TimeSpan.Zero, 0);
    private volatile int _target;

    private TcpProxy(int target, int? others = null)
    {
        (_target, _others) = (target, others);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The connections that there are, those in a black hole included.</summary>
    public int Connections => _pairs.Count;

    /// <summary>When each connection came, refused ones included, as timestamps of <see cref="TimeProvider.System"/>.</summary>
    public ConcurrentQueue<long> Arrivals { get; } = new();

    /// <param name="target">The port of the server.</param>
    public static TcpProxy Start(int target) => new(target);

    /// <summary>As two servers behind a round robin at its worst: what is asked for with GET is on one, all else on the other.</summary>
    /// <param name="gets">The port of the one.</param>
    /// <param name="others">The port of the other.</param>
    public static TcpProxy StartSplit(int gets, int others) => new(gets, others);

    /// <summary>Connections from now on go to another server; those that there are stay.</summary>
    public void Redirect(int target) => _target = target;

    /// <summary>Resets every connection.</summary>
    public void Cut()
    {
        foreach (var (pair, _) in _pairs)
        {
            pair.Dispose();
        }
    }

    /// <summary>Resets every connection from now on as soon as it is made; those that there are stay.</summary>
    public void BeginRefusing() => _refuses = true;

    public void EndRefusing() => _refuses = false;

    /// <summary>Resets every connection on which a WebSocket is asked for, as some networks do.</summary>
    public void BlockWebSockets() => _blocksWebSockets = true;

    public void LetWebSocketsThrough() => _blocksWebSockets = false;

    /// <summary>Holds back every stream of server-sent events, as proxies do that pass on an answer when it is whole.</summary>
    public void HoldStreams() => _holdsStreams = true;

    /// <summary>From now on bytes take their time, both ways.</summary>
    /// <param name="latency">Each piece takes up to twice as long; as on a bad network, no two alike.</param>
    /// <param name="bytesPerSecond">No more get through; 0: as many as come.</param>
    public void Weaken(TimeSpan latency, int bytesPerSecond = 0) => _weakness = new Weakness(latency, bytesPerSecond);

    /// <summary>The clients of the moment hear nothing any more; what they send is passed on.</summary>
    public void Deafen()
    {
        foreach (var (pair, _) in _pairs)
        {
            pair.IsDeafened = true;
        }
    }

    /// <summary>
    /// Takes what the connections of the moment send, both ways, and passes on nothing: to both ends they look well. New
    /// connections work.
    /// </summary>
    public void BlackHole() => Swallow(static _ => true);

    /// <summary>The same for connections on which Redis has been asked for a subscription.</summary>
    public void BlackHoleSubscriptions() => Swallow(static pair => pair.HasSubscribed);

    /// <summary>The same for all connections, those from now on included, until <see cref="EndBlackHole"/>.</summary>
    public void BeginBlackHole()
    {
        _isHole = true;
        BlackHole();
    }

    /// <summary>New connections work again. Those that were in the hole stay there: what they have sent is lost.</summary>
    public void EndBlackHole() => _isHole = false;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        await Task.WhenAll(_pairs.Values);
        _stopping.Dispose();
    }

    private void Swallow(Func<Pair, bool> which)
    {
        foreach (var (pair, _) in _pairs)
        {
            if (which(pair))
            {
                pair.IsSwallowed = true;
            }
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stopping.Token);
                Arrivals.Enqueue(TimeProvider.System.GetTimestamp());
                if (_refuses)
                {
                    client.Close(timeout: 0);
                    continue;
                }

                var pair = new Pair(client, this) { IsSwallowed = _isHole };
                _pairs[pair] = Task.CompletedTask;
                // Not where it has ended, and left, already.
                _pairs.TryUpdate(pair, ForwardAsync(pair), Task.CompletedTask);
            }
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            // Disposed; a listener that is stopped throws one thing or another.
        }
    }

    private async Task ForwardAsync(Pair pair)
    {
        try
        {
            await pair.RunAsync(_others is { } others && !await pair.BeginsWithGetAsync() ? others : _target);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Either end is gone, and takes the other with it.
        }
        finally
        {
            pair.Dispose();
            _pairs.TryRemove(pair, out _);
        }
    }

    private sealed record Weakness(TimeSpan Latency, int BytesPerSecond)
    {
        public TimeSpan TimeFor(int bytes) =>
            (Latency * 2 * Random.Shared.NextDouble()) + (BytesPerSecond == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds((double)bytes / BytesPerSecond));
    }

    private sealed class Pair(Socket client, TcpProxy proxy) : IDisposable
    {
        private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private volatile bool _isSwallowed;
        private volatile bool _isDeafened;
        private volatile bool _hasSubscribed;

        public bool IsSwallowed
        {
            get => _isSwallowed;
            set => _isSwallowed = value;
        }

        public bool IsDeafened
        {
            set => _isDeafened = value;
        }

        public bool HasSubscribed => _hasSubscribed;

        /// <summary>Leaves it to be read.</summary>
        public async Task<bool> BeginsWithGetAsync()
        {
            var first = new byte[1];
            return await client.ReceiveAsync(first, SocketFlags.Peek) == 1 && first[0] == 'G';
        }

        public async Task RunAsync(int target)
        {
            client.NoDelay = true;
            await _server.ConnectAsync(IPAddress.Loopback, target);
            var requests = CopyAsync(client, _server, isRequest: true);
            var replies = CopyAsync(_server, client, isRequest: false);
            await await Task.WhenAny(requests, replies);
            Dispose();
            await Task.WhenAll(requests, replies);
        }

        /// <summary>Both ends see a reset.</summary>
        public void Dispose()
        {
            client.Close(timeout: 0);
            _server.Close(timeout: 0);
        }

        private async Task CopyAsync(Socket from, Socket to, bool isRequest)
        {
            var buffer = new byte[64 * 1024];
            while (await from.ReceiveAsync(buffer) is > 0 and var count)
            {
                if (isRequest && !_hasSubscribed && buffer.AsSpan(0, count).IndexOf("SUBSCRIBE\r\n"u8) >= 0)
                {
                    _hasSubscribed = true;
                }

                if (isRequest && proxy._blocksWebSockets && buffer.AsSpan(0, count).IndexOf("Sec-WebSocket-Key"u8) >= 0)
                {
                    return;
                }

                if (isRequest && proxy._holdsStreams && buffer.AsSpan(0, count).IndexOf("GET /topics/stream"u8) >= 0)
                {
                    _isDeafened = true;
                }

                if (proxy._weakness.TimeFor(count) is var time && time > TimeSpan.Zero)
                {
                    await Task.Delay(time, TimeProvider.System);
                }

                for (var sent = 0; sent < count && !_isSwallowed && (isRequest || !_isDeafened);)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
                }
            }
        }
    }
}
