using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>This machine: its facts for the table, and programs run on it.</summary>
internal static class Machine
{
    public static string RepositoryRoot { get; } = typeof(Machine).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(attribute => attribute.Key == "RepositoryRoot").Value!;

    /// <exception cref="BenchmarkException">Servers and load could not be kept apart here.</exception>
    public static void RequireFit()
    {
        if (!OperatingSystem.IsLinux())
            throw new BenchmarkException("The benchmarks need Linux: servers are pinned with taskset and their CPU time is read from /proc.");
        if (Environment.ProcessorCount < 2)
            throw new BenchmarkException("The benchmarks need two cores: one for the server, one for the load generator.");
        foreach (var program in (string[])["taskset", "node", "npm"])
        {
            var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, program))))
                throw new BenchmarkException($"{program} is not on the PATH, and the benchmarks need it.");
        }
    }

    /// <summary>What the figures depend on, by name. The stores tell their own.</summary>
    public static async Task<IReadOnlyList<(string Name, string Value)>> FactsAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        var cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim();
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024 * 1024 * 1024.0);
        return
        [
            ("date", time.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture)),
            ("commit", await CommitAsync(cancellationToken)),
            ("load average before", File.ReadAllText("/proc/loadavg").Split(' ')[0]),
            ("CPU", $"{cpu ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, {memory:0} GiB"),
            ("kernel", (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", cancellationToken)).Trim()),
            (".NET", $"{Environment.Version}"),
            ("Node", (await RunAsync("node", ["--version"], "/", cancellationToken)).Trim()),
        ];
    }

    /// <summary>Runs a program to its end and returns what it wrote.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string folder, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? output : throw new BenchmarkException($"{program} ended with code {process.ExitCode}: {(await errors).Trim()}");
    }

    private static async Task<string> CommitAsync(CancellationToken cancellationToken)
    {
        try
        {
            var commit = (await RunAsync("git", ["rev-parse", "--short", "HEAD"], RepositoryRoot, cancellationToken)).Trim();
            var changes = await RunAsync("git", ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"], RepositoryRoot, cancellationToken);
            return changes.Trim().Length == 0 ? commit : $"{commit} with changes";
        }
        catch (BenchmarkException)
        {
            return "not a git checkout";
        }
    }
}
