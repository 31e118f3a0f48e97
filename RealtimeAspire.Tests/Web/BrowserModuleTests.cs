using System.Diagnostics;

namespace RealtimeAspire.Tests.Web;

public sealed class BrowserModuleTests
{
    /// <summary>The pure parts of the browser's modules have tests of their own, in TypeScript beside them.</summary>
    [Fact]
    public async Task The_browser_modules_pass_their_own_tests()
    {
        var start = new ProcessStartInfo("npm", ["test", "--silent"])
        {
            WorkingDirectory = Repository.PathOf("RealtimeAspire.Web"),
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
