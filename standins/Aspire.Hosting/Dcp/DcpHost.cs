using System.Diagnostics;
using Aspire.Hosting.Tools;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dcp;

/// <summary>Starts Aspire's orchestrator. It watches this process, and ends with everything that it started when this process ends.</summary>
internal sealed class DcpHost(ILogger<DcpHost> logger, TimeProvider time) : IAsyncDisposable
{
    // What belongs to the app host alone: resources are told by their own environment.
    private static readonly string[] NotInherited = ["ASPNETCORE_URLS", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "DOTNET_LAUNCH_PROFILE", "MSBuildSDKsPath", "MSBuildExtensionsPath", "MSBUILD_EXE_PATH"];

    private readonly DirectoryInfo _session = Directory.CreateTempSubdirectory("aspire-");
    private Process? _process;
    private DcpClient? _client;

    /// <summary>A folder of this run, readable by this user only, removed at its end.</summary>
    public string SessionFolder => _session.FullName;

    public DcpClient Client => _client ?? throw new InvalidOperationException("The orchestrator has not been started.");

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var bundle = await AspireBundle.LocateAsync(logger, cancellationToken);
        var kubeconfig = Path.Combine(SessionFolder, "kubeconfig");
        var start = new ProcessStartInfo(bundle.Orchestrator)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = SessionFolder,
            ArgumentList = { "start-apiserver", "--monitor", $"{Environment.ProcessId}", "--monitor-interval", "1", "--detach", "--kubeconfig", kubeconfig },
            Environment = { ["DCP_SESSION_FOLDER"] = SessionFolder },
        };
        foreach (var name in NotInherited)
            start.Environment.Remove(name);
        _process = Process.Start(start)!;

        // `--detach`: this process forks the real one, out of reach of the terminal's Ctrl+C, and ends.
        var output = _process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = _process.StandardError.ReadToEndAsync(cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
        if (_process.ExitCode != 0)
            throw new DistributedApplicationException($"Aspire's orchestrator ended with code {_process.ExitCode}: {await errors}{await output}");

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        string text;
        while (!File.Exists(kubeconfig) || !(text = await File.ReadAllTextAsync(kubeconfig, limit.Token)).Contains("token:", StringComparison.Ordinal))
            await Task.Delay(TimeSpan.FromMilliseconds(20), time, limit.Token);
        _client = DcpClient.FromKubeconfig(text);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_client is null)
            return;
        await _client.StopServerAsync(cancellationToken);
        while (await AnswersAsync(_client, cancellationToken))
            await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellationToken);
    }

    /// <summary>While it stops what it has started it answers with errors; when it has ended it does not answer.</summary>
    private static async Task<bool> AnswersAsync(DcpClient client, CancellationToken cancellationToken)
    {
        try
        {
            await client.GetAsync<ServiceSpec, ServiceStatus>("services", "none", cancellationToken);
            return true;
        }
        catch (HttpRequestException error)
        {
            return error.StatusCode is not null;
        }
    }

    public ValueTask DisposeAsync()
    {
        _client?.Dispose();
        _process?.Dispose();
        try
        {
            _session.Delete(recursive: true);
        }
        catch (IOException error)
        {
            logger.LogDebug(error, "{Folder} could not be removed.", SessionFolder);
        }

        return ValueTask.CompletedTask;
    }
}
