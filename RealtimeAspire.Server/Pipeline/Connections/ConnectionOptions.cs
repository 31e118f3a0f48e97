using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>What is under the hub's connections.</summary>
internal enum SocketMode
{
    /// <summary>Frames of our own, written to the socket itself where nothing sits between, else to its pipe.</summary>
    Direct,

    /// <summary>Frames of our own, written to the pipe in any case.</summary>
    Pipe,

    /// <summary>What ASP.NET Core maps by itself. With more than one node clients have to skip the negotiation.</summary>
    Standard,
}

/// <summary>The section <c>Realtime:Connections</c>.</summary>
internal sealed class ConnectionOptions
{
    /// <summary>What is under the hub's connections, <c>Direct</c>, <c>Pipe</c> or <c>Standard</c>. Default: <c>Direct</c>.</summary>
    [EnumDataType(typeof(SocketMode))]
    public SocketMode Sockets { get; set; }
}
