using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Support;

/// <summary>
/// SignalR's wire from the other side: the first connection is closed with an error while a call is under way, the second
/// one has each of its calls answered.
/// </summary>
internal sealed class LeavingHub : IAsyncDisposable
{
    private const char RecordSeparator = '\u001e';

    private readonly WebApplication _app;
    private readonly string _farewell;
    private readonly string _answer;
    private int _connections;

    private LeavingHub(string farewell, string answer)
    {
        (_farewell, _answer) = (farewell, answer);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Run(async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await ServeAsync(socket, leaves: Interlocked.Increment(ref _connections) == 1);
        });
    }

    public Uri Address => new(_app.Urls.First());

    /// <summary>The argument of each call, as it came.</summary>
    public List<string> Calls { get; } = [];

    /// <param name="farewell">With what the first connection is closed.</param>
    /// <param name="answer">JSON that answers each call on another one.</param>
    public static async Task<LeavingHub> StartAsync(string farewell, string answer = "null")
    {
        var hub = new LeavingHub(farewell, answer);
        await hub._app.StartAsync();
        return hub;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task ServeAsync(WebSocket socket, bool leaves)
    {
        var stopping = _app.Lifetime.ApplicationStopping;
        var buffer = new byte[1024 * 1024];
        var length = 0;
        while (await socket.ReceiveAsync(buffer.AsMemory(length), stopping) is { MessageType: not WebSocketMessageType.Close } read)
        {
            length += read.Count;
            if (!read.EndOfMessage)
            {
                continue;
            }

            var received = Encoding.UTF8.GetString(buffer, 0, length);
            length = 0;
            foreach (var text in received.Split(RecordSeparator, StringSplitOptions.RemoveEmptyEntries))
            {
                using var message = JsonDocument.Parse(text);
                if (AnswerTo(message.RootElement, leaves) is { } answer)
                {
                    await socket.SendAsync(Encoding.UTF8.GetBytes(answer + RecordSeparator), WebSocketMessageType.Text, endOfMessage: true, stopping);
                }
            }
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, stopping);
    }

    private string? AnswerTo(JsonElement message, bool leaves)
    {
        if (message.TryGetProperty("protocol", out _))
        {
            return "{}";
        }

        if (!message.TryGetProperty("invocationId", out var id))
        {
            return null;
        }

        lock (Calls)
        {
            Calls.Add(message.GetProperty("arguments").GetRawText());
        }

        return leaves
            ? $$"""{"type":7,"error":{{JsonSerializer.Serialize(_farewell)}}}"""
            : $$"""{"type":3,"invocationId":{{id.GetRawText()}},"result":{{_answer}}}""";
    }
}
