using System.Diagnostics;
using Aspire.Hosting.Testing;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>One more node on the topology's stores, with settings of its own. It is not started again when it dies.</summary>
internal sealed class ProofNode : IAsyncDisposable
{
    private readonly Process _process;

    private ProofNode(Process process, Uri address) => (_process, Address) = (process, address);

    public Uri Address { get; }

    public int ProcessId => _process.Id;

    public bool HasExited => _process.HasExited;

    public static async Task<ProofNode> StartAsync(Topology topology, params (string Key, string Value)[] settings)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [ApiAssembly(), "--urls", address.ToString()])
        {
            Environment =
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Development",
                ["ConnectionStrings__redis"] = await topology.App.GetConnectionStringAsync("redis", Topology.Cancelled),
                ["ConnectionStrings__realtime"] = await topology.App.GetConnectionStringAsync("realtime", Topology.Cancelled),
                ["Realtime__Auth__SigningKey"] = "a-signing-key-of-the-tests-and-of-nobody-else",
                ["Logging__LogLevel__Default"] = "Warning",
            },
        };
        foreach (var (key, value) in settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var node = new ProofNode(Process.Start(start)!, address);
        try
        {
            await Eventually.BecomesTrueAsync(node.IsReadyAsync, "the node is not ready");
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>As by <c>kill -9</c>.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private Task<bool> IsReadyAsync()
    {
        Assert.False(_process.HasExited, "The node has ended before it was ready.");
        return Topology.IsReadyAsync(Address);
    }

    /// <summary>Beside the tests' own output.</summary>
    private static string ApiAssembly()
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(configuration.Parent!.Parent!.FullName, "RealtimeAspire.Api", configuration.Name, "RealtimeAspire.Api.dll");
    }
}
