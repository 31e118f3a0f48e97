using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.AppHost;

internal static class StartupReportExtensions
{
    /// <summary>Writes a short table of what runs where once the resources are healthy, and why one has failed as soon as it has.</summary>
    /// <param name="resources">Those that are waited for: Aspire adds others of its own to the model, some of which never run.</param>
    public static void AddStartupReport(this IDistributedApplicationBuilder builder, Addresses addresses, params IResourceBuilder<IResource>[] resources)
    {
        var names = resources.Select(r => r.Resource.Name).ToHashSet(StringComparer.Ordinal);
        builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<StartupReport>(services, addresses, names));
    }
}

internal sealed partial class StartupReport(
    Addresses addresses, HashSet<string> expected, ResourceNotificationService notifications, ResourceLoggerService logs,
    IConfiguration configuration, TimeProvider time, ILogger<StartupReport> logger) : BackgroundService
{
    private const int LinesOfAFailure = 5;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = time.GetTimestamp();
        var states = new Dictionary<string, ResourceEvent>(StringComparer.Ordinal);
        var reported = false;
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            var before = states.GetValueOrDefault(change.ResourceId)?.Snapshot.State?.Text;
            states[change.ResourceId] = change;
            var state = change.Snapshot.State?.Text;
            if (state != before && (state == KnownResourceStates.FailedToStart || (state == KnownResourceStates.Exited && before != KnownResourceStates.Stopping)))
                Failed(logger, change.ResourceId, state, change.Snapshot.ExitCode, await LastLinesAsync(change.ResourceId, stoppingToken));
            if (!reported && expected.All(name => IsHealthy(states, name)))
            {
                reported = true;
                Console.WriteLine(Table(states.Values, time.GetElapsedTime(started)));
            }
        }
    }

    private static bool IsHealthy(Dictionary<string, ResourceEvent> states, string name)
    {
        var instances = states.Values.Where(s => s.Resource.Name == name).ToArray();
        return instances.Length > 0 && instances.All(i => i.Snapshot.State?.Text == KnownResourceStates.Running && i.Snapshot.HealthStatus == HealthStatus.Healthy);
    }

    private async Task<string> LastLinesAsync(string resourceId, CancellationToken cancellationToken)
    {
        var lines = new Queue<string>();
        await foreach (var batch in logs.GetAllAsync(resourceId).WithCancellation(cancellationToken))
        {
            foreach (var line in batch)
            {
                lines.Enqueue(line.Content);
                if (lines.Count > LinesOfAFailure)
                    lines.Dequeue();
            }
        }

        return string.Concat(lines.Select(line => Environment.NewLine + "    " + line));
    }

    private string Table(IEnumerable<ResourceEvent> states, TimeSpan after)
    {
        var table = new StringBuilder().AppendLine().AppendLine(string.Create(null, $"  Everything is healthy after {after.TotalSeconds:0.0} s."));
        foreach (var group in states.Where(s => expected.Contains(s.Resource.Name)).GroupBy(s => s.Resource.Name).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var where = string.Join("  ", group.First().Snapshot.Urls.Select(u => u.Url));
            var nodes = group.Count() > 1 ? $" ({group.Count()} nodes)" : "";
            table.AppendLine($"  {group.Key,-10} {where}{nodes}");
        }

        var token = configuration["AppHost:BrowserToken"];
        table.AppendLine($"  {"dashboard",-10} http://localhost:{addresses.Dashboard}{(string.IsNullOrEmpty(token) ? "" : $"/login?t={token}")}");
        return table.AppendLine("  Ctrl+C stops everything.").ToString();
    }

    [LoggerMessage(1, LogLevel.Error, "{Resource} is {State} (exit code {ExitCode}). Its last lines:{Lines}")]
    private static partial void Failed(ILogger logger, string resource, string? state, int? exitCode, string lines);
}
