using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>The load generator: a process of its own, so that its CPU time is never the server's.</summary>
internal static class Generator
{
    public const string Command = "generate";

    /// <summary>Handles what arrives on the thread that hears of it, which makes it cheap enough for one core.</summary>
    public static readonly IReadOnlyDictionary<string, string> Settings = new Dictionary<string, string>
    {
        ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1",
        ["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = "1",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
    };

    public static readonly IReadOnlyDictionary<string, string> NoSettings = new Dictionary<string, string>();

    public static async Task<int> RunAsync()
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        var job = JsonSerializer.Deserialize<Job>(await Console.In.ReadLineAsync() ?? "", JsonSerializerOptions.Web)!;
        var shape = Shape.All.First(shape => shape.Name == job.Shape);
        try
        {
            await using var run = new LoadRun(job);
            await shape.MeasureAsync(run);
            return 0;
        }
        catch (Exception error) when (error is BenchmarkException or TimeoutException or SocketException or HttpRequestException)
        {
            await Console.Error.WriteLineAsync(error is TimeoutException ? "A server did not answer in time." : error.Message);
            return 1;
        }
    }
}
