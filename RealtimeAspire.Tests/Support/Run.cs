using System.Diagnostics;

namespace RealtimeAspire.Tests.Support;

/// <summary>Programs that a test runs to their end.</summary>
internal static class Run
{
    /// <returns>What it has written.</returns>
    public static async Task<string> InAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Topology.Cancelled);
        var errors = process.StandardError.ReadToEndAsync(Topology.Cancelled);
        await process.WaitForExitAsync(Topology.Cancelled);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await output}{await errors}");
        return await output;
    }
}
