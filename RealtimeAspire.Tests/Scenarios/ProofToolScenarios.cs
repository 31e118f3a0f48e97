using System.Diagnostics;
using System.Globalization;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The checker as an operator runs it.</summary>
[Collection(SharedTopology.Name)]
public sealed class ProofToolScenarios(Topology topology)
{
    [Fact]
    public async Task A_sound_deployment_passes()
    {
        var (code, output) = await RunAsync([topology.Api.ToString(), "--duration", "2s", "--seed", "7", "--topics", "2", "--subscribers", "4", "--publishers", "4"]);

        Assert.True(code == 0, output);
        Assert.Contains("Every promise held. Seed 7.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signal_ends_the_load_early_and_the_verdict_still_comes()
    {
        var (code, output) = await RunAsync([topology.Api.ToString(), "--duration", "10m", "--topics", "2", "--subscribers", "4", "--publishers", "4"], endAfter: "acknowledged");

        Assert.True(code == 0, output);
        Assert.Contains("Every promise held.", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("is refused with topic_type_unknown", "--type", "nothing")]
    [InlineData("--topics is 'x'", "--topics", "x")]
    public async Task What_keeps_it_from_running_is_a_sentence(string sentence, params string[] args)
    {
        var (code, output) = await RunAsync([topology.Api.ToString(), .. args]);

        Assert.True(code == 2, output);
        Assert.Contains(sentence, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> RunAsync(string[] args, string? endAfter = null)
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory);
        var assembly = Path.Combine(configuration.Parent!.Parent!.FullName, "RealtimeAspire.Checker", configuration.Name, "RealtimeAspire.Checker.dll");
        using var process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [assembly, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(Topology.Cancelled);
            var lines = new List<string>();
            while (await process.StandardOutput.ReadLineAsync(Topology.Cancelled) is { } line)
            {
                lines.Add(line);
                if (endAfter is not null && line.Contains(endAfter, StringComparison.Ordinal))
                {
                    endAfter = null;
                    using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
                    await kill.WaitForExitAsync(Topology.Cancelled);
                }
            }

            await process.WaitForExitAsync(Topology.Cancelled);
            return (process.ExitCode, string.Join('\n', [.. lines, await errors]));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
