using System.Net;
using System.Text;
using System.Text.Json;
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

    private static string Publish(string id) =>
        $$"""{"type":1,"invocationId":"{{id}}","target":"Publish","arguments":[{"topic":"room:a","event":"app:x","payload":1}]}{{RawSocket.RecordSeparator}}""";
}
