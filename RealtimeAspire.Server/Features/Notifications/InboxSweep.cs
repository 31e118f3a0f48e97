using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>Takes what has expired out of inboxes, which every device is told, and later out of the database, when no retry asks for it any more.</summary>
internal sealed partial class InboxSweep(NotificationDatabase database, TimeProvider time, ILogger<InboxSweep> logger) : BackgroundService
{
    private const int Step = 200;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    // A day is what idempotency promises everywhere.
    private const string Forget = """
        with old as (
          select tenant, notification_id from realtime.notifications
           where expires_at < now() - interval '1 day' and created_at < now() - interval '1 day' and finished_at is not null limit $1 for update skip locked),
        gone as (delete from realtime.notifications n using old where n.tenant = old.tenant and n.notification_id = old.notification_id returning 1)
        select count(*) from gone
        """;

    private readonly Poll _poll = new(Interval, time);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _poll.RunAsync(SweepAsync, LogFailed, stoppingToken);

    internal async Task<bool> SweepAsync(CancellationToken cancellationToken)
    {
        var expired = await database.RunAsync("select realtime.expire_inboxes($1)", static reader => reader.GetInt64(0), cancellationToken, Step);
        var forgotten = await database.RunAsync(Forget, static reader => reader.GetInt64(0), cancellationToken, (long)Step);
        return expired[0] + forgotten[0] >= Step;
    }

    [LoggerMessage(EventId = 1702, Level = LogLevel.Warning, Message = "What has expired cannot be taken out of inboxes at the moment; nobody is shown it: {Reason}")]
    private partial void LogFailed(string reason);
}
