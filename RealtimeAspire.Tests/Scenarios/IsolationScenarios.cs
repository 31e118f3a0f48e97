using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Load;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>One client does what it can to a node, and others go on. How much slower they are the benchmark <c>isolation</c> says.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class IsolationScenarios(Topology topology, ITestOutputHelper output)
{
    private const int EventsUnderEachStorm = 50;
    private const long GrowthBytes = 400 * 1024 * 1024;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    private readonly string _topic = $"room:{Guid.NewGuid():N}";
    private readonly string _target = $"room:{Guid.NewGuid():N}";

    [Fact]
    public async Task Whatever_one_client_does_at_full_speed_others_go_on_and_the_node_s_memory_is_bounded()
    {
        await using var node = await ProofNode.StartAsync(
            topology,
            ("Realtime:Limits:RequestsPerSecond", "200"), ("Realtime:Limits:RequestBurst", "1000"), ("Realtime:Limits:ConnectsPerSecond", "50"), ("Realtime:Limits:UserConnections", "100"));
        var eve = await TokenAsync("eve", "hostile");
        var ada = await TokenAsync("ada", "peaceful");
        using var subscriber = await RawHub.ConnectAsync(node.Address, ada);
        using var publisher = await RawHub.ConnectAsync(node.Address, ada);
        await subscriber.InvokeAsync("Subscribe", new { topic = _topic });
        var before = MemoryOf(node);
        var sent = 0;
        foreach (var kind in Enum.GetValues<StormKind>())
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(Topology.Cancelled);
            var raging = new Storm(new StormOrder(kind, node.Address, eve, _target)).RageAsync(over.Token);
            for (var i = 0; i < EventsUnderEachStorm; i++)
            {
                await publisher.InvokeAsync("Publish", new { topic = _topic, @event = "app:x", payload = ++sent });
                await Task.Delay(Pace, TimeProvider.System, Topology.Cancelled);
            }

            var heard = await subscriber.EventsAsync(sent);
            Assert.Equal(Enumerable.Range(1, sent), heard.Select(came => came.Data.Payload.GetInt32()));
            Assert.False(raging.IsCompleted, "The storm is over before its time.");
            await over.CancelAsync();
            await raging;
        }

        var memory = MemoryOf(node);
        output.WriteLine($"{before / 1024 / 1024} MiB before, {memory / 1024 / 1024} MiB after");
        Assert.InRange(memory, 0, before + GrowthBytes);
    }

    private async Task<string> TokenAsync(string user, string tenant)
    {
        using var http = new HttpClient { BaseAddress = topology.Api };
        using var response = await http.PostAsJsonAsync("/auth/token", new { user, tenant }, Topology.Cancelled);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString()!;
    }

    private static long MemoryOf(ProofNode node)
    {
        var line = File.ReadLines($"/proc/{node.ProcessId}/status").First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
