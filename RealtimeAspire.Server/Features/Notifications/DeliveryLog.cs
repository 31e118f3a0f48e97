using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>How far a notification has come with one recipient on one channel.</summary>
/// <param name="User">The recipient.</param>
/// <param name="Channel"><c>inbox</c>, <c>live</c>, <c>push</c> or <c>email</c>.</param>
/// <param name="Device">Which device: that has dealt with it (<c>live</c>), was pushed to, or on which it was read (<c>inbox</c>). Null where there is none.</param>
/// <param name="State">Of <c>inbox</c>: sent, read, removed, replaced, expired. Of <c>live</c>: delivered. Of others: waiting, leased, sending, sent, cancelled, dead, unknown.</param>
/// <param name="Reason">Why it is cancelled, dead, unknown, or waits for another try.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="DueAt">When it is tried next, or was meant to be.</param>
/// <param name="SentAt">When it came into the inbox, or was handed on.</param>
/// <param name="DeliveredAt">When the device had dealt with it.</param>
/// <param name="ReadAt">When it was read.</param>
/// <param name="ChangedAt">When it came to this state.</param>
internal sealed record DeliveryEntry(
    string User, string Channel, string? Device, string State, string? Reason, int Attempts, DateTimeOffset? DueAt, DateTimeOffset? SentAt, DateTimeOffset? DeliveredAt,
    DateTimeOffset? ReadAt, DateTimeOffset ChangedAt);

/// <summary>What became of a notification, recipient by recipient.</summary>
/// <param name="Deliveries">In the order of users' names; each user's are all on one page.</param>
/// <param name="Complete">There are no more behind them.</param>
internal sealed record DeliveryPage(IReadOnlyList<DeliveryEntry> Deliveries, bool Complete);

/// <summary>A delivery that was given up, or of which nobody knows.</summary>
/// <param name="Delivery">Names it.</param>
/// <param name="Notification">Of which notification.</param>
/// <param name="User">For whom.</param>
/// <param name="Channel"><c>push</c> or <c>email</c>.</param>
/// <param name="Device">For which device; null: none.</param>
/// <param name="State"><c>dead</c>: it was not taken; <c>unknown</c>: it may have been.</param>
/// <param name="Reason">Why.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="ChangedAt">Since when.</param>
internal sealed record DeadLetter(
    long Delivery, string Notification, string User, string Channel, string? Device, string State, string? Reason, int Attempts, DateTimeOffset ChangedAt);

/// <summary>A page of dead letters.</summary>
/// <param name="DeadLetters">The oldest first.</param>
/// <param name="Complete">There are no more behind them.</param>
internal sealed record DeadLetterPage(IReadOnlyList<DeadLetter> DeadLetters, bool Complete);

/// <summary>What has become of notifications, for who sent them and for operators.</summary>
internal sealed class DeliveryLog(Database database)
{
    private const string Page = """
        with recipients as (
          select e.* from realtime.inbox_entries e
           where e.tenant = $1 and e.notification_id = $2 and e.user_id > $3 order by e.user_id limit $4)
        select r.user_id, 'inbox', coalesce(r.read_on, ''), coalesce(r.removal, case when r.read_at is null then 'sent' else 'read' end), null::text, 0, null::timestamptz,
               r.created_at, null::timestamptz, r.read_at, coalesce(r.removed_at, r.read_at, r.created_at), 0::bigint as place
          from recipients r
        union all
        select r.user_id, d.channel, d.device, d.state, d.reason, d.attempts, d.due_at, case when d.state = 'sent' then d.changed_at end,
               case when d.state = 'delivered' then d.changed_at end, null, d.changed_at, d.delivery_id
          from recipients r join realtime.notification_deliveries d using (tenant, notification_id, user_id)
         order by user_id, place
        """;

    private const string Dead = """
        select delivery_id, notification_id, user_id, channel, device, state, reason, attempts, changed_at
          from realtime.notification_deliveries
         where tenant = $1 and state in ('dead', 'unknown') and delivery_id > $2 order by delivery_id limit $3
        """;

    private const string RetryOne = """
        update realtime.notification_deliveries
           set state = 'waiting', reason = null, attempts = 0, due_at = now(), changed_at = clock_timestamp()
         where tenant = $1 and delivery_id = $2 and state in ('dead', 'unknown')
        returning notification_id
        """;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<DeliveryPage> ReadAsync(string tenant, string id, string after, int limit, CancellationToken cancellationToken)
    {
        var entries = await database.ReadAsync(tenant, Page, ToEntry, cancellationToken, tenant, id, after, (long)limit + 1);
        var users = entries.Select(entry => entry.User).Distinct(StringComparer.Ordinal).ToArray();
        return users.Length > limit
            ? new DeliveryPage([.. entries.Where(entry => entry.User != users[^1])], Complete: false)
            : new DeliveryPage(entries, Complete: true);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<DeadLetterPage> ReadDeadAsync(string tenant, long after, int limit, CancellationToken cancellationToken)
    {
        var letters = await database.ReadAsync(
            tenant,
            Dead,
            reader => new DeadLetter(
                reader.GetInt64(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), NotEmpty(reader.GetString(4)), reader.GetString(5),
                Database.TextAt(reader, 6), reader.GetInt32(7), reader.GetFieldValue<DateTimeOffset>(8)),
            cancellationToken, tenant, after, (long)limit + 1);
        return new DeadLetterPage([.. letters.Take(limit)], Complete: letters.Count <= limit);
    }

    /// <summary>Lets it be tried again, as if it had never been: what is unknown may so come twice, which is for people to decide.</summary>
    /// <returns>False: there is no such dead letter.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> RetryAsync(Caller caller, long delivery, CancellationToken cancellationToken) =>
        await database.ReadAsync(RetryOne, static _ => true, cancellationToken, caller.Tenant, delivery) is [true];

    private static DeliveryEntry ToEntry(NpgsqlDataReader reader) => new(
        reader.GetString(0),
        reader.GetString(1),
        NotEmpty(reader.GetString(2)),
        reader.GetString(3),
        Database.TextAt(reader, 4),
        reader.GetInt32(5),
        Database.TimeAt(reader, 6),
        Database.TimeAt(reader, 7),
        Database.TimeAt(reader, 8),
        Database.TimeAt(reader, 9),
        reader.GetFieldValue<DateTimeOffset>(10));

    private static string? NotEmpty(string text) => text.Length == 0 ? null : text;
}
