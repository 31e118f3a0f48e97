using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>
/// Takes sends with many recipients further, some recipients at a time, on whichever node has time for it. A step is one transaction that holds the send's row: a node that
/// dies in the middle has done nothing of it, another one goes on from the step before, and no recipient is served twice or left out. A step that cannot be done, as when an
/// application's transaction holds one of the inboxes, lets go of the others and is left for a while.
/// </summary>
internal sealed partial class AudienceJob(
    Database database, Recipients recipients, IOptions<NotificationOptions> options, TimeProvider time, ILogger<AudienceJob> logger) : BackgroundService
{
    /// <summary>Few enough that nobody else who publishes to one of their inboxes waits long.</summary>
    private const int Step = 100;

    // Until it is over the step has the inboxes of those who come before whoever it waits for.
    private const string Limit = "set local lock_timeout = '500ms'";

    // Those that have waited longest first: a large send does not hold up a small one.
    private const string Take = """
        select tenant, notification_id, kind, priority, created_at, expires_at
          from realtime.notifications where finished_at is null and touched_at <= now() order by touched_at limit 1 for update skip locked
        """;

    private const string Leave = """
        update realtime.notifications set touched_at = clock_timestamp() + interval '5 seconds' where tenant = $1 and notification_id = $2 and finished_at is null
        """;

    private readonly Poll _poll = new(TimeSpan.FromMilliseconds(options.Value.PollMs), time);

    /// <summary>There is something to do.</summary>
    public void Wake() => _poll.Wake();

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => _poll.RunAsync(StepAsync, LogFailed, stoppingToken);

    /// <returns>Whether there may be more.</returns>
    private async Task<bool> StepAsync(CancellationToken cancellationToken)
    {
        (string Tenant, string Id)? begun = null;
        try
        {
            return await database.TransactAsync(
                async connection =>
                {
                    await Database.ReadAsync(connection, Limit, static _ => 0, cancellationToken);
                    var taken = await Database.ReadAsync(
                        connection,
                        Take,
                        reader => (
                            Tenant: reader.GetString(0),
                            Id: reader.GetString(1),
                            Kind: reader.GetString(2),
                            Entry: new LadderEntry(Names.ToPriority(reader.GetString(3)), reader.GetFieldValue<DateTimeOffset>(4), reader.GetFieldValue<DateTimeOffset>(5))),
                        cancellationToken);
                    if (taken is not [var send])
                    {
                        return false;
                    }

                    begun = (send.Tenant, send.Id);
                    await recipients.ServeAsync(connection, send.Tenant, send.Id, send.Kind, send.Entry, Step, cancellationToken);
                    return true;
                },
                cancellationToken);
        }
        catch (Exception) when (begun is { } stuck && !cancellationToken.IsCancellationRequested)
        {
            await database.RunAsync(Leave, cancellationToken, stuck.Tenant, stuck.Id);
            throw;
        }
    }

    [LoggerMessage(EventId = 1701, Level = LogLevel.Warning, Message = "Notifications to many cannot be taken further at the moment: {Reason}")]
    private partial void LogFailed(string reason);
}
