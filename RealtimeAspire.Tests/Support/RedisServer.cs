using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Support;

/// <summary>
/// A Redis of one test's own, to be killed, paused and flushed. It ends with the test's process, however that ends.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    // What ends it is the end of this shell's input: by Kill, or because the test's process is gone.
    private const string Guard = "\"$@\" 2>&1 & child=$!; exec 2>/dev/null; read _; kill -9 $child; wait $child";

    private readonly string _program;
    private readonly string? _libraries;
    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-redis-").FullName;
    private readonly string[] _settings;
    private readonly string? _password;
    private Process? _guard;

    private RedisServer((string Program, string? Libraries) located, int port, string? password, string[] settings)
    {
        (_program, _libraries) = located;
        (Port, _password, _settings) = (port, password, settings);
    }

    public int Port { get; }

    public string ConnectionString => _password is null ? $"127.0.0.1:{Port}" : $"127.0.0.1:{Port},password={_password}";

    /// <param name="port">A free one by default.</param>
    /// <param name="replicaOf">The server that it copies.</param>
    /// <param name="password">None by default.</param>
    /// <param name="keepsData">Whether it has all its data again after a kill; by default it has none.</param>
    public static async Task<RedisServer> StartAsync(int port = 0, RedisServer? replicaOf = null, string? password = null, bool keepsData = false)
    {
        List<string> settings = ["save", "", "appendonly", keepsData ? "yes" : "no", "appendfsync", "always", "maxmemory-policy", "noeviction", "repl-diskless-sync-delay", "0"];
        if (replicaOf is not null)
        {
            settings.AddRange("replicaof", $"127.0.0.1 {replicaOf.Port}", "masterauth", replicaOf._password ?? "");
        }

        if (password is not null)
        {
            settings.AddRange("requirepass", password);
        }

        var server = new RedisServer(await LocateAsync(), port == 0 ? FreePort.Next() : port, password, [.. settings]);
        await server.RestartAsync();
        return server;
    }

    /// <summary>Ends it as a crash would.</summary>
    public void Kill()
    {
        if (_guard is { } guard)
        {
            _guard = null;
            guard.StandardInput.Close();
            guard.WaitForExit();
            guard.Dispose();
        }
    }

    /// <summary>Starts it again on the same port, after a kill if it still runs.</summary>
    public async Task RestartAsync()
    {
        Kill();
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = _folder };
        foreach (var argument in (string[])["-c", Guard, "sh", _program, "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder])
        {
            start.ArgumentList.Add(argument);
        }

        for (var i = 0; i < _settings.Length; i += 2)
        {
            start.ArgumentList.Add($"--{_settings[i]}");
            // It splits what it is given, as it does with a line of its file.
            Array.ForEach(_settings[i + 1].Split(' '), start.ArgumentList.Add);
        }

        if (_libraries is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = _libraries;
        }

        _guard = Process.Start(start)!;
        // Read, so that it can go on writing.
        _guard.OutputDataReceived += (_, _) => { };
        _guard.BeginOutputReadLine();
        await Eventually.BecomesTrueAsync(AnswersAsync, $"Redis on port {Port} does not answer.", StartLimit);
    }

    /// <summary>Sends one command past every client library, and returns the first line of the reply, or the text it announces.</summary>
    /// <param name="command">Words without blanks in them, for example <c>CLIENT PAUSE 5000</c>.</param>
    public async Task<string> SendAsync(string command)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, Port, Topology.Cancelled);
        await using var stream = connection.GetStream();
        using var reader = new StreamReader(stream, Encoding.UTF8);
        if (_password is not null)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"AUTH {_password}\r\n"), Topology.Cancelled);
            await reader.ReadLineAsync(Topology.Cancelled);
        }

        await stream.WriteAsync(Encoding.UTF8.GetBytes($"{command}\r\n"), Topology.Cancelled);
        var line = await reader.ReadLineAsync(Topology.Cancelled) ?? "";
        if (line.StartsWith('-'))
        {
            throw new InvalidOperationException($"{command}: {line}");
        }

        if (!line.StartsWith('$') || line == "$-1")
        {
            return line[1..];
        }

        var text = new char[int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)];
        var length = await reader.ReadBlockAsync(text, Topology.Cancelled);
        return new string(text, 0, length);
    }

    public ValueTask DisposeAsync()
    {
        Kill();
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task<bool> AnswersAsync()
    {
        if (_guard is not { HasExited: false })
        {
            throw new InvalidOperationException($"Redis on port {Port} has ended.");
        }

        try
        {
            return await SendAsync("PING") == "PONG";
        }
        catch (Exception exception) when (exception is SocketException or IOException or InvalidOperationException)
        {
            // Not yet listening, or loading its data.
            return false;
        }
    }

    /// <summary>The same program that the app host runs: the machine's, else Debian's, fetched once into the user's cache.</summary>
    private static async Task<(string Program, string? Libraries)> LocateAsync()
    {
        if (ToolCache.Find("redis-server", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin") is { } installed)
        {
            return (installed, null);
        }

        using var logging = LoggerFactory.Create(builder => builder.AddConsole());
        var folder = await ToolCache.GetAsync("redis", unfinished => DebianPackages.UnpackAsync(["redis-server"], unfinished, logging.CreateLogger("redis"), CancellationToken.None));
        return (Path.Combine(folder, "usr", "bin", "redis-server"), DebianPackages.LibraryPath(folder));
    }
}
