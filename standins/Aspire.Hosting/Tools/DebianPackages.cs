using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Tools;

/// <summary>
/// Programs that come as Debian packages. They are downloaded with whatever they depend on that is not
/// installed, and unpacked into a folder, not installed: no root is needed and nothing on the system changes.
/// </summary>
internal static class DebianPackages
{
    /// <summary>Unpacks the packages and their missing dependencies into <paramref name="folder"/>.</summary>
    public static async Task UnpackAsync(IReadOnlyList<string> packages, string folder, ILogger logger, CancellationToken cancellationToken)
    {
        if (ToolCache.Find("apt-get") is not { } apt || ToolCache.Find("dpkg") is not { } dpkg)
            throw new DistributedApplicationException($"{packages[0]} is neither installed nor can it be fetched, because this is no Debian system. Install it and try again.");

        logger.LogInformation("Fetching {Package} from Debian's packages (once) ...", packages[0]);
        var work = Directory.CreateDirectory(Path.Combine(folder, ".apt"));
        foreach (var name in (string[])["lists/partial", "archives/partial"])
            work.CreateSubdirectory(name);

        // Lists and archives of our own; what is installed is read from the system.
        string[] own = ["-q", "-o", $"Dir::State::Lists={work.FullName}/lists", "-o", $"Dir::Cache={work.FullName}", "-o", $"Dir::Cache::Archives={work.FullName}/archives", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true"];
        await ToolCache.RunAsync(apt, [.. own, "update"], cancellationToken: cancellationToken);
        var plan = await ToolCache.RunAsync(apt, [.. own, "install", "--simulate", "--no-install-recommends", .. packages], cancellationToken: cancellationToken);
        var missing = plan.Split('\n').Where(line => line.StartsWith("Inst ", StringComparison.Ordinal)).Select(line => line.Split(' ')[1]).Concat(packages).Distinct();
        await ToolCache.RunAsync(apt, [.. own, "download", .. missing], folder: work.FullName, cancellationToken: cancellationToken);
        foreach (var archive in work.GetFiles("*.deb"))
            await ToolCache.RunAsync(dpkg, ["-x", archive.FullName, folder], cancellationToken: cancellationToken);
        work.Delete(recursive: true);
    }

    /// <summary>The folders in which programs from <paramref name="folder"/> find their libraries, for LD_LIBRARY_PATH.</summary>
    public static string LibraryPath(string folder)
    {
        var path = Directory.EnumerateFiles(folder, "*.so*", SearchOption.AllDirectories).Select(Path.GetDirectoryName).Distinct().Order();
        return string.Join(':', path);
    }
}
