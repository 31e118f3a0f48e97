using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Connections.MessagePack;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Compatibility;

/// <summary>A node with the product's hub and those of the cases, all on what a setting puts under them.</summary>
internal sealed class CompatibilityNode : IAsyncDisposable
{
    private const string Path = $"{RealtimeServer.HubPath}/compatibility";

    // Its wheel turns in five seconds, which is fine for time-outs of half a minute; here they are of seconds.
    private const int FastWheel = 20;

    private readonly ConcurrentDictionary<string, int> _requests = new(StringComparer.Ordinal);
    private TestServer? _server;

    public TestServer Server => _server ?? throw new InvalidOperationException("The node has not been started.");

    /// <summary>How many sockets it was asked for.</summary>
    public int Sockets => _requests.GetValueOrDefault("GET");

    /// <summary>How many negotiations it has answered.</summary>
    public int Negotiations => _requests.GetValueOrDefault("POST");

    /// <param name="sockets">What is under the hubs.</param>
    /// <param name="origin">Where the browser's page comes from.</param>
    public static async Task<CompatibilityNode> StartAsync(SocketMode sockets, Uri origin)
    {
        var node = new CompatibilityNode();
        node._server = await TestServer.StartAsync(
            static _ => { },
            Register,
            app => node.Map(app, sockets),
            ("Realtime:Connections:Sockets", sockets.ToString()),
            ("Realtime:AllowedOrigins:0", origin.GetLeftPart(UriPartial.Authority)));
        return node;
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private static void Register(IServiceCollection services)
    {
        services.AddSingleton<Departures>();
        services.AddSingleton<HubLifetimeManager<CompatibilityHub>, CompatibilityLifetime>();
        services.AddSingleton(new Heartbeat(new FastTime(FastWheel), NullLogger<Heartbeat>.Instance));
        services.AddSignalR()
            .AddHubOptions<CompatibilityHub>(options =>
            {
                options.MaximumReceiveMessageSize = 4 * 1024 * 1024;
                // Client results need more than one.
                options.MaximumParallelInvocationsPerClient = 32;
            })
            .AddHubOptions<StrictHub>(options =>
            {
                options.MaximumReceiveMessageSize = 4 * 1024;
                options.KeepAliveInterval = TimeSpan.FromMilliseconds(500);
                options.ClientTimeoutInterval = TimeSpan.FromSeconds(3);
            })
            .AddHubOptions<SilentHub>(options => options.KeepAliveInterval = TimeSpan.FromHours(1))
            .AddMessagePackProtocol(options => options.SerializerOptions = options.SerializerOptions.WithResolver(
                new JsonResolver(new JsonHubProtocolOptions().PayloadSerializerOptions)));
    }

    private void Map(WebApplication app, SocketMode sockets)
    {
        app.Use((context, next) =>
        {
            _requests.AddOrUpdate(context.Request.Method, 1, static (_, count) => count + 1);
            return next(context);
        });
        Map<CompatibilityHub>(app, sockets, Path);
        Map<StrictHub>(app, sockets, $"{Path}/strict");
        Map<SilentHub>(app, sockets, $"{Path}/silent");
        Map<RefusingHub>(app, sockets, $"{Path}/refusing");
    }

    private static void Map<THub>(WebApplication app, SocketMode sockets, string path)
        where THub : Hub
    {
        if (sockets is SocketMode.Standard)
        {
            app.MapHub<THub>(path, options => options.Transports = HttpTransportType.WebSockets).RequireAuthorization();
        }
        else
        {
            app.Services.GetRequiredService<WebSocketEndpoint>().Map<THub>(app, path);
        }
    }
}
