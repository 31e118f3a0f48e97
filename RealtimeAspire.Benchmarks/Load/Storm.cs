using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>What a hostile client does.</summary>
internal enum StormKind
{
    Publishes,
    LargePayloads,
    PayloadsTooLarge,
    Subscribes,
    Pages,
    Calls,
    Connects,
}

/// <summary>What a storm is told, on its standard input.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Node">To whom.</param>
/// <param name="Token">As whom.</param>
/// <param name="Topic">On which topic, and on others whose names begin so.</param>
internal sealed record StormOrder(StormKind Kind, Uri Node, string Token, string Topic);

/// <summary>A client that does one thing as fast as it can, and comes back whenever it is thrown out.</summary>
internal sealed class Storm(StormOrder order)
{
    /// <summary>Starts this executable as one; it rages until it is killed.</summary>
    public const string Command = "storm";

    private const int Connections = 4;
    private const int ConnectsAtOnce = 16;
    private const int Topics = 50;
    private const int PayloadBytes = 60_000;

    private static readonly byte[] Handshake = "{\"protocol\":\"json\",\"version\":1}\u001e"u8.ToArray();

    public static async Task<int> RunAsync()
    {
        var order = JsonSerializer.Deserialize<StormOrder>(await Console.In.ReadLineAsync() ?? "", JsonSerializerOptions.Web)!;
        await new Storm(order).RageAsync(CancellationToken.None);
        return 0;
    }

    public static string NameOf(StormKind kind) => kind switch
    {
        StormKind.Publishes => "publishes",
        StormKind.LargePayloads => "publishes of 60 KB",
        StormKind.PayloadsTooLarge => "publishes of 120 KB, which are refused",
        StormKind.Subscribes => "subscribes",
        StormKind.Pages => "pages of the past",
        StormKind.Calls => "calls",
        _ => "connects",
    };

    /// <summary>Until it is over.</summary>
    public Task RageAsync(CancellationToken over)
    {
        byte[][] messages = order.Kind switch
        {
            StormKind.Publishes => [Message("Publish", Event("x"))],
            StormKind.LargePayloads => [Message("Publish", Event(new string('x', PayloadBytes)))],
            StormKind.PayloadsTooLarge => [Message("Publish", Event(new string('x', PayloadBytes * 2)))],
            StormKind.Subscribes =>
                [.. Enumerable.Range(0, Topics).Select(i => $"{order.Topic}-{i}").SelectMany(topic => new[] { Message("Subscribe", new { topic }), Message("Unsubscribe", topic) })],
            StormKind.Pages => [Message("History", new { topic = order.Topic, limit = 1_000 })],
            StormKind.Calls => [Message("Call", new { topic = order.Topic, method = "nothing" })],
            _ => [],
        };
        var connections = order.Kind is StormKind.Connects ? ConnectsAtOnce : Connections;
        return Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => ConnectAndSendAsync(messages, over), CancellationToken.None)));
    }

    private object Event(string payload) => new { topic = order.Topic, @event = "app:x", payload };

    /// <summary>A message of the hub that waits for no answer.</summary>
    private static byte[] Message(string target, object argument) =>
        Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { type = 1, target, arguments = new[] { argument } }, JsonSerializerOptions.Web) + "\u001e");

    private async Task ConnectAndSendAsync(byte[][] messages, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            using var socket = new ClientWebSocket();
            try
            {
                await socket.ConnectAsync(new UriBuilder(order.Node) { Scheme = "ws", Path = "/realtime", Query = $"access_token={order.Token}" }.Uri, over);
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
