using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections.WebSockets;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>The hub's socket, byte by byte, over sockets and over pipes.</summary>
public sealed class WebSocketTests
{
    public static TheoryData<string> Modes { get; } = ["Direct", "Pipe"];

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_message_in_parts_with_a_ping_between_is_answered_as_is_the_ping(string mode)
    {
        await using var server = await StartAsync(mode);
        using var socket = await ConnectAsync(server);
        var publish = Publish("1");

        await socket.SendAsync(
            ClientFrames.Text(publish[..20], final: false), ClientFrames.Of(Opcode.Ping, "are you there"u8), ClientFrames.Of(Opcode.Continuation, Encoding.UTF8.GetBytes(publish[20..])));

        var answers = new[] { await socket.NextAsync(), await socket.NextAsync() };
        Assert.Contains((Opcode.Pong, "are you there"), answers);
        Assert.Contains(answers, answer => answer!.Value.Payload.StartsWith("""{"type":3,"invocationId":"1","result":""", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_closes_is_told_the_same_and_what_it_sent_before_was_done(string mode)
    {
        await using var server = await StartAsync(mode);
        using var socket = await ConnectAsync(server);

        await socket.SendAsync(ClientFrames.Text(Publish("1")), ClientFrames.Close(3_456, "bye"));

        Assert.Equal(3_456, await socket.CloseCodeAsync());
        Assert.Null(await socket.NextAsync());
        var log = await server.Log.ReadAsync(new TopicKey("default", TopicName.Parse("room:a")), new LogRange.After(0), 10, TestContext.Current.CancellationToken);
        Assert.Single(log.Events);
    }

    [Theory]
    [InlineData("Direct", 1002)]
    [InlineData("Direct", 1007)]
    [InlineData("Direct", 1009)]
    [InlineData("Pipe", 1002)]
    public async Task A_client_that_breaks_the_protocol_is_told_so_and_the_connection_ends(string mode, int code)
    {
        await using var server = await StartAsync(mode);
        using var socket = await ConnectAsync(server);

        await socket.SendAsync(code switch
        {
            1007 => ClientFrames.Of(Opcode.Text, [0xff]),
            1009 => [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            _ => ClientFrames.Of(0x83, []),
        });
        // It has more to say than anybody reads, and is told all the same.
        await socket.SendAsync(new byte[10_000]);

        Assert.Equal(code, await socket.CloseCodeAsync());
    }

    [Fact]
    public async Task A_server_that_closes_says_why_and_waits_for_the_client_to_close()
    {
        await using var server = await StartAsync("Direct");
        using var socket = await ConnectAsync(server);

        await socket.SendAsync(ClientFrames.Text($$"""{"type":7}{{RawSocket.RecordSeparator}}"""));

        Assert.Equal(1_000, await socket.CloseCodeAsync());
        await socket.SendAsync(ClientFrames.Close(1_000));
        Assert.Null(await socket.NextAsync());
    }

    [Theory]
    [InlineData("Direct", "http", 1, "direct")]
    [InlineData("Pipe", "http", 1, "pipe")]
    [InlineData("Standard", "http", 1, "standard")]
    [InlineData("Direct", "https", 1, "pipe")]
    [InlineData("Direct", "http", 2, "pipe")]
    [InlineData("Direct", "https", 2, "pipe")]
    [InlineData("Direct", "logged", 1, "pipe")]
    public async Task Frames_go_to_the_socket_itself_only_where_nothing_sits_between(string mode, string scheme, int version, string expected)
    {
        using var certificate = Certificate();
        await using var server = await TestServer.StartAsync(
            listen =>
            {
                listen.Protocols = version == 2 ? HttpProtocols.Http2 : HttpProtocols.Http1;
                if (scheme == "https")
                {
                    listen.UseHttps(certificate);
                }
                else if (scheme == "logged")
                {
                    listen.UseConnectionLogging();
                }
            },
            ("Realtime:Connections:Sockets", mode));
        using var transports = new Transports(server);
        using var socket = await ConnectAsync(server, certificate, scheme == "https" ? "wss" : "ws", new Version(version, version == 1 ? 1 : 0));

        await SendAsync(socket, $$"""{"protocol":"json","version":1}{{RawSocket.RecordSeparator}}""");
        await SendAsync(socket, $$"""{"type":1,"invocationId":"1","target":"Subscribe","arguments":[{"topic":"room:a"}]}{{RawSocket.RecordSeparator}}""");
        await ReadUntilAsync(socket, "\"invocationId\":\"1\"");
        await SendAsync(socket, Publish("2"));
        await ReadUntilAsync(socket, "\"target\":\"Events\"");

        Assert.Equal([expected], transports.Seen);
        // Where nothing sits between, the request has ended with its upgrade.
        var open = mode == "Standard" || scheme != "http" || version == 2 ? 1 : 0;
        await Until.TrueAsync(() => transports.OpenRequests == open);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("?negotiateVersion=1", 1)]
    public async Task A_negotiation_offers_WebSockets_and_ties_the_client_to_no_node(string query, int version)
    {
        await using var server = await StartAsync("Direct");
        using var http = server.Http();

        using var response = await http.PostAsync($"/realtime/negotiate{query}", content: null, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var body = JsonElement.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        var transport = Assert.Single(body.GetProperty("availableTransports").EnumerateArray());
        Assert.Equal(("WebSockets", version), (transport.GetProperty("transport").GetString(), body.GetProperty("negotiateVersion").GetInt32()));
        Assert.Equal(version == 1, body.TryGetProperty("connectionToken", out _));
    }

    [Theory]
    [InlineData("GET", "/realtime", HttpStatusCode.BadRequest)]
    [InlineData("POST", "/realtime", HttpStatusCode.MethodNotAllowed)]
    public async Task What_is_no_WebSocket_is_refused_with_a_code(string method, string path, HttpStatusCode expected)
    {
        await using var server = await StartAsync("Direct");
        using var http = server.Http();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(expected, response.StatusCode);
        var body = JsonElement.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(expected is HttpStatusCode.BadRequest ? "request_invalid" : "method_not_allowed", body.GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("/realtime")]
    [InlineData("/realtime/negotiate")]
    public async Task Nobody_gets_in_without_a_token(string path)
    {
        await using var server = await StartAsync("Direct");
        using var http = new HttpClient { BaseAddress = server.Address };

        using var response = path.EndsWith("negotiate", StringComparison.Ordinal)
            ? await http.PostAsync(path, content: null, TestContext.Current.CancellationToken)
            : await http.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    private static Task<TestServer> StartAsync(string mode) => TestServer.StartAsync(("Realtime:Connections:Sockets", mode));

    private static Task<RawSocket> ConnectAsync(TestServer server) => RawSocket.ConnectAsync(server.Address, TestServer.Token());

    private static async Task<ClientWebSocket> ConnectAsync(TestServer server, X509Certificate2 certificate, string scheme, Version version)
    {
        var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, presented, _, _) => certificate.Equals(presented) } };
        var socket = new ClientWebSocket { Options = { HttpVersion = version, HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact } };
        var address = new UriBuilder(scheme, "127.0.0.1", server.Address.Port, "/realtime") { Query = $"access_token={TestServer.Token()}" };
        await socket.ConnectAsync(address.Uri, new HttpMessageInvoker(handler), TestContext.Current.CancellationToken);
        return socket;
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    private static Task SendAsync(ClientWebSocket socket, string message) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);

    private static async Task ReadUntilAsync(ClientWebSocket socket, string expected)
    {
        var read = "";
        var buffer = new byte[4096];
        while (!read.Contains(expected, StringComparison.Ordinal))
        {
            var received = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            Assert.Equal(WebSocketMessageType.Text, received.MessageType);
            read += Encoding.UTF8.GetString(buffer, 0, received.Count);
        }
    }

    private static string Publish(string id) =>
        $$"""{"type":1,"invocationId":"{{id}}","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":1}]}{{RawSocket.RecordSeparator}}""";

    /// <summary>By what connections were carried, and how many requests are open, as the node counts them.</summary>
    private sealed class Transports : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _openRequests;

        public Transports(TestServer server)
        {
            var meters = server.Meters;
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == meters && instrument.Name is "realtime.connections" or "http.server.active_requests")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, change, tags, _) =>
            {
                if (instrument.Name == "http.server.active_requests")
                {
                    Interlocked.Add(ref _openRequests, change);
                    return;
                }

                foreach (var tag in tags)
                {
                    if (tag.Key == "realtime.transport")
                    {
                        Seen.Enqueue((string)tag.Value!);
                    }
                }
            });
            _listener.Start();
        }

        public ConcurrentQueue<string> Seen { get; } = new();

        public long OpenRequests => Interlocked.Read(ref _openRequests);

        public void Dispose() => _listener.Dispose();
    }
}
