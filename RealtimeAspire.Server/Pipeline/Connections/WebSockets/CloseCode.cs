namespace RealtimeAspire.Server.Pipeline.Connections.WebSockets;

/// <summary>Close codes of RFC 6455 (7.4.1) that this server sends by itself; a client that closes is told its own.</summary>
internal enum CloseCode
{
    Normal = 1000,
    ProtocolError = 1002,
    InvalidData = 1007,
    TooLarge = 1009,
}

/// <summary>A client that does not keep to RFC 6455; the connection ends with the code.</summary>
internal sealed class FrameException(CloseCode code, string message) : Exception(message)
{
    public CloseCode Code => code;
}
