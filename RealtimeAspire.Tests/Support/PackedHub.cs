using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Support;

/// <summary>SignalR's wire in MessagePack, by hand.</summary>
internal sealed class PackedHub : IDisposable
{
    private const long Invocation = 1;
    private const long Completion = 3;
    private const long Close = 7;
    private const long ErrorResult = 1;
    private const byte RecordSeparator = 0x1e;

    private readonly ClientWebSocket _socket = new();
    private List<byte> _unread = [];
    private int _invocations;

    private PackedHub()
    {
    }

    /// <summary>The events that came while something else was waited for, as they came.</summary>
    public List<object?> Events { get; } = [];

    /// <summary>And the control messages.</summary>
    public List<Dictionary<string, object?>> Controls { get; } = [];

    /// <summary>And the calls to be handled.</summary>
    public Queue<Dictionary<string, object?>> Calls { get; } = new();

    public static async Task<PackedHub> ConnectAsync(Uri node, string token, string query = "")
    {
        var hub = new PackedHub();
        var address = new UriBuilder(node) { Scheme = "ws", Path = "/realtime", Query = $"access_token={token}{query}" };
        await hub._socket.ConnectAsync(address.Uri, TestContext.Current.CancellationToken);
        await hub.SendBytesAsync([.. """{"protocol":"messagepack","version":1}"""u8, RecordSeparator]);
        while (!hub._unread.Contains(RecordSeparator))
        {
            Assert.True(await hub.ReceiveAsync());
        }

        Assert.Equal("{}", Encoding.UTF8.GetString([.. hub._unread.TakeWhile(next => next != RecordSeparator)]));
        hub._unread = [.. hub._unread.SkipWhile(next => next != RecordSeparator).Skip(1)];
        return hub;
    }

    /// <summary>Calls a method with one argument and gives what it answers.</summary>
    /// <exception cref="RealtimeException">The error it answers with.</exception>
    public async Task<object?> InvokeAsync(string method, object? argument)
    {
        var id = (++_invocations).ToString(CultureInfo.InvariantCulture);
        await SendAsync(Packed.Write(new object?[] { Invocation, new { }, id, method, new[] { argument }, Array.Empty<object?>() }));
        return await CompletionAsync(id) is var answer && answer is RealtimeException error ? throw error : answer;
    }

    /// <summary>What an invocation is answered; an error as the exception.</summary>
    public async Task<object?> CompletionAsync(string id)
    {
        while (await NextAsync() is { } message)
        {
            if (Equals(message[0], Completion) && Equals(message[2], id))
            {
                return Equals(message[3], ErrorResult) ? ToException((string)message[4]!) : message.ElementAtOrDefault(4);
            }
        }

        throw new InvalidOperationException("The server has closed the connection.");
    }

    /// <summary>One that answers with an object.</summary>
    public async Task<Dictionary<string, object?>> AskAsync(string method, object? argument) =>
        Assert.IsType<Dictionary<string, object?>>(await InvokeAsync(method, argument));

    /// <summary>Reads on until there are so many events.</summary>
    public async Task<IReadOnlyList<object?>> EventsAsync(int count)
    {
        while (Events.Count < count)
        {
            Assert.NotNull(await NextAsync());
        }

        return Events;
    }

    /// <summary>Reads on until there is a call to be handled.</summary>
    public async Task<Dictionary<string, object?>> CallAsync()
    {
        while (Calls.Count == 0)
        {
            Assert.NotNull(await NextAsync());
        }

        return Calls.Dequeue();
    }

    /// <summary>Reads on until there is a control message of a type.</summary>
    public async Task<Dictionary<string, object?>> ControlAsync(string type)
    {
        while (true)
        {
            if (Controls.Find(control => Equals(control["type"], type)) is { } found)
            {
                return found;
            }

            Assert.NotNull(await NextAsync());
        }
    }

    /// <summary>Reads on until the server says farewell: its reason, and whether to come again.</summary>
    public async Task<(string Error, bool Again)> FarewellAsync()
    {
        while (await NextAsync() is { } message)
        {
            if (Equals(message[0], Close))
            {
                return ((string)message[1]!, (bool)message[2]!);
            }
        }

        throw new InvalidOperationException("The server has closed the connection without a word.");
    }

    public Task SendAsync(ReadOnlyMemory<byte> message) => SendBytesAsync(Packed.Frame(message.Span));

    public async Task SendBytesAsync(byte[] bytes) =>
        await _socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, TestContext.Current.CancellationToken);

    public void Dispose() => _socket.Dispose();

    private static RealtimeException ToException(string error)
    {
        const string Marker = "HubException: ";
        var start = error.IndexOf(Marker, StringComparison.Ordinal);
        Assert.True(start >= 0, error);
        var parts = error[(start + Marker.Length)..].Split(": ", 2);
        return new RealtimeException(ErrorCode.Find(parts[0]), parts[1]);
    }

    /// <summary>The next message, with what the server calls on its client put aside; null when it has closed.</summary>
    private async Task<object?[]?> NextAsync()
    {
        byte[]? read;
        while ((read = Take()) is null)
        {
            if (!await ReceiveAsync())
            {
                return null;
            }
        }

        var message = Assert.IsType<object?[]>(Packed.Read(read));
        if (Equals(message[0], Invocation))
        {
            var argument = Assert.IsType<object?[]>(message[4])[0];
            switch (message[3])
            {
                case "Events":
                    Events.AddRange(Assert.IsType<object?[]>(argument));
                    break;
                case "Request":
                    Calls.Enqueue(Assert.IsType<Dictionary<string, object?>>(argument));
                    break;
                default:
                    Controls.Add(Assert.IsType<Dictionary<string, object?>>(argument));
                    break;
            }
        }

        return message;
    }

    private byte[]? Take()
    {
        var (length, prefix) = (0, 0);
        do
        {
            if (prefix == _unread.Count)
            {
                return null;
            }

            length |= (_unread[prefix] & 0x7f) << (7 * prefix);
        }
        while (_unread[prefix++] > 0x7f);

        if (_unread.Count < prefix + length)
        {
            return null;
        }

        var message = _unread.GetRange(prefix, length).ToArray();
        _unread.RemoveRange(0, prefix + length);
        return message;
    }

    private async Task<bool> ReceiveAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        var buffer = new byte[16 * 1024];
        try
        {
            var read = await _socket.ReceiveAsync(buffer, patience.Token);
            _unread.AddRange(buffer.AsSpan(0, read.Count));
            return read.MessageType is WebSocketMessageType.Binary;
        }
        catch (WebSocketException)
        {
            return false;
        }
    }
}
