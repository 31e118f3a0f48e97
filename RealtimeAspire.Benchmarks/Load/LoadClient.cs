using System.Buffers;
using System.Collections.Concurrent;
using System.Net.Security;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>One connection of the load: subscribes, publishes, and shows what comes in to whoever counts it.</summary>
internal sealed class LoadClient : IDisposable
{
    private static readonly TimeSpan ReplyLimit = TimeSpan.FromSeconds(30);

    private readonly Wire _wire;
    private readonly Action<ReadOnlySpan<byte>>? _scan;
    private readonly RawWebSocket _socket;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<byte[]>> _calls = new();
    private int _lastId;

    public LoadClient(Wire wire, Action<ReadOnlySpan<byte>>? scan)
    {
        (_wire, _scan) = (wire, scan);
        _socket = new RawWebSocket { Message = Read, Ended = End };
    }

    /// <summary>Called when the connection ends without having been dropped.</summary>
    public Action<LoadClient>? Lost { get; init; }

    public async Task ConnectAsync(Uri node, string token, ReceiveLoop loop, SslClientAuthenticationOptions trust)
    {
        await _socket.ConnectAsync(_wire.AddressOf(node, token), loop, trust);
        if (_wire.Hello is { } hello)
            _socket.Send(hello);
        else
            _opened.TrySetResult();
        await _opened.Task.WaitAsync(ReplyLimit, TimeProvider.System);
    }

    /// <summary>Returns the reply as it came, where the protocol has one with content.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="position">From where, as JSON; only for servers that know positions.</param>
    /// <param name="presence">What is told of who is there; only for servers that know that.</param>
    public Task<byte[]> SubscribeAsync(string topic, string? position = null, string? presence = null) =>
        CallAsync(id => Write(writer => _wire.WriteSubscribe(writer, id, topic, position, presence)), inline: false);

    /// <summary>Publishes and returns when the server has acknowledged it. Continues on the thread that receives.</summary>
    public Task PublishAsync(string topic, ReadOnlyMemory<byte> payload) =>
        CallAsync(id => Write(writer => _wire.WritePublish(writer, id, topic, payload.Span)), inline: true);

    /// <summary>Publishes without waiting for what the server says.</summary>
    public void Publish(string topic, ReadOnlySpan<byte> payload)
    {
        var writer = new ArrayBufferWriter<byte>(payload.Length + 256);
        _wire.WritePublish(writer, Interlocked.Increment(ref _lastId), topic, payload);
        _socket.Send(writer.WrittenSpan);
    }

    public void KeepAlive()
    {
        if (_wire.KeepAlive is { } message)
            _socket.Send(message);
    }

    public void Opened() => _opened.TrySetResult();

    public void Replied(int id, ReadOnlySpan<byte> message)
    {
        // Publishes that nobody waits for have no entry.
        if (_calls.TryRemove(id, out var call))
            call.TrySetResult(message.ToArray());
    }

    /// <summary>For protocols whose replies carry no id.</summary>
    public void RepliedToAll(ReadOnlySpan<byte> message)
    {
        foreach (var id in _calls.Keys)
            Replied(id, message);
    }

    public void Failed(int id, string reason)
    {
        if (_calls.TryRemove(id, out var call))
            call.TrySetException(new BenchmarkException($"The server refused a call: {reason}"));
    }

    public void Answer(ReadOnlySpan<byte> message) => _socket.Send(message);

    public void Dispose()
    {
        _socket.Dispose();
        FailAll("The connection was dropped.");
    }

    private async Task<byte[]> CallAsync(Action<int> send, bool inline)
    {
        var id = Interlocked.Increment(ref _lastId);
        var call = new TaskCompletionSource<byte[]>(inline ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[id] = call;
        send(id);
        return inline ? await call.Task : await call.Task.WaitAsync(ReplyLimit, TimeProvider.System);
    }

    private void Write(Action<IBufferWriter<byte>> write)
    {
        var writer = new ArrayBufferWriter<byte>(512);
        write(writer);
        _socket.Send(writer.WrittenSpan);
    }

    private void Read(ReadOnlySpan<byte> message)
    {
        _scan?.Invoke(message);
        _wire.Read(message, this);
    }

    private void End(string reason)
    {
        _opened.TrySetException(new BenchmarkException($"The server closed a connection while it was opened: {reason}"));
        FailAll($"The server closed a connection: {reason}");
        Lost?.Invoke(this);
    }

    private void FailAll(string reason)
    {
        foreach (var id in _calls.Keys)
        {
            if (_calls.TryRemove(id, out var call))
                call.TrySetException(new BenchmarkException(reason));
        }
    }
}
