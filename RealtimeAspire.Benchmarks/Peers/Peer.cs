using RealtimeAspire.Benchmarks.Run;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Benchmarks.Peers;

/// <summary>Which protocol the load generator speaks.</summary>
internal enum Speech
{
    /// <summary>RealtimeAspire's hub.</summary>
    Realtime,

    /// <summary>The bare SignalR hub.</summary>
    BareHub,

    /// <summary>Engine.IO and Socket.IO 4.</summary>
    SocketIo,

    /// <summary>The protocol of <c>ws.mjs</c> and <c>uws.mjs</c>.</summary>
    PlainWebSocket,
}

/// <summary>Where the stores, the sink for telemetry and the certificate are.</summary>
/// <param name="Redis">StackExchange.Redis' connection strings, by durability.</param>
/// <param name="RedisUrl">One of them for Node.</param>
/// <param name="Postgres">Npgsql's connection string.</param>
/// <param name="Telemetry">Takes OTLP over HTTP.</param>
/// <param name="SigningKey">Signs the generator's tokens.</param>
/// <param name="Certificate">For servers over TLS, a file in PEM.</param>
/// <param name="CertificateKey">Its key, likewise.</param>
internal sealed record Surroundings(
    IReadOnlyDictionary<string, string> Redis, Uri RedisUrl, string Postgres, Uri Telemetry, string SigningKey, string Certificate, string CertificateKey);

/// <summary>How a server process is started.</summary>
internal sealed record Launch(string Program, IReadOnlyList<string> Arguments, string Folder, IReadOnlyDictionary<string, string> Environment);

/// <summary>A server that is measured.</summary>
/// <param name="Id">For the command line.</param>
/// <param name="Name">For the table.</param>
/// <param name="Speech">How it is spoken to.</param>
internal abstract record Peer(string Id, string Name, Speech Speech)
{
    /// <summary>In the order in which they take turns. Every durability that the server knows is a peer of its own.</summary>
    public static readonly IReadOnlyList<Peer> All =
    [
        .. Enum.GetValues<Durability>().Select(durability => new RealtimePeer(durability)),
        new BareHubPeer(),
        new NodePeer("socket.io", "Socket.IO 4.8", Speech.SocketIo, "socket-io.mjs"),
        new NodePeer("ws", "ws", Speech.PlainWebSocket, "ws.mjs"),
        new NodePeer("uws", "uWebSockets", Speech.PlainWebSocket, "uws.mjs"),
    ];

    /// <summary>What is promised about a message once it has been taken.</summary>
    public virtual string Durability => "none";

    /// <summary>Whether several processes can serve together.</summary>
    public virtual bool HasBackplane => false;

    /// <summary>What answers 200 as soon as the server can be used.</summary>
    public virtual string HealthPath => "/";

    /// <summary>Fetches or builds what is needed, once per run.</summary>
    public virtual Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <param name="address">Where it has to listen, over TLS if this says https.</param>
    /// <param name="several">It is one of several nodes.</param>
    /// <param name="surroundings">What it may use.</param>
    public abstract Launch LaunchOn(Uri address, bool several, Surroundings surroundings);

    /// <summary>What an ASP.NET Core server needs to listen there.</summary>
    protected static Dictionary<string, string> KestrelOn(Uri address, Surroundings surroundings)
    {
        var environment = new Dictionary<string, string> { ["ASPNETCORE_URLS"] = address.GetLeftPart(UriPartial.Authority) };
        if (address.Scheme == Uri.UriSchemeHttps)
        {
            environment["Kestrel__Certificates__Default__Path"] = surroundings.Certificate;
            environment["Kestrel__Certificates__Default__KeyPath"] = surroundings.CertificateKey;
        }

        return environment;
    }
}

/// <summary>The bare SignalR hub, in the same executable.</summary>
internal sealed record BareHubPeer() : Peer("hub", "bare SignalR hub", Speech.BareHub)
{
    public override Launch LaunchOn(Uri address, bool several, Surroundings surroundings) => new(
        Environment.ProcessPath!, [BareHub.Command], AppContext.BaseDirectory,
        // What a project of the web SDK has by default, and so the API under test.
        new Dictionary<string, string>(KestrelOn(address, surroundings)) { ["DOTNET_gcServer"] = "1" });
}

/// <summary>A script in this folder.</summary>
internal sealed record NodePeer(string Id, string Name, Speech Speech, string Script) : Peer(Id, Name, Speech)
{
    public override bool HasBackplane => Speech is Speech.SocketIo;

    public override Task PrepareAsync(CancellationToken cancellationToken) => NodePackages.RestoreAsync(cancellationToken);

    public override Launch LaunchOn(Uri address, bool several, Surroundings surroundings)
    {
        var environment = new Dictionary<string, string> { ["PORT"] = $"{address.Port}", ["NODE_ENV"] = "production" };
        if (address.Scheme == Uri.UriSchemeHttps)
            (environment["CERTIFICATE"], environment["KEY"]) = (surroundings.Certificate, surroundings.CertificateKey);
        if (several)
            environment["REDIS_URL"] = surroundings.RedisUrl.ToString();
        return new Launch("node", [Script], NodePackages.Folder, environment);
    }
}
