using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>Removes, now and then, files that no message has. Of several nodes each may: what one has removed the others do not find.</summary>
internal sealed partial class FileSweep(ChatFiles files, TimeProvider time, ILogger<FileSweep> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await SweepAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private async Task SweepAsync(CancellationToken stoppingToken)
    {
        try
        {
            await files.SweepAsync(stoppingToken);
        }
        catch (RealtimeException exception)
        {
            LogLeft(exception.InnerException?.Message ?? exception.Message);
        }
    }

    [LoggerMessage(EventId = 1753, Level = LogLevel.Warning, Message = "Files that no message has are left for an hour: {Reason}")]
    private partial void LogLeft(string reason);
}
