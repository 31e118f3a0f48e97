using System.Diagnostics;

namespace Aspire.Hosting.Tools;

/// <summary>Programs that are fetched once for this user and kept.</summary>
internal static class ToolCache
{
    /// <summary>Root's is outside its home, because PostgreSQL runs as another user and has to read it.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("ASPIRE_STANDINS_CACHE")
        ?? (IsRoot ? "/var/cache/aspire-standins" : Path.Combine(Base("XDG_CACHE_HOME", ".cache"), "aspire-standins"));

    public static string Volumes => Environment.GetEnvironmentVariable("ASPIRE_STANDINS_VOLUMES")
        ?? (IsRoot ? "/var/lib/aspire-standins/volumes" : Path.Combine(Base("XDG_DATA_HOME", ".local/share"), "aspire-standins", "volumes"));

    public static bool IsRoot => !OperatingSystem.IsWindows() && Environment.UserName == "root";

    /// <summary>The folder, filled by <paramref name="fill"/> if nobody has done so before; two at once do not disturb each other.</summary>
    /// <param name="fill">Gets an empty folder, which is put in place only when it returns.</param>
    public static async Task<string> GetAsync(string name, Func<string, Task> fill)
    {
        var folder = Path.Combine(Folder, name);
        if (Directory.Exists(folder))
            return folder;
        var unfinished = Path.Combine(Folder, $".{name}-{Guid.NewGuid():n}");
        Directory.CreateDirectory(unfinished);
        try
        {
            await fill(unfinished);
            if (!Directory.Exists(folder))
                Directory.Move(unfinished, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            // Somebody else was faster, with the same content.
        }
        finally
        {
            if (Directory.Exists(unfinished))
                Directory.Delete(unfinished, recursive: true);
        }

        return folder;
    }

    /// <summary>The first of the names on the PATH or in one of the folders; null if there is none.</summary>
    public static string? Find(string program, params IEnumerable<string> folders) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Concat(folders)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Runs a program to its end and returns what it wrote; a failure carries the end of its output.</summary>
    /// <param name="progress">Gets what it writes to its error stream, line by line as it comes.</param>
    public static async Task<string> RunAsync(string program, IEnumerable<string> args, Action<string>? progress = null, string folder = "/", CancellationToken cancellationToken = default)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder,
            Environment = { ["LC_ALL"] = "C.UTF-8" },
        };
        using var process = Process.Start(start) ?? throw new DistributedApplicationException($"{program} could not be started.");
        process.StandardInput.Close();
        var errors = ReadAsync(process.StandardError, progress);
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        var said = await errors;
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            var reason = (said + output).Trim();
            throw new DistributedApplicationException($"{Path.GetFileName(program)} ended with code {process.ExitCode}: {reason[Math.Max(0, reason.Length - 600)..]}");
        }

        return output;

        static async Task<string> ReadAsync(StreamReader reader, Action<string>? progress)
        {
            var all = new System.Text.StringBuilder();
            while (await reader.ReadLineAsync() is { } line)
            {
                all.AppendLine(line);
                progress?.Invoke(line);
            }

            return all.ToString();
        }
    }

    private static string Base(string variable, string fallback) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set
        ? set
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), fallback);
}
