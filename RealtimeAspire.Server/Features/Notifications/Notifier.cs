using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Tenants;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>
/// Sends notifications: stored, and for a few named users in their inboxes, in one transaction. For more recipients <see cref="AudienceJob"/> goes on from what is stored.
/// </summary>
internal sealed class Notifier(
    Database database, NotificationKinds kinds, Recipients recipients, AudienceJob job, TenantRegistry tenants, IOptions<NotificationOptions> options, TimeProvider time)
    : INotifier
{
    /// <summary>So many users are served before the answer.</summary>
    private const int AtOnce = 20;

    private const int MaxIdLength = 128;

    private const string Columns = "notification_id, delivered, muted, refused, created_at, finished_at, content, sender";

    private const string Insert = """
        insert into realtime.notifications (
          tenant, notification_id, sender, request_id, content, kind, title, body, link, data, priority, collapse_key, created_at, expires_at, audience, audience_users, audience_topic)
        values ($1, $2, $3, $4, $5, $6, $7, $8::text, $9::text, $10::text, $11, $12::text, $13, $14, $15, $16::text[], $17::text)
        on conflict (tenant, sender, request_id) do nothing
        returning notification_id
        """;

    public Task<NotificationReceipt> SendAsync(
        Notification notification, NotificationAudience to, string? id = null, string tenant = Caller.DefaultTenant, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(notification);
        ArgumentNullException.ThrowIfNull(to);
        if (!Caller.IsTenant(tenant))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A tenant is 1 to 64 of letters, digits and . _ ~ -.");
        }

        tenants.Require(tenant);
        return SendAsync(new Caller(tenant, UserId: ""), NotificationForm.Require(notification, to, kinds, time.GetUtcNow()), id, cancellationToken);
    }

    /// <param name="sender">Who sends it, and may.</param>
    /// <param name="draft">What.</param>
    /// <param name="id">Untrusted; null: a retry is a new notification.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<NotificationReceipt> SendAsync(Caller sender, NotificationDraft draft, string? id, CancellationToken cancellationToken)
    {
        if (id is not null && (id.Length is 0 or > MaxIdLength || id.AsSpan().ContainsAnyExceptInRange('!', '~')))
        {
            throw new RealtimeException(ErrorCode.IdInvalid);
        }

        var isSmall = draft.Users is { Length: <= AtOnce };
        var receipt = await database.TransactAsync(
            async connection =>
            {
                var now = time.GetUtcNow();
                var latest = now.AddDays(options.Value.KeepDays);
                var expires = draft.ExpiresAt is { } wanted && wanted < latest ? wanted.ToUniversalTime() : latest;
                var made = Guid.CreateVersion7(now).ToString("n");
                var content = draft.Hash();
                var request = id ?? made;
                var inserted = await Database.ReadAsync(
                    connection, Insert, static reader => reader.GetString(0), cancellationToken,
                    sender.Tenant, made, sender.UserId, request, content, draft.Kind.Name, draft.Title, draft.Body, draft.Link, draft.Data, Names.Of(draft.Priority), draft.CollapseKey,
                    now, expires, draft.Users is not null ? "users" : draft.To.Topic is not null ? "topic" : "tenant", draft.Users, draft.To.Topic);
                if (inserted.Count > 0 && isSmall)
                {
                    // One more than there can be: so it sees that there are no more.
                    var served = await recipients.ServeAsync(
                        connection, sender.Tenant, made, draft.Kind.Name, new LadderEntry(draft.Priority, now, expires), AtOnce + 1, cancellationToken);
                    if (draft.Users!.Length == 1 && served.Refusals is [var code])
                    {
                        throw new RealtimeException(ErrorCode.Find(code));
                    }
                }

                var rows = await Database.ReadAsync(
                    connection, $"select {Columns} from realtime.notifications where tenant = $1 and sender = $2 and request_id = $3",
                    reader => (Receipt: ToReceipt(reader), Content: reader.GetFieldValue<byte[]>(6)), cancellationToken, sender.Tenant, sender.UserId, request);
                return rows[0].Content.AsSpan().SequenceEqual(content)
                    ? rows[0].Receipt with { Duplicate = inserted.Count == 0 }
                    : throw new RealtimeException(ErrorCode.IdConflict, "This id was used for another notification.");
            },
            cancellationToken);
        if (receipt.FinishedAt is null)
        {
            job.Wake();
        }

        return receipt;
    }

    /// <summary>How far a send has come; null: there is none of this id that the caller may see.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="id">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<NotificationReceipt?> FindAsync(Caller caller, string id, CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(
            caller.Tenant, $"select {Columns} from realtime.notifications where tenant = $1 and notification_id = $2",
            reader => (Receipt: ToReceipt(reader), Sender: reader.GetString(7)), cancellationToken, caller.Tenant, id);
        return rows is [var row] && (row.Sender == caller.UserId || NotificationRights.MayManage(caller)) ? row.Receipt : null;
    }

    private static NotificationReceipt ToReceipt(Npgsql.NpgsqlDataReader reader)
    {
        var finished = Database.TimeAt(reader, 5);
        return new NotificationReceipt(
            reader.GetString(0), finished is null ? "sending" : "sent", reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetFieldValue<DateTimeOffset>(4), finished);
    }
}
