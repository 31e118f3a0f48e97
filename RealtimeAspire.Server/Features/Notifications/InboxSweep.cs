using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>Takes what has expired out of inboxes, which every device is told, and later out of the database, when no retry asks for it any more.</summary>
internal sealed partial class InboxSweep(Database database, TimeProvider time, ILogger<InboxSweep> logger) : BackgroundService
{
    private const int Step = 200;

    /// <summary>Entries go with what is planned for them on other channels; few enough that it takes much less than a statement may.</summary>
    private const int EntryStep = 2_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    // A day is what idempotency promises everywhere.
    private const string IsOld = "n.expires_at < now() - interval '1 day' and n.created_at < now() - interval '1 day' and n.finished_at is not null";

    private const string ForgetEntries = $"""
        delete from realtime.inbox_entries where ctid = any(array(
          select e.ctid
            from (select n.tenant, n.notification_id from realtime.notifications n where {IsOld} order by n.expires_at limit $1) old
           cross join lateral (
             select x.ctid from realtime.inbox_entries x where x.tenant = old.tenant and x.notification_id = old.notification_id order by x.user_id limit $2 for update skip locked) e
           limit $2))
        """;

    private const string Forget = $"""
        delete from realtime.notifications where ctid = any(array(
          select n.ctid from realtime.notifications n
           where {IsOld} and not exists (select from realtime.inbox_entries e where e.tenant = n.tenant and e.notification_id = n.notification_id)
           order by n.expires_at limit $1 for update skip locked))
        """;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        new Poll(Interval, time).RunAsync(ExpireAsync, LogFailed, stoppingToken), new Poll(Interval, time).RunAsync(ForgetAsync, LogNotForgotten, stoppingToken));

    private async Task<bool> ExpireAsync(CancellationToken cancellationToken)
    {
        var expired = await database.ReadAsync("select realtime.expire_inboxes($1)", static reader => reader.GetInt64(0), cancellationToken, Step);
        return expired[0] >= Step;
    }

    /// <summary>Some entries, then the notifications that have none left: one that many have goes step by step.</summary>
    /// <returns>Whether there may be more.</returns>
    internal async Task<bool> ForgetAsync(CancellationToken cancellationToken)
    {
        var entries = await database.RunAsync(ForgetEntries, cancellationToken, (long)Step, (long)EntryStep);
        var notifications = await database.RunAsync(Forget, cancellationToken, (long)Step);
        return entries == EntryStep || notifications == Step;
    }

    [LoggerMessage(EventId = 1702, Level = LogLevel.Warning, Message = "What has expired cannot be taken out of inboxes at the moment; nobody is shown it: {Reason}")]
    private partial void LogFailed(string reason);

    [LoggerMessage(EventId = 1703, Level = LogLevel.Warning, Message = "What has expired a day ago cannot be removed from the database at the moment: {Reason}")]
    private partial void LogNotForgotten(string reason);
}
