using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>A connection to the hub whose messages are bytes.</summary>
internal sealed class FuzzSocket : IDisposable
{
    private const int Completion = 3;
    private const int Close = 7;

    private readonly ClientWebSocket _socket = new();
    private readonly bool _isPacked;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly List<byte> _unread = [];
    private int _read;

    private FuzzSocket(bool isPacked) => _isPacked = isPacked;

    public bool IsOpen { get; private set; } = true;

    public static async Task<FuzzSocket> ConnectAsync(Uri node, bool isPacked)
    {
        var socket = new FuzzSocket(isPacked);
        var address = new UriBuilder(node) { Scheme = "ws", Path = "/realtime", Query = $"access_token={TestServer.Token("fuzz")}" };
        await socket._socket.ConnectAsync(address.Uri, TestContext.Current.CancellationToken);
        await socket.SendAsync(Encoding.UTF8.GetBytes($$"""{"protocol":"{{(isPacked ? "messagepack" : "json")}}","version":1}{{'\u001e'}}"""));
        Assert.Equal("{}", Encoding.UTF8.GetString((await socket.TakeAsync(isText: true))!));
        return socket;
    }

    /// <summary>False: the connection is gone.</summary>
    public async Task<bool> SendAsync(byte[] bytes)
    {
        try
        {
            await _socket.SendAsync(bytes, _isPacked ? WebSocketMessageType.Binary : WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);
            return true;
        }
        catch (WebSocketException)
        {
            return false;
        }
    }

    /// <summary>The next answer to an invocation, or the server's farewell; null when it has closed.</summary>
    public async Task<Answer?> NextAsync()
    {
        while (await TakeAsync(isText: !_isPacked) is { } message)
        {
            if ((_isPacked ? ReadPacked(message) : ReadText(message)) is { } answer)
            {
                return answer;
            }
        }

        IsOpen = false;
        return null;
    }

    /// <summary>Hangs up in good order, and waits until the server has too.</summary>
    public async Task EndAsync()
    {
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, TestContext.Current.CancellationToken);
        }
        catch (WebSocketException)
        {
            // The server was first.
        }

        while (await ReceiveAsync())
        {
            _unread.Clear();
        }
    }

    public void Dispose() => _socket.Dispose();

    private static Answer? ReadText(byte[] message)
    {
        using var parsed = JsonDocument.Parse(message);
        var root = parsed.RootElement;
        return root.GetProperty("type").GetInt32() switch
        {
            Completion => new Answer(root.GetProperty("invocationId").GetString(), root.TryGetProperty("error", out var error) ? error.GetString() : null),
            Close when root.TryGetProperty("error", out var reason) => new Answer(null, reason.GetString()),
            _ => null,
        };
    }

    private static Answer? ReadPacked(byte[] message)
    {
        var members = Assert.IsType<object?[]>(Packed.Read(message));
        return (int)(long)members[0]! switch
        {
            Completion => new Answer(members[2] as string, Equals(members[3], 1L) ? (string)members[4]! : null),
            Close when members[1] is string reason => new Answer(null, reason),
            _ => null,
        };
    }

    /// <summary>The next message; null when the server has closed.</summary>
    private async Task<byte[]?> TakeAsync(bool isText)
    {
        while (true)
        {
            var (start, end) = isText ? (_read, _unread.IndexOf(0x1e, _read)) : EndOfPacked();
            if (end >= 0)
            {
                var message = _unread.GetRange(start, end - start).ToArray();
                _read = isText ? end + 1 : end;
                return message;
            }

            _unread.RemoveRange(0, _read);
            _read = 0;
            if (!await ReceiveAsync())
            {
                return null;
            }
        }
    }

    private (int Start, int End) EndOfPacked()
    {
        var (length, at, shift) = (0, _read, 0);
        while (at < _unread.Count)
        {
            var next = _unread[at++];
            length |= (next & 0x7f) << shift;
            shift += 7;
            if (next < 0x80)
            {
                return (at, at + length <= _unread.Count ? at + length : -1);
            }
        }

        return (0, -1);
    }

    private async Task<bool> ReceiveAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            var read = await _socket.ReceiveAsync(_buffer, patience.Token);
            _unread.AddRange(_buffer.AsSpan(0, read.Count));
            return read.MessageType is not WebSocketMessageType.Close;
        }
        catch (WebSocketException)
        {
            return false;
        }
    }

    /// <summary>What the server says to an invocation, or at its end.</summary>
    /// <param name="Id">The invocation's; null: it closes.</param>
    /// <param name="Error">The error; null: there was none.</param>
    internal sealed record Answer(string? Id, string? Error);
}
