using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Support;

/// <summary>Another's opinion of schemas: Ajv in Node.</summary>
internal static class Ajv
{
    /// <param name="schema">A schema, or the name of one that an npm package has.</param>
    /// <param name="values">JSON, each.</param>
    /// <returns>What is wrong with each of the values.</returns>
    public static async Task<IReadOnlyList<string[]>> ErrorsAsync(JsonNode schema, IEnumerable<string> values)
    {
        using var node = Process.Start(new ProcessStartInfo("node", [Repository.PathOf("RealtimeAspire.Tests/Compatibility/ajv.js")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = node.StandardOutput.ReadToEndAsync(Topology.Cancelled);
        var errors = node.StandardError.ReadToEndAsync(Topology.Cancelled);
        await node.StandardInput.WriteAsync($$"""{"schema":{{schema.ToJsonString()}},"values":[{{string.Join(',', values)}}]}""");
        node.StandardInput.Close();
        await node.WaitForExitAsync(Topology.Cancelled);
        Assert.True(node.ExitCode == 0, await errors);
        return JsonSerializer.Deserialize<string[][]>(await output)!;
    }
}
