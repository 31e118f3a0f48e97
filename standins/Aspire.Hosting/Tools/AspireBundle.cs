using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Tools;

/// <summary>Aspire's own orchestrator and dashboard; <c>aspire-bundle.sh</c> finds or fetches them.</summary>
internal sealed record AspireBundle(string Folder)
{
    public string Orchestrator => Path.Combine(Folder, "dcp", "dcp");

    /// <summary>Runs only with its own folder as working directory.</summary>
    public string Dashboard => Path.Combine(Folder, "managed", "aspire-managed");

    public static async Task<AspireBundle> LocateAsync(ILogger logger, CancellationToken cancellationToken)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "aspire-bundle.sh");
        var folder = await ToolCache.RunAsync("sh", [script], line => logger.LogInformation("{Line}", line), cancellationToken: cancellationToken);
        return new AspireBundle(folder.Trim());
    }
}
