using RealtimeAspire.Benchmarks.Run;

namespace RealtimeAspire.Benchmarks.Peers;

/// <summary>The npm packages of the scripts beside this file.</summary>
internal static class NodePackages
{
    public static string Folder { get; } = Path.Combine(Machine.RepositoryRoot, "RealtimeAspire.Benchmarks", "Peers");

    /// <summary>Runs <c>npm ci</c> unless it has been run for this lock file.</summary>
    public static async Task RestoreAsync(CancellationToken cancellationToken)
    {
        var restored = new FileInfo(Path.Combine(Folder, "node_modules", ".restored"));
        if (restored.Exists && restored.LastWriteTimeUtc >= File.GetLastWriteTimeUtc(Path.Combine(Folder, "package-lock.json")))
            return;
        Console.WriteLine("Restoring the npm packages of the peers");
        // What is optional is native code that ws would use as soon as it lies there.
        await Machine.RunAsync("npm", ["ci", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"], Folder, cancellationToken);
        await File.WriteAllTextAsync(restored.FullName, "", cancellationToken);
    }
}
