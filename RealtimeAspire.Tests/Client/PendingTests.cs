using RealtimeAspire.Client;

namespace RealtimeAspire.Tests.Client;

public sealed class PendingTests
{
    [Fact]
    public async Task What_waits_can_be_seen_the_oldest_first()
    {
        // Nobody listens there.
        var client = new RealtimeClient(new Uri("http://127.0.0.1:9"), new RealtimeClientOptions());
        Task[] publishes =
        [
            client.PublishAsync("room:b", "app:note", 1, id: "1", cancellationToken: Topology.Cancelled),
            client.PublishAsync("room:a", "app:note", 2, id: "2", cancellationToken: Topology.Cancelled),
            client.PublishAsync("room:b", "app:note", 3, id: "3", cancellationToken: Topology.Cancelled),
        ];

        Assert.Equal(["1", "2", "3"], client.Pending.Select(item => item.Request.Id));

        await client.DisposeAsync();
        Assert.Empty(client.Pending);
        foreach (var publish in publishes)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => publish);
        }
    }
}
