using System.Diagnostics;

namespace RealtimeAspire.Tests.Web;

public sealed class BrowserModuleTests
{
    /// <summary>The pure parts of what is written in TypeScript have tests of their own, beside them.</summary>
    [Theory]
    [InlineData("RealtimeAspire.Web")]
    [InlineData("clients/typescript")]
    public async Task The_browser_modules_pass_their_own_tests(string folder)
    {
        var start = new ProcessStartInfo("npm", ["test", "--silent"])
        {
            WorkingDirectory = Repository.PathOf(folder),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var npm = Process.Start(start)!;
        var errors = npm.StandardError.ReadToEndAsync(Topology.Cancelled);
        var output = await npm.StandardOutput.ReadToEndAsync(Topology.Cancelled);
        await npm.WaitForExitAsync(Topology.Cancelled);
        Assert.True(npm.ExitCode == 0, output + await errors);
        Assert.Matches("pass [1-9]", output);
    }
}
