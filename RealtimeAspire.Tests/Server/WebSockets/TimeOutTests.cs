using System.Text;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>Clients that say less than they should: each is let go after the time that it is given, whatever is under the hub.</summary>
public sealed class TimeOutTests
{
    // The wheel turns in five seconds; the time-outs here are shorter.
    private const int FastWheel = 20;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(500);

    private static readonly byte[] Ping = ClientFrames.Text($$"""{"type":6}{{RawSocket.RecordSeparator}}""");

    public static TheoryData<string> Modes { get; } = ["Direct", "Pipe", "Standard"];

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_says_nothing_after_its_upgrade_is_let_go(string mode)
    {
        await using var server = await StartAsync(mode, hub => hub.HandshakeTimeout = Short);
        using var socket = await RawSocket.UpgradeAsync(server.Address, TestServer.Token());

        Assert.Contains("Handshake was canceled.", await socket.FarewellAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_says_half_a_handshake_is_let_go(string mode)
    {
        await using var server = await StartAsync(mode, hub => hub.HandshakeTimeout = Short);
        using var socket = await RawSocket.UpgradeAsync(server.Address, TestServer.Token());

        await socket.SendAsync(ClientFrames.Text("""{"protocol":"json","""));

        Assert.Contains("Handshake was canceled.", await socket.FarewellAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_sends_its_handshake_byte_by_byte_is_let_go(string mode)
    {
        await using var server = await StartAsync(mode, hub => hub.HandshakeTimeout = Short);
        using var socket = await RawSocket.UpgradeAsync(server.Address, TestServer.Token());

        var closed = socket.FarewellAsync();
        await socket.DripAsync(ClientFrames.Text(new string(' ', 100)), Pause, closed);

        Assert.Contains("Handshake was canceled.", await closed, StringComparison.Ordinal);
    }

    /// <summary>SignalR measures from a client's first ping on; the official clients send it when they have shaken hands.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_is_silent_longer_than_it_may_be_is_let_go_as_one_that_may_come_back(string mode)
    {
        await using var server = await StartAsync(mode, hub => hub.ClientTimeoutInterval = Short);
        using var socket = await RawSocket.ConnectAsync(server.Address, TestServer.Token());

        await socket.SendAsync(Ping);

        Assert.Contains("\"allowReconnect\":true", await socket.FarewellAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_sends_a_message_byte_by_byte_is_silent(string mode)
    {
        await using var server = await StartAsync(mode, hub => hub.ClientTimeoutInterval = Short);
        using var socket = await RawSocket.ConnectAsync(server.Address, TestServer.Token());

        await socket.SendAsync(Ping);
        var closed = socket.FarewellAsync();
        await socket.DripAsync(ClientFrames.Text(new string(' ', 100)), Pause, closed);

        Assert.Contains("\"allowReconnect\":true", await closed, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_asks_byte_by_byte_has_no_answer_but_a_time_out(string mode)
    {
        await using var server = await TestServer.StartAsync(
            listen => listen.KestrelServerOptions.Limits.RequestHeadersTimeout = Short, ("Realtime:Connections:Sockets", mode));
        using var socket = await RawSocket.OpenAsync(server.Address);

        var closed = socket.StatusLineAsync();
        await socket.DripAsync(Encoding.ASCII.GetBytes($"GET /realtime?{new string('a', 1_000)}"), Pause, closed);

        Assert.StartsWith("HTTP/1.1 408 ", await closed, StringComparison.Ordinal);
    }

    private static Task<TestServer> StartAsync(string mode, Action<HubOptions<RealtimeHub>> configure) => TestServer.StartAsync(
        static _ => { },
        services => services
            .Configure(configure)
            .AddSingleton(new Heartbeat(new FastTime(FastWheel), NullLogger<Heartbeat>.Instance)),
        static _ => { },
        ("Realtime:Connections:Sockets", mode));
}
