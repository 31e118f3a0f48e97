using System.Text.Json;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>A notification in somebody's inbox.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Offset">Its place: that of its event in <c>user:{id}</c>.</param>
/// <param name="Kind">What it is about.</param>
/// <param name="Title">One line.</param>
/// <param name="Body">More of it.</param>
/// <param name="Link">Where it leads: a path, or an http(s) address.</param>
/// <param name="Data">Whatever the sender has said.</param>
/// <param name="Priority">low, normal, high or urgent.</param>
/// <param name="From">Who sent it, a user or key:{id}; null: the server.</param>
/// <param name="CollapseKey">Of several unread ones with the same key only the newest is here.</param>
/// <param name="CreatedAt">When it was sent.</param>
/// <param name="ExpiresAt">When it leaves the inbox.</param>
/// <param name="ReadAt">When it was read, on whichever device; null: it is unread.</param>
internal sealed record InboxEntry(
    string Id, long Offset, string Kind, string Title, string? Body, string? Link, JsonElement? Data, string Priority, string? From, string? CollapseKey,
    DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, DateTimeOffset? ReadAt);

/// <summary>A page of an inbox, all of it as of one moment.</summary>
/// <param name="Notifications">The newest first.</param>
/// <param name="Unread">How many are unread, on this page and beyond.</param>
/// <param name="Position">Of the topic at that moment: who subscribes from there misses nothing that came later.</param>
/// <param name="Complete">There are none before them.</param>
internal sealed record InboxPage(IReadOnlyList<InboxEntry> Notifications, long Unread, Position Position, bool Complete);

/// <summary>How many are unread.</summary>
/// <param name="Unread">The badge.</param>
internal sealed record UnreadReply(long Unread);

/// <summary>What reading or removing has changed.</summary>
/// <param name="Changed">So many were unread, or there, before.</param>
/// <param name="Unread">How many are unread now.</param>
internal sealed record InboxChange(long Changed, long Unread);

/// <summary>A user's inbox, in Postgres. Whatever changes in it is told on every device by an event of the same transaction.</summary>
internal sealed class InboxStore(Database database)
{
    // One statement: one moment.
    private const string Page = """
        with me as (
          select realtime.inbox_unread($1, $2) as unread, t.epoch || (select realtime.incarnation()) as epoch, t.last_offset
            from (select 1) one left join realtime.topics t on t.tenant = $1 and t.topic = 'user:' || $2),
        page as (
          select e.notification_id, e."offset", n.kind, n.title, n.body, n.link, n.data, n.priority, n.sender, n.collapse_key, n.created_at, n.expires_at, e.read_at
            from realtime.inbox_entries e join realtime.notifications n using (tenant, notification_id)
           where e.tenant = $1 and e.user_id = $2 and e.removed_at is null and e.expires_at > clock_timestamp()
             and e."offset" < $3 and (e.read_at is null or not $4)
           order by e."offset" desc limit $5)
        select me.unread, me.epoch, me.last_offset, page.* from me left join page on true order by page."offset" desc
        """;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<InboxPage> ReadAsync(Caller caller, long before, int limit, bool isUnread, CancellationToken cancellationToken)
    {
        // One more shows whether there are more.
        var rows = await database.ReadAsync(
            caller.Tenant,
            Page,
            reader => (Unread: reader.GetInt64(0), Position: ToPosition(reader), Entry: reader.IsDBNull(3) ? null : ToEntry(reader)),
            cancellationToken,
            caller.Tenant,
            caller.UserId,
            before,
            isUnread,
            (long)limit + 1);
        var entries = rows.Select(row => row.Entry).OfType<InboxEntry>().ToArray();
        return new InboxPage([.. entries.Take(limit)], rows[0].Unread, rows[0].Position, Complete: entries.Length <= limit);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<long> CountUnreadAsync(Caller caller, CancellationToken cancellationToken) => (await database.ReadAsync(
        caller.Tenant, "select realtime.inbox_unread($1, $2)", static reader => reader.GetInt64(0), cancellationToken, caller.Tenant, caller.UserId))[0];

    /// <summary>One of them was read, or all up to a place.</summary>
    /// <exception cref="RealtimeException"><c>not_found</c>, <c>log_unavailable</c>.</exception>
    public async Task<InboxChange> MarkReadAsync(Caller caller, string? id, long? upTo, string? device, CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(
            "select is_there, changed, unread from realtime.read_inbox($1, $2, $3::text, $4::bigint, $5::text)",
            static reader => (IsThere: reader.GetBoolean(0), Change: new InboxChange(reader.GetInt64(1), reader.GetInt64(2))),
            cancellationToken,
            caller.Tenant,
            caller.UserId,
            id,
            upTo,
            device);
        return rows[0].IsThere ? rows[0].Change : throw new RealtimeException(ErrorCode.NotFound, "There is no such notification in your inbox.");
    }

    /// <summary>Takes one out. One that is not there is not there afterwards, either.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<InboxChange> RemoveAsync(Caller caller, string id, CancellationToken cancellationToken) => (await database.ReadAsync(
        "select changed, unread from realtime.remove_from_inbox($1, $2, $3, 'removed')",
        static reader => new InboxChange(reader.GetInt64(0), reader.GetInt64(1)),
        cancellationToken,
        caller.Tenant,
        caller.UserId,
        new[] { id }))[0];

    private static Position ToPosition(NpgsqlDataReader reader) =>
        reader.IsDBNull(1) || reader.GetInt64(2) == 0 ? Position.Origin : new Position(reader.GetString(1), reader.GetInt64(2));

    private static InboxEntry ToEntry(NpgsqlDataReader reader) => new(
        reader.GetString(3),
        reader.GetInt64(4),
        reader.GetString(5),
        reader.GetString(6),
        Database.TextAt(reader, 7),
        Database.TextAt(reader, 8),
        Database.TextAt(reader, 9) is { } data ? JsonElement.Parse(data) : null,
        reader.GetString(10),
        reader.GetString(11) is { Length: > 0 } sender ? sender : null,
        Database.TextAt(reader, 12),
        reader.GetFieldValue<DateTimeOffset>(13),
        reader.GetFieldValue<DateTimeOffset>(14),
        Database.TimeAt(reader, 15));
}
