using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Client;

/// <summary>The reason with which a server closes a connection is no answer to a call that was under way.</summary>
public sealed class FarewellTests
{
    [Fact]
    public async Task A_publish_under_way_when_the_server_leaves_is_sent_again_with_its_id()
    {
        await using var server = await LeavingHub.StartAsync("token_revoked: The token has been revoked.", """[{"reply":{"position":{"epoch":"e","offset":1},"timestamp":"2026-01-01T00:00:00.000Z","duplicate":false}}]""");
        await using var client = new RealtimeClient(server.Address, new RealtimeClientOptions { Token = _ => Task.FromResult<string?>("token"), Transports = [Transport.WebSocket] });

        var reply = await client.PublishAsync("room:general", "app:note", 1, id: "once");

        Assert.Equal(1, reply.Position?.Offset);
        Assert.Equal(2, server.Calls.Count);
        Assert.All(server.Calls, call => Assert.Contains("\"once\"", call, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_too_long_fails_alone_and_the_client_goes_on()
    {
        await using var server = await LeavingHub.StartAsync("payload_too_large: The payload is too large.", """[{"reply":{"position":{"epoch":"e","offset":1},"timestamp":"2026-01-01T00:00:00.000Z","duplicate":false}}]""");
        await using var client = new RealtimeClient(server.Address, new RealtimeClientOptions { Token = _ => Task.FromResult<string?>("token"), Transports = [Transport.WebSocket] });

        var refused = await Assert.ThrowsAsync<RealtimeException>(() => client.PublishAsync("room:general", "app:note", new string('x', 200_000), id: "large"));
        var reply = await client.PublishAsync("room:general", "app:note", 1, id: "small");

        Assert.Equal(ErrorCode.PayloadTooLarge, refused.Error);
        Assert.Equal(1, reply.Position?.Offset);
        Assert.Equal(2, server.Calls.Count);
    }
}
