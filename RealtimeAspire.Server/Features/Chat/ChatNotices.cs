using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>
/// Tells users that they are mentioned, or were made members of a room, where the application has notifications. What is to be told is in the
/// database, by the transaction that made it so, and stays there until it was sent; its id follows from what it tells, so a node that dies
/// in between loses nothing, and whoever goes on tells nobody twice.
/// </summary>
internal sealed partial class ChatNotices(
    Database database, TopicCatalog topics, TopicAccess access, TimeProvider time, ILogger<ChatNotices> logger, INotifier? notifier = null) : BackgroundService
{
    private const int AtOnce = 50;
    private const int MaxName = 60;
    private const int MaxBody = 300;

    /// <summary>Whom a mention is told: who may read the message, and whom the server knows. A name that is made up gets no inbox.</summary>
    private const string TakeMentions = """
        with due as materialized (select * from realtime.chat_mentions where due_at <= now() order by due_at limit $1 for update skip locked)
        select d.topic_id, d."offset", d.user_id, d.tenant, t.topic, t.epoch, m.author, m.text, r.name,
               coalesce(m.deleted_at is null and d.user_id = any(m.mentions), false),
               p.topic is not null,
               case when u.role is not null then u.role <> 'banned' and (u.joined_offset < d."offset" or p.topic is null or p.shows_past) end,
               exists (select from realtime.chat_reads s where s.tenant = d.tenant and s.topic = t.topic and s.user_id = d.user_id)
                 or exists (select from realtime.chat_counts c where c.topic_id = d.topic_id and c.user_id = d.user_id and c.messages > 0),
               exists (select from realtime.members k where k.tenant = d.tenant and k.user_id = d.user_id)
                 or exists (select from realtime.inboxes i where i.tenant = d.tenant and i.user_id = d.user_id)
                 or exists (select from realtime.accounts a where a.tenant = d.tenant and a.user_id = d.user_id)
          from due d
          left join realtime.topics t on t.topic_id = d.topic_id
          left join realtime.chat_messages m on m.topic_id = d.topic_id and m."offset" = d."offset"
          left join realtime.chat_rooms r on r.tenant = d.tenant and r.topic = t.topic
          left join realtime.private_topics p on p.tenant = d.tenant and p.topic = t.topic
          left join realtime.members u on u.tenant = d.tenant and u.topic = t.topic and u.user_id = d.user_id
         order by d."offset"
        """;

    private const string DropMentions = """
        delete from realtime.chat_mentions c using unnest($1::bigint[], $2::bigint[], $3::text[]) d(topic_id, "offset", user_id)
         where c.topic_id = d.topic_id and c."offset" = d."offset" and c.user_id = d.user_id
        """;

    private const string PutOffMentions = """
        update realtime.chat_mentions c set due_at = now() + interval '10 seconds' from unnest($1::bigint[], $2::bigint[], $3::text[]) d(topic_id, "offset", user_id)
         where c.topic_id = d.topic_id and c."offset" = d."offset" and c.user_id = d.user_id
        """;

    // Those of a day ago and more are of a time in which nobody was told: there were no notifications then.
    private const string TakeInvitations = """
        with due as materialized (select * from realtime.members where invitation_due <= now() order by invitation_due limit $1 for update skip locked)
        select d.tenant, d.topic, d.user_id, d.invited_by, d.joined_at, r.name, d.topic like $2 and d.role <> 'banned' and d.joined_at > now() - interval '1 day'
          from due d left join realtime.chat_rooms r on r.tenant = d.tenant and r.topic = d.topic
        """;

    private const string SettleInvitations = """
        update realtime.members m set invitation_due = case when d.is_done then null else now() + interval '10 seconds' end
          from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) d(tenant, topic, user_id, is_done)
         where m.tenant = d.tenant and m.topic = d.topic and m.user_id = d.user_id
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Poll _poll = new(Interval, time);

    /// <summary>Whether anybody is told anything.</summary>
    public bool IsOn => notifier is not null;

    /// <summary>There is something to tell.</summary>
    public void Wake() => _poll.Wake();

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => IsOn ? _poll.RunAsync(StepAsync, LogFailed, stoppingToken) : Task.CompletedTask;

    /// <returns>Whether there may be more.</returns>
    private async Task<bool> StepAsync(CancellationToken stoppingToken) =>
        await database.TransactAsync(connection => TellMentionsAsync(connection, stoppingToken), stoppingToken)
        | await database.TransactAsync(connection => TellInvitationsAsync(connection, stoppingToken), stoppingToken);

    private async Task<bool> TellMentionsAsync(NpgsqlConnection connection, CancellationToken stoppingToken)
    {
        var due = await Database.ReadAsync(connection, TakeMentions, Mention.Read, stoppingToken, AtOnce);
        List<Mention> done = [], later = [];
        foreach (var mention in due)
        {
            var isDone = !MayHear(mention) || await SendAsync(mention.ToNotification(), mention.UserId, mention.Id, mention.Tenant, stoppingToken);
            (isDone ? done : later).Add(mention);
        }

        foreach (var (sql, mentions) in new[] { (DropMentions, done), (PutOffMentions, later) }.Where(static settled => settled.Item2.Count > 0))
        {
            await Database.ReadAsync(
                connection, sql, static _ => 0, stoppingToken,
                mentions.Select(static mention => mention.TopicId).ToArray(), mentions.Select(static mention => mention.Offset).ToArray(), mentions.Select(static mention => mention.UserId).ToArray());
        }

        return due.Count == AtOnce;
    }

    private async Task<bool> TellInvitationsAsync(NpgsqlConnection connection, CancellationToken stoppingToken)
    {
        var due = await Database.ReadAsync(connection, TakeInvitations, Invitation.Read, stoppingToken, AtOnce, $"{TopicCatalog.Room}:%");
        List<bool> done = [];
        foreach (var invitation in due)
        {
            done.Add(!invitation.IsDue || await SendAsync(invitation.ToNotification(), invitation.UserId, invitation.Id, invitation.Tenant, stoppingToken));
        }

        if (due.Count > 0)
        {
            await Database.ReadAsync(
                connection, SettleInvitations, static _ => 0, stoppingToken,
                due.Select(static invitation => invitation.Tenant).ToArray(), due.Select(static invitation => invitation.Topic.Value).ToArray(),
                due.Select(static invitation => invitation.UserId).ToArray(), done.ToArray());
        }

        return due.Count == AtOnce;
    }

    /// <summary>Whether he may read it, as far as that is known of somebody who is not here, and is somebody.</summary>
    private bool MayHear(Mention mention) => mention is { IsThere: true, Topic: { } topic }
        && (mention.MemberMay ?? (!mention.IsPrivate && (mention.WasHere || (mention.IsKnown && access.MayReadHistory(new Caller(mention.Tenant, mention.UserId), topics.Get(topic), topic)))));

    /// <returns>Whether it is done with: sent, or refused for good.</returns>
    private async Task<bool> SendAsync(Notification notification, string user, string id, string tenant, CancellationToken stoppingToken)
    {
        try
        {
            await notifier!.SendAsync(notification, NotificationAudience.User(user), id, tenant, stoppingToken);
            return true;
        }
        catch (RealtimeException exception)
        {
            if (!exception.Error.Retryable)
            {
                LogRefused(notification.Kind, exception.Message);
            }

            return !exception.Error.Retryable;
        }
    }

    /// <summary>The same for the same facts, whoever sends it.</summary>
    private static string IdOf(string kind, params ReadOnlySpan<string> facts) => $"{kind}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', facts))))}";

    private static string LinkTo(TopicName topic) => $"/rooms/{Uri.EscapeDataString(topic.Identifier)}";

    /// <summary>Of texts and names that users have typed in, what a title or body may have; a title is one line.</summary>
    private static string Cut(string text, int length, bool isLine)
    {
        var plain = new string([.. text.Select(character => character is '\n' or '\r' or '\t' ? isLine ? ' ' : character : char.IsControl(character) || character == '\uFFFD' ? ' ' : character)]).Trim();
        return plain.Length <= length ? plain : $"{plain.AsSpan(0, char.IsHighSurrogate(plain[length - 2]) ? length - 2 : length - 1)}…";
    }

    private sealed record Mention(long TopicId, long Offset, string UserId, string Tenant, TopicName? Topic, string Epoch, string? Author, string Text, string? Title)
    {
        /// <summary>The message is there, and mentions him still.</summary>
        public bool IsThere { get; private init; }

        public bool IsPrivate { get; private init; }

        /// <summary>Null: he is no member.</summary>
        public bool? MemberMay { get; private init; }

        /// <summary>He has read or written in the room.</summary>
        public bool WasHere { get; private init; }

        /// <summary>He is somebody, somewhere.</summary>
        public bool IsKnown { get; private init; }

        public string Id => IdOf("mention", $"{TopicId}", Epoch, $"{Offset}", UserId);

        public static Mention Read(NpgsqlDataReader reader) => new(
            reader.GetInt64(0), reader.GetInt64(1), reader.GetString(2), reader.GetString(3), Database.TextAt(reader, 4) is { } topic ? TopicName.Parse(topic) : null, Database.TextAt(reader, 5) ?? "",
            Database.TextAt(reader, 6), Database.TextAt(reader, 7) ?? "", Database.TextAt(reader, 8))
        {
            IsThere = reader.GetBoolean(9),
            IsPrivate = reader.GetBoolean(10),
            MemberMay = reader.IsDBNull(11) ? null : reader.GetBoolean(11),
            WasHere = reader.GetBoolean(12),
            IsKnown = reader.GetBoolean(13),
        };

        public Notification ToNotification()
        {
            var room = Cut(Title ?? Topic!.Value.Identifier, MaxName, isLine: true);
            var message = Offset.ToString(CultureInfo.InvariantCulture);
            return new Notification("mention", Author is null or "" || Author.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal) ? $"You were mentioned in {room}" : $"{Cut(Author, MaxName, isLine: true)} mentioned you in {room}")
            {
                Body = Cut(Text, MaxBody, isLine: false) is { Length: > 0 } body ? body : null,
                Link = $"{LinkTo(Topic!.Value)}?at={message}",
                Data = JsonSerializer.SerializeToElement(new ChatNotice(Topic.Value.Value, message), ChatNoticeJson.Default.ChatNotice),
            };
        }
    }

    private sealed record Invitation(string Tenant, TopicName Topic, string UserId, string? By, DateTimeOffset At, string? Title, bool IsDue)
    {
        public string Id => IdOf("invitation", Topic.Value, UserId, At.UtcTicks.ToString(CultureInfo.InvariantCulture));

        public static Invitation Read(NpgsqlDataReader reader) => new(
            reader.GetString(0), TopicName.Parse(reader.GetString(1)), reader.GetString(2), Database.TextAt(reader, 3), reader.GetFieldValue<DateTimeOffset>(4), Database.TextAt(reader, 5), reader.GetBoolean(6));

        public Notification ToNotification()
        {
            var room = Cut(Title ?? Topic.Identifier, MaxName, isLine: true);
            return new Notification("invitation", By is null or "" || By.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal) ? $"You were added to {room}" : $"{Cut(By, MaxName, isLine: true)} added you to {room}")
            {
                Link = LinkTo(Topic),
                Data = JsonSerializer.SerializeToElement(new ChatNotice(Topic.Value), ChatNoticeJson.Default.ChatNotice),
            };
        }
    }

    [LoggerMessage(EventId = 1753, Level = LogLevel.Warning, Message = "Mentions and invitations cannot be told at the moment, and are tried again: {Reason}")]
    private partial void LogFailed(string reason);

    [LoggerMessage(EventId = 1754, Level = LogLevel.Warning, Message = "Somebody is not told of his {Kind}: {Reason}")]
    private partial void LogRefused(string kind, string reason);
}
