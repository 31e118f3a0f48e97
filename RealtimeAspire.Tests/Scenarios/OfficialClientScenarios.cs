using System.Diagnostics;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Nobody needs our client: the official one does it by hand, as docs/protocol.md says.</summary>
[Collection(SharedTopology.Name)]
public sealed class OfficialClientScenarios(Topology topology)
{
    private sealed record Outcome(int[] Read, string[] Outcomes, bool Duplicate);

    [Fact]
    public async Task It_subscribes_publishes_and_goes_on_at_another_node()
    {
        var order = new
        {
            Nodes = topology.Nodes().Select(node => node.Address.ToString().TrimEnd('/')),
            Token = await topology.TokenAsync("ada"),
            Topic = $"room:{Guid.NewGuid():N}",
        };
        using var node = Process.Start(new ProcessStartInfo("node", [Repository.PathOf("RealtimeAspire.Tests/Compatibility/byhand.js")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = node.StandardError.ReadToEndAsync(Topology.Cancelled);
        await node.StandardInput.WriteAsync(JsonSerializer.Serialize(order, JsonSerializerOptions.Web));
        node.StandardInput.Close();
        var output = await node.StandardOutput.ReadToEndAsync(Topology.Cancelled);
        await node.WaitForExitAsync(Topology.Cancelled);

        Assert.True(node.ExitCode == 0, await errors);
        var outcome = JsonSerializer.Deserialize<Outcome>(output, JsonSerializerOptions.Web)!;
        Assert.Equal([1, 2, 3, 4], outcome.Read);
        Assert.Equal(["none", "recovered"], outcome.Outcomes);
        Assert.True(outcome.Duplicate);
    }
}
