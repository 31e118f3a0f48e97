using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Who may not write in a room for a time.</summary>
/// <param name="User">Who.</param>
/// <param name="Until">When it is over.</param>
/// <param name="By">Which moderator has said so.</param>
internal sealed record MuteEntry(string User, DateTimeOffset Until, string By);

/// <summary>What a member has told moderators of.</summary>
/// <param name="Id">Names the report.</param>
/// <param name="Message">The message.</param>
/// <param name="Reporter">Who has reported it.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When.</param>
/// <param name="ResolvedAt">When a moderator has dealt with it.</param>
/// <param name="ResolvedBy">Which one.</param>
/// <param name="Resolution">How.</param>
internal sealed record ReportEntry(
    long Id, string Message, string Reporter, string Reason, DateTimeOffset At, DateTimeOffset? ResolvedAt, string? ResolvedBy, string? Resolution);

/// <summary>What moderators do. Each act is on record before it is done.</summary>
internal sealed class ChatModeration(
    Database database, RoomStore rooms, ChatRules rules, ChatProjector projector, PublishPath publish, ITopicPublisher publisher, Memberships memberships, AuditTrail audit, TimeProvider time)
{
    private const string PutMute = """
        insert into realtime.chat_mutes (tenant, topic, user_id, until, muted_by) values ($1, $2, $3, $4, $5)
            on conflict (tenant, topic, user_id) do update set until = excluded.until, muted_by = excluded.muted_by
        """;

    private const string DropMute = "delete from realtime.chat_mutes where tenant = $1 and topic = $2 and user_id = $3";

    private const string FindMutes = """
        select user_id, until, muted_by from realtime.chat_mutes where tenant = $1 and topic = $2 and until > now() and user_id > $3 order by user_id limit $4
        """;

    private const string AddReport = """
        insert into realtime.chat_reports (tenant, topic, "offset", reporter, reason) values ($1, $2, $3, $4, $5) on conflict (tenant, topic, "offset", reporter) do nothing
        """;

    private const string FindReports = """
        select report_id, "offset", reporter, reason, created_at, resolved_at, resolved_by, resolution from realtime.chat_reports
         where tenant = $1 and topic = $2 and report_id > $3 and (resolved_at is null or $4) order by report_id limit $5
        """;

    private const string Resolve = """
        update realtime.chat_reports set resolved_at = date_trunc('milliseconds', now()), resolved_by = $4, resolution = $5
         where tenant = $1 and topic = $2 and report_id = $3 and resolved_at is null
        """;

    /// <summary>Takes a message back: one's own as its author, somebody else's as the server on behalf of a moderator.</summary>
    /// <exception cref="RealtimeException"><c>message_not_found</c>, <c>not_author</c>, or why it could not be published.</exception>
    public async Task DeleteAsync(RoomView room, RoomMessage message)
    {
        if (message.IsDeleted)
        {
            throw new RealtimeException(ErrorCode.MessageNotFound);
        }

        var isMine = message.Author == room.Caller.UserId;
        if (!isMine && !TopicAccess.MayManage(room.Caller, room.Topic.Name))
        {
            throw new RealtimeException(ErrorCode.NotAuthor);
        }

        var payload = JsonSerializer.SerializeToElement(new ChatDelete(isMine ? null : room.Caller.UserId), ChatEventJson.Default.ChatDelete);
        var request = new PublishRequest { Event = ChatFeature.DeleteEvent, EntityId = MessageEntry.ToId(message.Offset), Payload = payload };
        if (isMine)
        {
            await publish.PublishAsync(room.Caller, room.Topic.Name, request);
        }
        else
        {
            await RecordAsync(room, "delete", ("message", request.EntityId), ("author", message.Author ?? ""));
            await publisher.PublishAsync(room.Topic.Name.Value, request, room.Topic.Tenant);
        }

        projector.Signal(room.Topic);
    }

    /// <exception cref="RealtimeException"><c>audit_unavailable</c>, <c>log_unavailable</c>.</exception>
    public async Task ChangeAsync(RoomView room, RoomChange change, CancellationToken cancellationToken)
    {
        await RecordAsync(room, "change", ("slow", change.SlowSeconds?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "as it is"));
        var kind = memberships.IsPrivate(room.Topic.Tenant, room.Topic.Name) ? "private" : "public";
        await rooms.ChangeAsync(room.Topic, kind, change.Title, change.Description, change.SlowSeconds, room.Caller.UserId, cancellationToken);
        await rules.LearnAsync(room.Topic, cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>audit_unavailable</c>, <c>log_unavailable</c>.</exception>
    public async Task MuteAsync(RoomView room, string user, TimeSpan duration, CancellationToken cancellationToken)
    {
        await RecordAsync(room, "mute", ("user", user), ("for", duration.ToString()));
        await database.RunAsync(PutMute, cancellationToken, room.Topic.Tenant, room.Topic.Name.Value, user, time.GetUtcNow() + duration, room.Caller.UserId);
        await rules.LearnAsync(room.Topic, cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>audit_unavailable</c>, <c>log_unavailable</c>.</exception>
    public async Task UnmuteAsync(RoomView room, string user, CancellationToken cancellationToken)
    {
        await RecordAsync(room, "unmute", ("user", user));
        await database.RunAsync(DropMute, cancellationToken, room.Topic.Tenant, room.Topic.Name.Value, user);
        await rules.LearnAsync(room.Topic, cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<MuteEntry>> ListMutesAsync(RoomView room, string after, int limit, CancellationToken cancellationToken) => database.ReadAsync(
        FindMutes,
        static reader => new MuteEntry(reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2)),
        cancellationToken,
        room.Topic.Tenant,
        room.Topic.Name.Value,
        after,
        limit);

    /// <summary>Tells moderators of a message; a second time by the same member changes nothing.</summary>
    /// <returns>Whether it is new.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> ReportAsync(RoomView room, RoomMessage message, string reason, CancellationToken cancellationToken) =>
        await database.RunAsync(AddReport, cancellationToken, room.Topic.Tenant, room.Topic.Name.Value, message.Offset, room.Caller.UserId, reason) > 0;

    /// <summary>The reports, the oldest first.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<IReadOnlyList<ReportEntry>> ListReportsAsync(RoomView room, long after, bool withResolved, int limit, CancellationToken cancellationToken) => database.ReadAsync(
        FindReports,
        static reader => new ReportEntry(
            reader.GetInt64(0), MessageEntry.ToId(reader.GetInt64(1)), reader.GetString(2), reader.GetString(3), reader.GetFieldValue<DateTimeOffset>(4),
            reader.IsDBNull(5) ? null : reader.GetFieldValue<DateTimeOffset>(5), reader.IsDBNull(6) ? null : reader.GetString(6), reader.IsDBNull(7) ? null : reader.GetString(7)),
        cancellationToken,
        room.Topic.Tenant,
        room.Topic.Name.Value,
        after,
        withResolved,
        limit);

    /// <exception cref="RealtimeException"><c>not_found</c>, <c>audit_unavailable</c>, <c>log_unavailable</c>.</exception>
    public async Task ResolveAsync(RoomView room, long report, string resolution, CancellationToken cancellationToken)
    {
        await RecordAsync(room, "resolve", ("report", MessageEntry.ToId(report)));
        if (await database.RunAsync(Resolve, cancellationToken, room.Topic.Tenant, room.Topic.Name.Value, report, room.Caller.UserId, resolution) == 0)
        {
            throw new RealtimeException(ErrorCode.NotFound, "There is no such report, or it is resolved.");
        }
    }

    /// <exception cref="RealtimeException"><c>audit_unavailable</c>, <c>log_unavailable</c>, <c>overloaded</c>: it is under way.</exception>
    public async Task RebuildAsync(RoomView room, CancellationToken cancellationToken)
    {
        await RecordAsync(room, "rebuild");
        await projector.RebuildAsync(room.Topic, cancellationToken);
    }

    private Task RecordAsync(RoomView room, string act, params ReadOnlySpan<(string Name, string Value)> details) => audit.RecordAsync(
        AuditAction.RoomModerated, room.Topic.Tenant, AuditActor.Of(room.Caller), room.Topic.Name.Value, details: [("act", act), .. details]);
}
