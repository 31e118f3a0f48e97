using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Support;

/// <summary>SignalR's wire, by hand.</summary>
internal sealed class RawHub : IDisposable
{
    private const char RecordSeparator = '\u001e';
    private const int Invocation = 1;
    private const int Completion = 3;

    private readonly ClientWebSocket _socket = new();
    private readonly StringBuilder _unread = new();
    private int _invocations;

    private RawHub()
    {
    }

    /// <summary>The events that came while something else was waited for.</summary>
    public List<TopicEvent> Events { get; } = [];

    /// <summary>And the control messages.</summary>
    public List<Control> Controls { get; } = [];

    /// <summary>And the calls to be handled.</summary>
    public Queue<IncomingCall> Calls { get; } = new();

    public static async Task<RawHub> ConnectAsync(Uri node, string token)
    {
        var hub = new RawHub();
        var address = new UriBuilder(node) { Scheme = "ws", Path = "/realtime", Query = $"access_token={token}" };
        await hub._socket.ConnectAsync(address.Uri, TestContext.Current.CancellationToken);
        await hub.SendAsync("""{"protocol":"json","version":1}""");
        Assert.Equal("{}", (await hub.ReadAsync())!.RootElement.GetRawText());
        return hub;
    }

    /// <summary>Calls a method with one argument and gives what it answers.</summary>
    /// <exception cref="RealtimeException">The error it answers with.</exception>
    public async Task<JsonElement> InvokeAsync(string method, object argument)
    {
        var id = (++_invocations).ToString(CultureInfo.InvariantCulture);
        await SendAsync(JsonSerializer.Serialize(new { type = Invocation, invocationId = id, target = method, arguments = new[] { argument } }, JsonSerializerOptions.Web));
        while (await NextAsync() is { } message)
        {
            if (message.GetProperty("type").GetInt32() != Completion || message.GetProperty("invocationId").GetString() != id)
                continue;
            if (message.TryGetProperty("error", out var error))
                throw ToException(error.GetString()!);
            return message.TryGetProperty("result", out var result) ? result : default;
        }

        throw new InvalidOperationException("The server has closed the connection.");
    }

    public async Task<T> InvokeAsync<T>(string method, object argument) => (await InvokeAsync(method, argument)).Deserialize<T>(Wire)!;

    /// <summary>Reads on until there are so many events; fails when none comes for 20 s.</summary>
    public async Task<IReadOnlyList<TopicEvent>> EventsAsync(int count)
    {
        while (Events.Count < count)
            Assert.NotNull(await NextAsync());
        return Events;
    }

    /// <summary>Reads on until there is a call to be handled.</summary>
    public async Task<IncomingCall> CallAsync()
    {
        while (Calls.Count == 0)
            Assert.NotNull(await NextAsync());
        return Calls.Dequeue();
    }

    /// <summary>Calls a method and does not wait for what it answers.</summary>
    public Task SendAsync(string method, object argument) =>
        SendAsync(JsonSerializer.Serialize(new { type = Invocation, target = method, arguments = new[] { argument } }, JsonSerializerOptions.Web));

    /// <summary>Reads on until there is a control message of a type.</summary>
    public async Task<Control> ControlAsync(string type)
    {
        while (true)
        {
            if (Controls.Find(control => control.Type == type) is { } found)
                return found;
            Assert.NotNull(await NextAsync());
        }
    }

    private static JsonSerializerOptions Wire { get; } = MakeWire();

    private static JsonSerializerOptions MakeWire()
    {
        var options = new JsonSerializerOptions();
        RealtimeJson.Configure(options);
        return options;
    }

    private static RealtimeException ToException(string error)
    {
        var parts = error[(error.IndexOf("HubException: ", StringComparison.Ordinal) + "HubException: ".Length)..].Split(": ", 2);
        return new RealtimeException(ErrorCode.Find(parts[0]), parts[1]);
    }

    /// <summary>The next message, with what the server calls on its client put aside.</summary>
    private async Task<JsonElement?> NextAsync()
    {
        if (await ReadAsync() is not { } read)
            return null;
        var message = read.RootElement;
        if (message.GetProperty("type").GetInt32() == Invocation)
        {
            var argument = message.GetProperty("arguments")[0];
            switch (message.GetProperty("target").GetString())
            {
                case "Events":
                    Events.AddRange(argument.Deserialize<TopicEvent[]>(Wire)!);
                    break;
                case "Request":
                    Calls.Enqueue(argument.Deserialize<IncomingCall>(Wire)!);
                    break;
                default:
                    Controls.Add(argument.Deserialize<Control>(Wire)!);
                    break;
            }
        }

        return message;
    }

    public async Task SendAsync(string message)
    {
        var bytes = Encoding.UTF8.GetBytes(message + RecordSeparator);
        await _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);
    }

    /// <summary>The next message; null when the server has closed.</summary>
    public async Task<JsonDocument?> ReadAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var text = _unread.ToString();
            var end = text.IndexOf(RecordSeparator, StringComparison.Ordinal);
            if (end >= 0)
            {
                _unread.Remove(0, end + 1);
                return JsonDocument.Parse(text[..end]);
            }

            WebSocketReceiveResult read;
            try
            {
                read = await _socket.ReceiveAsync(buffer, patience.Token);
            }
            catch (WebSocketException)
            {
                return null;
            }

            if (read.MessageType is WebSocketMessageType.Close)
            {
                return null;
            }

            _unread.Append(Encoding.UTF8.GetString(buffer, 0, read.Count));
        }
    }

    /// <summary>The next message of a type that is not a ping or an event.</summary>
    public async Task<JsonElement?> ReadAsync(params int[] types)
    {
        while (await ReadAsync() is { } message)
        {
            if (types.Contains(message.RootElement.GetProperty("type").GetInt32()))
            {
                return message.RootElement;
            }
        }

        return null;
    }

    public void Dispose() => _socket.Dispose();
}
