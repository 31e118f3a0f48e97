using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>A client that does one thing as fast as it can, and comes back whenever it is thrown out.</summary>
/// <param name="node">Whom it attacks.</param>
/// <param name="token">As whom.</param>
internal sealed class Storm(Uri node, string token)
{
    private static readonly byte[] Handshake = "{\"protocol\":\"json\",\"version\":1}\u001e"u8.ToArray();

    /// <summary>A message of the hub that waits for no answer.</summary>
    public static byte[] Message(string target, object argument) =>
        Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { type = 1, target, arguments = new[] { argument } }, JsonSerializerOptions.Web) + "\u001e");

    /// <summary>Sends the same messages again and again over some connections.</summary>
    public Task SendAsync(int connections, byte[][] messages, CancellationToken over) =>
        Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => ConnectAndSendAsync(messages, over), CancellationToken.None)));

    /// <summary>Connects, and goes, again and again.</summary>
    public Task ConnectAsync(int atOnce, CancellationToken over) => SendAsync(atOnce, [], over);

    private async Task ConnectAndSendAsync(byte[][] messages, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            using var socket = new ClientWebSocket();
            try
            {
                await socket.ConnectAsync(new UriBuilder(node) { Scheme = "ws", Path = "/realtime", Query = $"access_token={token}" }.Uri, over);
                await socket.SendAsync(Handshake, WebSocketMessageType.Text, endOfMessage: true, over);
                var reading = ReadAsync(socket, over);
                for (var i = 0; messages.Length > 0 && !over.IsCancellationRequested; i++)
                {
                    await socket.SendAsync(messages[i % messages.Length], WebSocketMessageType.Text, endOfMessage: true, over);
                }

                socket.Abort();
                await reading;
            }
            catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or HttpRequestException or IOException)
            {
                // Refused, closed, or it is over.
            }
        }
    }

    /// <summary>So that it is not for its own slowness that it is held up.</summary>
    private static async Task ReadAsync(ClientWebSocket socket, CancellationToken over)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (socket.State == WebSocketState.Open)
            {
                await socket.ReceiveAsync(buffer, over);
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // It is over.
        }
    }
}
