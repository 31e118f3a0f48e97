using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Chat.Files;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>
/// Says before the log what would come to nothing behind it, so that a user hears why: a message that is not there or is somebody else's, a mute, a
/// slow room, a word. A message in a room without rules waits for nothing; what is about another message waits for the projection.
/// </summary>
internal sealed class ChatAdmission(
    ChatProjector projector, ChatRules rules, TopicCatalog topics, Memberships memberships, Database database, ChatFiles files, IEnumerable<ChatFilter> filters,
    IOptions<ChatOptions> options, TimeProvider time)
{
    private const string FindAuthors = """
        select "offset", author from realtime.chat_messages where topic_id = $1 and "offset" = any($2) and deleted_at is null
        """;

    // Of those that come at the same moment one is first, whichever nodes they come to.
    private const string TakeTurn = """
        with turn as (
          insert into realtime.chat_turns as t (tenant, topic, user_id, said_at, event_id) values ($1, $2, $3, clock_timestamp(), $4)
              on conflict (tenant, topic, user_id) do update set said_at = case when t.event_id = excluded.event_id then t.said_at else excluded.said_at end, event_id = excluded.event_id
           where t.event_id = excluded.event_id or t.said_at <= clock_timestamp() - make_interval(secs => $5)
          returning 1)
        select (select count(*) from turn) > 0, coalesce((select extract(epoch from said_at - clock_timestamp()) + $5 from realtime.chat_turns where tenant = $1 and topic = $2 and user_id = $3), $5)::float8
        """;

    private const string WasTaken = """
        select exists (
          select from realtime.topics t join realtime.event_ids i on i.topic_id = t.topic_id
           where t.tenant = $1 and t.topic = $2 and i.publisher = $3 and i.id = $4 and i.created_at > clock_timestamp() - make_interval(secs => $5))
        """;

    // An id must not be forgotten between this look and the log's.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    private readonly ChatFilter[] _filters = [.. filters];
    private readonly string[] _words = [.. options.Value.BlockedWords.Where(static word => word.Length > 0)];
    private readonly SearchValues<string>? _blocked =
        options.Value.BlockedWords.Any(static word => word.Length > 0) ? SearchValues.Create([.. options.Value.BlockedWords.Where(static word => word.Length > 0)], StringComparison.OrdinalIgnoreCase) : null;

    public static bool Covers(Caller caller, TopicName topic) => topic.Value.StartsWith($"{TopicCatalog.Room}:", StringComparison.Ordinal);

    /// <summary>The publish hook of rooms.</summary>
    public async Task AdmitAsync(PublishContext context, Func<Task> next)
    {
        var topic = new TopicKey(context.Tenant, TopicName.Parse(context.Topic));
        // What rooms keep elsewhere has no projection.
        var isChat = context.Request.Event!.StartsWith(ChatFeature.Prefix, StringComparison.Ordinal) && topics.Get(topic).Durability is Durability.Durable;
        if (isChat)
        {
            await AdmitOrKnowAsync(context, topic);
        }

        await next();
        if (isChat)
        {
            projector.Signal(topic);
        }
    }

    /// <summary>What the log has taken already is a retry, to which it answers with the first outcome, whatever has become of the message or the user since.</summary>
    private async Task AdmitOrKnowAsync(PublishContext context, TopicKey topic)
    {
        try
        {
            await AdmitAsync(context, topic);
        }
        catch (RealtimeException exception) when (context.Request.Id is not null && !exception.Error.Retryable)
        {
            if (!await WasTakenAsync(topic, context))
            {
                throw;
            }

            // What is said has to be what was said then.
            if (exception.Error != ErrorCode.TextRefused && context.Request.Event is ChatFeature.MessageEvent or ChatFeature.EditEvent)
            {
                await FilterAsync(context);
            }
        }
    }

    private async Task<bool> WasTakenAsync(TopicKey topic, PublishContext context) => (await database.ReadAsync(
        WasTaken,
        static reader => reader.GetBoolean(0),
        CancellationToken.None,
        topic.Tenant,
        topic.Name.Value,
        context.UserId,
        context.Request.Id,
        (topics.Get(topic).IdempotencyWindow - Margin).TotalSeconds))[0];

    private async Task AdmitAsync(PublishContext context, TopicKey topic)
    {
        var request = context.Request;
        var rule = rules.Find(topic);
        if (rule is not null && rule.Mutes.TryGetValue(context.UserId, out var until) && until > time.GetUtcNow())
        {
            throw new RealtimeException(ErrorCode.Muted) { RetryAfter = until - time.GetUtcNow() };
        }

        if (request.Event is ChatFeature.MessageEvent or ChatFeature.EditEvent)
        {
            RequireNames(request.Payload);
        }

        if (request.Event == ChatFeature.MessageEvent)
        {
            await RequireMessagesAsync(topic, Named(request.Payload, "replyTo"), Named(request.Payload, "thread"));
            await RequireFilesAsync(topic, context);
            await FilterAsync(context);
            if (rule is { SlowSeconds: > 0 } && !IsModerator(topic, context.UserId))
            {
                await TakeTurnAsync(topic, context, rule.SlowSeconds);
            }
        }
        else if (request.Event is ChatFeature.EditEvent or ChatFeature.DeleteEvent or ChatFeature.ReactionEvent or ChatFeature.PinEvent)
        {
            var author = (await RequireMessagesAsync(topic, request.EntityId ?? ""))[0];
            if (request.Event is ChatFeature.EditEvent or ChatFeature.DeleteEvent && author != context.UserId)
            {
                throw new RealtimeException(ErrorCode.NotAuthor);
            }

            if (request.Event == ChatFeature.EditEvent)
            {
                await FilterAsync(context);
            }
        }
    }

    /// <summary>The authors of messages that have to be there.</summary>
    private async Task<IReadOnlyList<string?>> RequireMessagesAsync(TopicKey topic, params string?[] ids)
    {
        var wanted = ids.OfType<string>().Distinct(StringComparer.Ordinal).Select(id => RoomEvent.ToId(id) ?? throw new RealtimeException(ErrorCode.MessageNotFound)).ToArray();
        if (wanted.Length == 0)
        {
            return [];
        }

        if (await projector.CatchUpAsync(topic, CancellationToken.None) is not { } state)
        {
            throw new RealtimeException(ErrorCode.MessageNotFound);
        }

        var authors = await database.ReadAsync(
            topic.Tenant, FindAuthors, static reader => reader.IsDBNull(1) ? null : reader.GetString(1), CancellationToken.None, state.TopicId, wanted);
        return authors.Count == wanted.Length ? authors : throw new RealtimeException(ErrorCode.MessageNotFound);
    }

    /// <summary>Files go to the room to which they were uploaded, with a message of whoever has done so.</summary>
    private async Task RequireFilesAsync(TopicKey topic, PublishContext context)
    {
        if (context.Request.Payload.TryGetProperty("attachments", out var named) && named.ValueKind is JsonValueKind.Array && named.GetArrayLength() > 0
            && !await files.HasAsync(topic, context.UserId, [.. named.EnumerateArray().Select(static id => id.GetString() ?? "")], CancellationToken.None))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, "Attachments are files that you have uploaded to this room.");
        }
    }

    /// <summary>Who is not called by such a name is not passed over without a word.</summary>
    private static void RequireNames(JsonElement payload)
    {
        if (payload.TryGetProperty("mentions", out var named) && named.ValueKind is JsonValueKind.Array
            && named.EnumerateArray().Any(static name => name.GetString() is { Length: > RoomEvent.MaxNameLength }))
        {
            throw new RealtimeException(ErrorCode.PayloadInvalid, $"Who is mentioned is a user, whose name has at most {RoomEvent.MaxNameLength} characters.");
        }
    }

    private async Task FilterAsync(PublishContext context)
    {
        if (_filters.Length == 0 && _blocked is null)
        {
            return;
        }

        var text = context.Request.Payload.GetProperty("text").GetString()!;
        var filtered = text;
        foreach (var filter in _filters)
        {
            filtered = await filter.Filter(new ChatText(context.Tenant, context.Topic, context.UserId, filtered)) ?? throw new RealtimeException(ErrorCode.TextRefused);
        }

        if (_blocked is not null && HasBlocked(filtered))
        {
            throw new RealtimeException(ErrorCode.TextRefused);
        }

        if (filtered != text)
        {
            var payload = JsonObject.Create(context.Request.Payload)!;
            payload["text"] = filtered;
            context.Request = context.Request with { Payload = JsonElement.Parse(payload.ToJsonString()) };
        }
    }

    /// <summary>Words, not parts of them.</summary>
    private bool HasBlocked(string text) => text.AsSpan().ContainsAny(_blocked!) && _words.Any(word => HasWord(text, word));

    private static bool HasWord(string text, string word)
    {
        for (var at = -1; (at = text.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase)) >= 0;)
        {
            var end = at + word.Length;
            if ((at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end])))
            {
                return true;
            }
        }

        return false;
    }

    private async Task TakeTurnAsync(TopicKey topic, PublishContext context, int seconds)
    {
        var (isHis, wait) = (await database.ReadAsync(
            TakeTurn,
            static reader => (reader.GetBoolean(0), reader.GetDouble(1)),
            CancellationToken.None,
            topic.Tenant,
            topic.Name.Value,
            context.UserId,
            context.Request.Id ?? Guid.CreateVersion7(time.GetUtcNow()).ToString(),
            (double)seconds))[0];
        if (!isHis)
        {
            throw new RealtimeException(ErrorCode.SlowMode) { RetryAfter = TimeSpan.FromSeconds(Math.Clamp(wait, 0, seconds)) };
        }
    }

    private bool IsModerator(TopicKey topic, string user) => memberships.FindPlaces(topic.Tenant, user)?.Find(topic.Name) is { Role: Role.Owner or Role.Admin };

    private static string? Named(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
}
