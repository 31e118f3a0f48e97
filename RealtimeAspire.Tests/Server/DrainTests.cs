using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Tests.Server;

public sealed class DrainTests
{
    [Fact]
    public async Task A_node_that_leaves_asks_each_connection_to_move_and_then_closes_it()
    {
        await using var node = new TestNode();
        var transports = Enumerable.Range(0, 20).Select(_ => new RecordingTransport()).ToList();
        foreach (var transport in transports)
        {
            node.Connect(transport);
        }

        using var drain = new Drain(node.Connections, new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance), new FastTime(), NullLogger<Drain>.Instance);
        await drain.StoppingAsync(TestContext.Current.CancellationToken);

        Assert.All(transports, transport =>
        {
            var control = Assert.Single(transport.Controls);
            Assert.Equal((Control.Draining, "draining"), (control.Type, control.Code));
            Assert.InRange(control.RetryAfterMs!.Value, 0, 100);
            Assert.Equal(ErrorCode.Draining, transport.Closed.Task.Result);
        });
        Assert.True(drain.Draining.IsCancellationRequested);
        Assert.Equal("Unhealthy", (await drain.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status.ToString());
    }

    // SignalR drops its connections the moment the application is told to stop, before any hosted service is.
    [Fact]
    public async Task A_node_that_is_told_to_stop_tells_its_hub_connections_first_and_closes_them_as_ones_that_come_back()
    {
        await using var server = await TestServer.StartAsync();
        using var hub = await server.ConnectRawAsync();
        await hub.InvokeAsync("Subscribe", new { topic = "room:a" });

        await server.StopAsync();

        Assert.Equal("draining", (await hub.ControlAsync(Control.Draining)).Code);
        var farewell = await hub.ReadAsync(7);
        Assert.StartsWith("draining: ", farewell!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
        // SignalR's own farewell follows. The official client in Node.js, which had both in one go, did what the last one said.
        for (; farewell is not null; farewell = await hub.ReadAsync(7))
        {
            Assert.True(farewell.Value.TryGetProperty("allowReconnect", out var allowed) && allowed.GetBoolean());
        }
    }

    [Fact]
    public async Task A_node_that_leaves_finishes_requests_and_sends_new_connections_elsewhere()
    {
        await using var server = await TestServer.StartAsync();
        using var http = server.Http();
        await server.DrainAsync();

        using var published = await http.PostAsync(
            "/topics/room:a/events", new StringContent("""{"event":"app:x","payload":1}""", new MediaTypeHeaderValue("application/json")), TestContext.Current.CancellationToken);
        using var upgrade = new HttpRequestMessage(HttpMethod.Get, "/realtime")
        {
            Headers = { { "Connection", "Upgrade" }, { "Upgrade", "websocket" }, { "Sec-WebSocket-Version", "13" }, { "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==" } },
        };
        using var refused = await http.SendAsync(upgrade, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Created, published.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Contains("\"draining\"", await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
