using System.Collections.Concurrent;
using RealtimeAspire.Client;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Everybody who was at a node that dies, at the door of another.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class ReturnScenarios(Topology topology, ITestOutputHelper output)
{
    private const int Clients = 1_000;
    private const int MostPerSecond = 300;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly string _topic = $"room:{Guid.NewGuid():N}";

    /// <summary>Each is at the dead node's successor in time, at no moment too many at once, and nobody misses anything.</summary>
    [Fact]
    public async Task A_thousand_clients_of_a_killed_node_are_back_in_15_s_and_never_more_than_300_in_a_second()
    {
        var survivor = topology.Nodes()[0];
        await using var node = await ProofNode.StartAsync(topology);
        await using var door = TcpProxy.Start(node.Address.Port);
        await using var publisher = await topology.ConnectAsync("publisher", survivor.Address);
        var heard = new ConcurrentDictionary<int, ConcurrentQueue<long>>();
        var clients = await ConnectAsync(door.Port, heard);
        try
        {
            // The last advice is given when all are there.
            await PublishAsync(publisher, 1);
            await AllHaveAsync(heard, 1);
            await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Topology.Cancelled);

            door.Redirect(survivor.Address.Port);
            var killed = TimeProvider.System.GetTimestamp();
            await node.KillAsync();
            await PublishAsync(publisher, 2);
            await AllHaveAsync(heard, 2);
            var took = TimeProvider.System.GetElapsedTime(killed);

            var returns = door.Arrivals.Where(at => at >= killed).Select(at => TimeProvider.System.GetElapsedTime(killed, at).TotalSeconds).Order().ToArray();
            output.WriteLine($"All are back after {took.TotalSeconds:0.0} s; in each second: {string.Join(", ", returns.GroupBy(at => (int)at).Select(second => second.Count()))}");
            Assert.InRange(took, TimeSpan.Zero, Limit);
            Assert.InRange(MostWithinASecond(returns), 1, MostPerSecond);
            Assert.All(heard.Values, offsets => Assert.Equal([1, 2], offsets));
        }
        finally
        {
            await Task.WhenAll(clients.Select(client => client.DisposeAsync().AsTask()));
        }
    }

    private async Task<RealtimeClient[]> ConnectAsync(int port, ConcurrentDictionary<int, ConcurrentQueue<long>> heard)
    {
        var token = await topology.TokenAsync("ada");
        var clients = new RealtimeClient[Clients];
        await Parallel.ForAsync(0, Clients, new ParallelOptions { MaxDegreeOfParallelism = 20, CancellationToken = Topology.Cancelled }, async (i, cancelled) =>
        {
            var offsets = heard[i] = new ConcurrentQueue<long>();
            clients[i] = new RealtimeClient(
                new Uri($"http://127.0.0.1:{port}"), new RealtimeClientOptions { Token = _ => Task.FromResult<string?>(token), Transports = [Transport.WebSocket] });
            await clients[i].SubscribeAsync(
                _topic,
                new SubscribeOptions
                {
                    OnEvent = received =>
                    {
                        offsets.Enqueue(received.Offset!.Value);
                        return Task.CompletedTask;
                    },
                },
                cancelled);
        });
        return clients;
    }

    private Task<PublishReply> PublishAsync(RealtimeClient publisher, int payload) =>
        publisher.PublishAsync(_topic, "app:x", payload, cancellationToken: Topology.Cancelled);

    private static Task AllHaveAsync(ConcurrentDictionary<int, ConcurrentQueue<long>> heard, int count) =>
        Eventually.BecomesTrueAsync(() => heard.Values.All(offsets => offsets.Count >= count), $"not everybody has {count}");

    private static int MostWithinASecond(double[] times)
    {
        var (most, first) = (0, 0);
        for (var last = 0; last < times.Length; last++)
        {
            while (times[last] - times[first] >= 1)
            {
                first++;
            }

            most = Math.Max(most, last - first + 1);
        }

        return most;
    }
}
