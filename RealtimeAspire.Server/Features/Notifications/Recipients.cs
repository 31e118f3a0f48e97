using Npgsql;
using RealtimeAspire.Protocol;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What became of some recipients.</summary>
/// <param name="Delivered">So many inboxes have it.</param>
/// <param name="Muted">So many want nothing of its kind.</param>
/// <param name="Refusals">Why others could not have it.</param>
/// <param name="IsLast">There are no more.</param>
internal sealed record RecipientsServed(int Delivered, int Muted, IReadOnlyList<string> Refusals, bool IsLast);

/// <summary>
/// Puts a notification into the inboxes of its next recipients, in the caller's transaction: their entries and events, what is planned on other channels, and how
/// far it has come, or nothing of it.
/// </summary>
internal sealed class Recipients(NotificationKinds kinds, DeliveryChannels channels, IOptions<NotificationOptions> options, NotificationInstruments instruments, TimeProvider time)
{
    private const string Next = "select user_id, preferences from realtime.notification_recipients($1, $2, $3)";
    private const string Deliver = "select recipient, code from realtime.deliver_notification($1, $2, $3, $4, $5)";

    private const string Advance = """
        update realtime.notifications
           set after_user = coalesce($3, after_user), delivered = delivered + $4, muted = muted + $5, refused = refused + $6,
               touched_at = clock_timestamp(), finished_at = case when $7 then clock_timestamp() end
         where tenant = $1 and notification_id = $2
        """;

    /// <param name="connection">With an open transaction, which has the notification's row.</param>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="id">The notification.</param>
    /// <param name="kindName">Its kind.</param>
    /// <param name="entry">How it is with it.</param>
    /// <param name="most">The most recipients, 1 or more.</param>
    /// <param name="cancellationToken">Ends the transaction.</param>
    public async Task<RecipientsServed> ServeAsync(
        NpgsqlConnection connection, string tenant, string id, string kindName, LadderEntry entry, int most, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var isOver = entry.Expires <= now || !kinds.TryFind(kindName, out _);
        var next = isOver
            ? []
            : await Database.ReadAsync(connection, Next, reader => (User: reader.GetString(0), Preferences: Preferences.Read(Database.TextAt(reader, 1))), cancellationToken, tenant, id, most);
        var isLast = next.Count < most;
        kinds.TryFind(kindName, out var kind);
        var takers = next.Where(one => one.Preferences.Takes(kind!)).ToArray();
        var codes = takers.Length == 0 ? [] : await Database.ReadAsync(
            connection,
            Deliver,
            reader => Database.TextAt(reader, 1),
            cancellationToken,
            tenant,
            id,
            takers.Select(one => one.User).ToArray(),
            takers.Select(one => Plan(Channel.Push, kind!, one.Preferences, entry, now)).ToArray(),
            takers.Select(one => Plan(Channel.Email, kind!, one.Preferences, entry, now)).ToArray());
        var refusals = codes.OfType<string>().ToArray();
        var served = new RecipientsServed(codes.Count - refusals.Length, next.Count - takers.Length, refusals, isLast);
        await Database.ReadAsync(
            connection, Advance, static _ => 0, cancellationToken,
            tenant, id, next.Count == 0 ? null : next[^1].User, (long)served.Delivered, (long)served.Muted, (long)refusals.Length, isLast);
        instruments.Stored(tenant, kindName, served.Delivered);
        return served;
    }

    private DateTimeOffset? Plan(Channel channel, KindRule kind, Preferences preferences, LadderEntry entry, DateTimeOffset now) =>
        channels.IsOn(channel) ? Ladder.Decide(channel, kind, preferences, entry, DelayOf(channel, options.Value), now).At?.ToUniversalTime() : null;

    public static TimeSpan DelayOf(Channel channel, NotificationOptions options) =>
        TimeSpan.FromSeconds(channel is Channel.Push ? options.PushDelaySeconds : options.EmailDelaySeconds);
}
