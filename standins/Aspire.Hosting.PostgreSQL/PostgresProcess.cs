using System.Runtime.InteropServices;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Postgres;

/// <summary>Finds or fetches PostgreSQL, prepares its data folder, and runs it as a user that it accepts.</summary>
internal static class PostgresProcess
{
    private static readonly string Package = $"@embedded-postgres/{(OperatingSystem.IsMacOS() ? "darwin" : "linux")}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";
    private const string PackageVersion = "18.4.0-beta.17";
    private const string PackageMajor = "18";

    public static async Task<ProcessSpec> PrepareAsync(PostgresServerResource server, ProcessContext context, CancellationToken cancellationToken)
    {
        var data = Path.Combine(context.Volume ?? context.Scratch, "pgdata");
        var kept = File.Exists(Path.Combine(data, "PG_VERSION")) ? (await File.ReadAllTextAsync(Path.Combine(data, "PG_VERSION"), cancellationToken)).Trim() : null;
        var programs = await LocateAsync(kept, data, context.Logger, cancellationToken);
        if (kept is null)
            await InitialiseAsync(server, programs, data, context, cancellationToken);

        var (program, args) = AsAcceptedUser(Path.Combine(programs, "postgres"),
        [
            "-D", data, "-p", $"{context.Port}", "-c", "listen_addresses=localhost", "-c", "unix_socket_directories=",
            "-c", "max_connections=200", "-c", "log_min_messages=warning", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
        ]);
        return new ProcessSpec(program, args, data, Path.Combine(programs, "postgres"));
    }

    /// <summary>The folder with the programs of the major version that made the data, or of the newest one if there is none yet.</summary>
    private static async Task<string> LocateAsync(string? major, string data, ILogger logger, CancellationToken cancellationToken)
    {
        var found = new List<(string Major, string Folder)>();
        foreach (var folder in Candidates().Where(f => File.Exists(Path.Combine(f, "postgres")) && File.Exists(Path.Combine(f, "initdb"))))
            found.Add((await MajorOfAsync(folder, cancellationToken), folder));
        if (found.Find(f => major is null || f.Major == major) is { Folder: not null } match)
            return match.Folder;

        if (major is not null && major != PackageMajor)
        {
            throw new DistributedApplicationException(
                $"The data in {data} was made by PostgreSQL {major}, but only {string.Join(", ", found.Select(f => f.Major).Append(PackageMajor).Distinct())} is to be had here. Nothing was changed. Install PostgreSQL {major}, or move the folder away to begin with an empty one.");
        }

        try
        {
            return await FetchAsync(logger, cancellationToken);
        }
        catch (DistributedApplicationException error)
        {
            throw new DistributedApplicationException(
                $"PostgreSQL {major} was not found and could not be fetched. Install it, for example with `apt-get install postgresql`. ({error.Message})");
        }
    }

    private static IEnumerable<string> Candidates()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var debian = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(d => int.TryParse(Path.GetFileName(d), out var n) ? n : 0).Select(d => Path.Combine(d, "bin")) : [];
        return [.. path, .. debian, "/usr/pgsql/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin"];
    }

    private static async Task<string> MajorOfAsync(string programs, CancellationToken cancellationToken) =>
        (await ToolCache.RunAsync(Path.Combine(programs, "postgres"), ["--version"], cancellationToken: cancellationToken)).Split(' ').Select(w => w.Trim()).First(w => w.Length > 0 && char.IsAsciiDigit(w[0])).Split('.')[0];

    private static async Task<string> FetchAsync(ILogger logger, CancellationToken cancellationToken)
    {
        var folder = await ToolCache.GetAsync($"postgresql-{PackageVersion}", async f =>
        {
            var native = Path.Combine(await NpmPackage.UnpackAsync(Package, PackageVersion, f, logger, cancellationToken), "native");

            // npm keeps no symbolic links; the package lists them.
            var links = JsonSerializer.Deserialize<Link[]>(await File.ReadAllTextAsync(Path.Combine(native, "pg-symlinks.json"), cancellationToken), JsonSerializerOptions.Web) ?? [];
            foreach (var link in links)
            {
                var at = Path.Combine(Path.GetDirectoryName(native)!, link.Target);
                Directory.CreateDirectory(Path.GetDirectoryName(at)!);
                File.CreateSymbolicLink(at, Path.GetRelativePath(Path.GetDirectoryName(at)!, Path.Combine(Path.GetDirectoryName(native)!, link.Source)));
            }

            foreach (var program in Directory.GetFiles(Path.Combine(native, "bin")))
                File.SetUnixFileMode(program, File.GetUnixFileMode(program) | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        });
        return Path.Combine(folder, "package", "native", "bin");
    }

    private static async Task InitialiseAsync(PostgresServerResource server, string programs, string data, ProcessContext context, CancellationToken cancellationToken)
    {
        var parent = Directory.CreateDirectory(Path.GetDirectoryName(data)!).FullName;
        var password = Path.Combine(parent, ".password");
        await File.WriteAllTextAsync(password, await server.PasswordParameter.GetValueAsync(cancellationToken), cancellationToken);
        File.SetUnixFileMode(password, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        try
        {
            if (ToolCache.IsRoot)
            {
                // The other user has to pass through the run's own folder.
                if (parent == context.Scratch)
                    File.SetUnixFileMode(Path.GetDirectoryName(parent)!, (UnixFileMode)0b111_001_001);
                await ToolCache.RunAsync("chown", ["-R", AcceptedUser, parent], cancellationToken: cancellationToken);
            }

            context.Logger.LogInformation("Preparing a new data folder {Folder}", data);
            var (program, args) = AsAcceptedUser(Path.Combine(programs, "initdb"),
                ["-D", data, "-U", PostgresServerResource.UserName, $"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-instructions"]);
            await ToolCache.RunAsync(program, args, cancellationToken: cancellationToken);
        }
        finally
        {
            File.Delete(password);
        }
    }

    private static string AcceptedUser => File.ReadLines("/etc/passwd").Any(l => l.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";

    /// <summary>PostgreSQL refuses to run as root.</summary>
    private static (string Program, IReadOnlyList<string> Args) AsAcceptedUser(string program, string[] args) => ToolCache.IsRoot
        ? ("setpriv", [$"--reuid={AcceptedUser}", $"--regid={GroupOfAcceptedUser}", "--clear-groups", program, .. args])
        : (program, args);

    private static string GroupOfAcceptedUser => File.ReadLines("/etc/passwd").First(l => l.StartsWith(AcceptedUser + ":", StringComparison.Ordinal)).Split(':')[3];

    private sealed record Link(string Source, string Target);
}
