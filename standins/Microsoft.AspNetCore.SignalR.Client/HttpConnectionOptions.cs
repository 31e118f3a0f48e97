using System.Net.WebSockets;

namespace Microsoft.AspNetCore.Http.Connections.Client;

public class HttpConnectionOptions
{
    public Uri? Url { get; set; }

    public HttpTransportType Transports { get; set; } = HttpTransports.All;

    /// <summary>Whether to open the WebSocket without asking the server first. This client never asks.</summary>
    public bool SkipNegotiation { get; set; }

    /// <summary>Called for each connect, also for reconnects.</summary>
    public Func<Task<string?>>? AccessTokenProvider { get; set; }

    public IDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>();

    /// <summary>How long closing waits for the server. Default 5 s, of which this client waits at most one.</summary>
    public TimeSpan CloseTimeout { get; set; } = TimeSpan.FromSeconds(5);

    public Action<ClientWebSocketOptions>? WebSocketConfiguration { get; set; }
}
