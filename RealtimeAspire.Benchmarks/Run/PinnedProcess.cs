using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>A process of ours on one core, with the end of what it wrote for the case that it fails. Disposing kills it.</summary>
internal sealed class PinnedProcess : IAsyncDisposable
{
    private const int KeptLines = 5;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly Queue<string> _last = new();
    private readonly Task _reading;

    private PinnedProcess(Process process, Action<string>? output)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, output ?? Keep), ReadAsync(process.StandardError, Keep));
    }

    public int Id => _process.Id;

    public StreamWriter Input => _process.StandardInput;

    /// <param name="cores">The cores that it may use, as taskset lists them; null: any. taskset becomes the program, so the process is the program's own.</param>
    /// <param name="launch">What to start.</param>
    /// <param name="output">Gets each line of its output; without it the last ones are kept for <see cref="LastWords"/>.</param>
    public static PinnedProcess Start(string? cores, Launch launch, Action<string>? output = null)
    {
        var start = new ProcessStartInfo(cores is null ? launch.Program : "taskset", cores is null ? launch.Arguments : ["-c", cores, launch.Program, .. launch.Arguments])
        {
            WorkingDirectory = launch.Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in launch.Environment)
            start.Environment[name] = value;
        return new PinnedProcess(Process.Start(start)!, output);
    }

    /// <summary>Starts a server on a free port of its own and waits until it can be used.</summary>
    public static async Task<(PinnedProcess Process, Uri Address, TimeSpan ReadyAfter)> StartServerAsync(
        Peer peer, Hosting hosting, bool several, Surroundings surroundings, CancellationToken cancellationToken)
    {
        var address = new Uri($"{(hosting.Secure ? Uri.UriSchemeHttps : Uri.UriSchemeHttp)}://127.0.0.1:{FreePort()}");
        var started = Stopwatch.GetTimestamp();
        var launch = peer.LaunchOn(address, several, surroundings);
        var environment = launch.Environment.Concat(hosting.Settings).GroupBy(setting => setting.Key).ToDictionary(same => same.Key, same => same.Last().Value);
        var server = Start(hosting.Cores, launch with { Environment = environment });
        try
        {
            using var http = new HttpClient(new SocketsHttpHandler { SslOptions = ThrowawayCertificate.Trusting(surroundings.Certificate) }) { Timeout = TimeSpan.FromSeconds(5) };
            await server.BecomesReadyAsync(http, new Uri(address, peer.HealthPath), cancellationToken);
            return (server, address, Stopwatch.GetElapsedTime(started));
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public Task WaitForExitAsync(CancellationToken cancellationToken) => Task.WhenAll(_process.WaitForExitAsync(cancellationToken), _reading);

    public int ExitCode => _process.ExitCode;

    public string LastWords
    {
        get
        {
            lock (_last)
                return string.Join(Environment.NewLine, _last);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        await _reading;
        _process.Dispose();
    }

    private async Task BecomesReadyAsync(HttpClient http, Uri health, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartLimit);
        while (true)
        {
            if (_process.HasExited)
                throw new BenchmarkException($"A server ended with code {_process.ExitCode} before it could be used:{Environment.NewLine}{LastWords}");
            try
            {
                using var response = await http.GetAsync(health, limit.Token);
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
            {
                // It does not listen yet, or has not answered in time.
            }

            await Task.Delay(Pause, TimeProvider.System, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            if (limit.IsCancellationRequested)
                throw new BenchmarkException($"A server did not become ready within {StartLimit.TotalSeconds:0} s:{Environment.NewLine}{LastWords}");
        }
    }

    private void Keep(string line)
    {
        // A stack is long and pushes out what it is about.
        if (line.StartsWith("   at ", StringComparison.Ordinal))
            return;
        lock (_last)
        {
            _last.Enqueue(line);
            if (_last.Count > KeptLines)
                _last.Dequeue();
        }
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> take)
    {
        while (await reader.ReadLineAsync() is { } line)
            take(line);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
