namespace RealtimeAspire.Client;

/// <summary>How events come.</summary>
public enum Transport
{
    /// <summary>The hub over a WebSocket, which also carries what is sent.</summary>
    WebSocket,

    /// <summary>Server-sent events; what is sent goes by requests.</summary>
    Stream,

    /// <summary>By asking again and again.</summary>
    Poll,
}
