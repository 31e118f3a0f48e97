using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Where the projection of a room is, and where its log.</summary>
/// <param name="TopicId">The topic's row.</param>
/// <param name="Epoch">Of the log, within this database.</param>
/// <param name="Tip">The newest event's offset.</param>
/// <param name="Floor">The lowest offset that is kept.</param>
/// <param name="Offset">Everything up to this one is in the projection; 0 where it is of another epoch.</param>
internal sealed record ProjectionState(long TopicId, string Epoch, long Tip, long Floor, long Offset)
{
    public bool IsBehind => Offset < Tip;
}

/// <summary>A room's projection in Postgres. What is read and written here is so within the transaction of its connection.</summary>
internal static class ProjectionStore
{
    private const string Find = """
        select t.topic_id, t.epoch, t.last_offset, t.floor, case when p.epoch = t.epoch then p."offset" else 0 end
          from realtime.topics t left join realtime.chat_projections p using (topic_id)
         where t.tenant = $1 and t.topic = $2
        """;

    /// <summary>Whoever has it is the one who goes on with the room, whichever node that is. A log of another epoch begins anew.</summary>
    private const string Begin = """
        insert into realtime.chat_projections as p (tenant, topic_id, epoch)
        select tenant, topic_id, epoch from realtime.topics where tenant = $1 and topic = $2
            on conflict (topic_id) do update set epoch = excluded.epoch, "offset" = case when p.epoch = excluded.epoch then p."offset" else 0 end,
               told = case when p.epoch = excluded.epoch then p.told else 0 end
        returning topic_id, epoch, "offset"
        """;

    private const string Known = $"""
        with touched as (select * from realtime.chat_messages where topic_id = $1 and "offset" = any($2))
        select {MessageRow.Columns} from touched m
         union all
        select {MessageRow.Columns} from realtime.chat_messages m
         where m.topic_id = $1 and m."offset" in (select thread from touched) and m."offset" <> all($2)
        """;

    private const string ClearMessages = """delete from realtime.chat_messages where topic_id = $1 and "offset" < $2""";

    // The block that the offset is in keeps a part.
    private const string ClearRest = """
        delete from realtime.chat_counts where topic_id = $1 and block <= $2 >> 9;
        insert into realtime.chat_counts select * from realtime.chat_counted($1, $2, $2 | 511);
        delete from realtime.chat_edits where topic_id = $1 and "offset" < $2;
        delete from realtime.chat_reactions where topic_id = $1 and "offset" < $2;
        """;

    private const string WriteMessages = """
        insert into realtime.chat_messages as m
               (tenant, topic_id, "offset", author, at, text, thread, reply_to, mentions, attachments, edited_at, deleted_at, deleted_by, pinned_at, pinned_by, replies, last_reply)
        select $1, $2, r."offset", r.author, r.at, r.text, r.thread, r.reply_to, r.mentions, r.attachments, r.edited_at, r.deleted_at, r.deleted_by, r.pinned_at, r.pinned_by, r.replies, r.last_reply
          from jsonb_to_recordset($3) r("offset" bigint, author text, at timestamptz, text text, thread bigint, reply_to bigint, mentions text[], attachments text[],
               edited_at timestamptz, deleted_at timestamptz, deleted_by text, pinned_at timestamptz, pinned_by text, replies integer, last_reply bigint)
            on conflict (topic_id, "offset") do update set text = excluded.text, mentions = excluded.mentions, attachments = excluded.attachments,
               edited_at = excluded.edited_at, deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by,
               pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by, replies = excluded.replies, last_reply = excluded.last_reply
        """;

    private const string Empty = """
        delete from realtime.chat_edits where topic_id = $1 and "offset" = any($2);
        delete from realtime.chat_reactions where topic_id = $1 and "offset" = any($2);
        """;

    private const string WriteEdits = """
        insert into realtime.chat_edits (tenant, topic_id, "offset", edit, text, until)
        select $1, $2, r."offset", r.edit, r.text, r.until from jsonb_to_recordset($3) r("offset" bigint, edit bigint, text text, until timestamptz)
        """;

    private const string WriteReactions = """
        insert into realtime.chat_reactions (tenant, topic_id, "offset", emoji, user_id)
        select $1, $2, r."offset", r.emoji, r.user_id from jsonb_to_recordset($3) r("offset" bigint, emoji text, user_id text)
            on conflict do nothing
        """;

    private const string DropReactions = """
        delete from realtime.chat_reactions c using jsonb_to_recordset($2) r("offset" bigint, emoji text, user_id text)
         where c.topic_id = $1 and c."offset" = r."offset" and c.emoji = r.emoji and c.user_id = r.user_id
        """;

    private const string WriteCounts = """
        insert into realtime.chat_counts as c (tenant, topic_id, user_id, block, messages, mentions)
        select $1, $2, r.user_id, r.block, r.messages, r.mentions from jsonb_to_recordset($3) r(user_id text, block bigint, messages bigint, mentions bigint)
            on conflict (topic_id, user_id, block) do update set messages = c.messages + excluded.messages, mentions = c.mentions + excluded.mentions
        """;

    // What an event says that was told of before, in a projection that was made again, is told to nobody; nor is what is old, as of a log that came from elsewhere.
    private const string WriteMentions = """
        insert into realtime.chat_mentions (tenant, topic_id, "offset", user_id)
        select distinct $1, $2, r."offset", r.user_id from jsonb_to_recordset($3) r("offset" bigint, user_id text, event bigint, at timestamptz)
         where r.event > (select told from realtime.chat_projections where topic_id = $2) and r.at > now() - interval '1 day'
            on conflict do nothing
        """;

    private const string Restart = """update realtime.chat_projections set "offset" = 0 where topic_id = $1""";

    private const string Advance = """update realtime.chat_projections set "offset" = $2, told = greatest(told, $2) where topic_id = $1""";

    /// <summary>Null: the topic has no row, and no events.</summary>
    public static async Task<ProjectionState?> FindAsync(NpgsqlDataSource dataSource, TopicKey topic, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(Find);
        command.Parameters.Add(new NpgsqlParameter { Value = topic.Tenant });
        command.Parameters.Add(new NpgsqlParameter { Value = topic.Name.Value });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new ProjectionState(reader.GetInt64(0), reader.GetString(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4))
            : null;
    }

    /// <summary>Takes the room for this transaction.</summary>
    /// <returns>Its topic's row, and the offset up to which the projection is made; null where it has none.</returns>
    public static async Task<(long TopicId, long Offset)?> LockAsync(NpgsqlConnection connection, TopicKey topic, CancellationToken cancellationToken)
    {
        await using var command = Create(connection, Begin, topic.Tenant, topic.Name.Value);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? (reader.GetInt64(0), reader.GetInt64(2)) : null;
    }

    /// <summary>The messages of these offsets, and those that began their threads.</summary>
    public static async Task<IReadOnlyList<RoomMessage>> ReadKnownAsync(NpgsqlConnection connection, long topicId, long[] offsets, CancellationToken cancellationToken)
    {
        List<RoomMessage> known = [];
        if (offsets.Length > 0)
        {
            await using var command = Create(connection, Known, topicId, offsets);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                known.Add(MessageRow.Read(reader));
            }
        }

        return known;
    }

    /// <summary>Removes what is below an offset.</summary>
    public static async Task ClearAsync(NpgsqlConnection connection, long topicId, long below, CancellationToken cancellationToken)
    {
        await using var messages = Create(connection, ClearMessages, topicId, below);
        // Everything else belongs to messages.
        if (await messages.ExecuteNonQueryAsync(cancellationToken) == 0)
        {
            return;
        }

        foreach (var sql in Statements(ClearRest))
        {
            await using var command = Create(connection, sql, topicId, below);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>The projection begins anew.</summary>
    public static async Task RestartAsync(NpgsqlConnection connection, long topicId, CancellationToken cancellationToken)
    {
        await using var command = Create(connection, Restart, topicId);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <param name="connection">That has locked the room.</param>
    /// <param name="tenant">Whose it is.</param>
    /// <param name="topicId">Its topic's row.</param>
    /// <param name="changes">What becomes of its messages.</param>
    /// <param name="offset">Up to where.</param>
    /// <param name="tells">Whether who is mentioned is to be told.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task WriteAsync(NpgsqlConnection connection, string tenant, long topicId, RoomChanges changes, long offset, bool tells, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        if (changes.Messages.Count > 0)
        {
            Add(WriteMessages, tenant, topicId, Json(JsonSerializer.Serialize(changes.Messages, ProjectionJson.Default.IReadOnlyListRoomMessage)));
        }

        if (changes.Emptied.Count > 0)
        {
            foreach (var sql in Statements(Empty))
            {
                Add(sql, topicId, changes.Emptied.ToArray());
            }
        }

        if (changes.Edits.Count > 0)
        {
            Add(WriteEdits, tenant, topicId, Json(JsonSerializer.Serialize(changes.Edits, ProjectionJson.Default.IReadOnlyListRoomEdit)));
        }

        if (changes.Off.Count > 0)
        {
            Add(DropReactions, topicId, Json(JsonSerializer.Serialize(changes.Off, ProjectionJson.Default.IReadOnlyListRoomReaction)));
        }

        if (changes.On.Count > 0)
        {
            Add(WriteReactions, tenant, topicId, Json(JsonSerializer.Serialize(changes.On, ProjectionJson.Default.IReadOnlyListRoomReaction)));
        }

        if (changes.Counts.Count > 0)
        {
            Add(WriteCounts, tenant, topicId, Json(JsonSerializer.Serialize(changes.Counts, ProjectionJson.Default.IReadOnlyListRoomCount)));
        }

        if (tells && changes.Mentions.Count > 0)
        {
            Add(WriteMentions, tenant, topicId, Json(JsonSerializer.Serialize(changes.Mentions, ProjectionJson.Default.IReadOnlyListRoomMention)));
        }

        Add(Advance, topicId, offset);
        await batch.ExecuteNonQueryAsync(cancellationToken);

        void Add(string sql, params ReadOnlySpan<object> values)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var value in values)
            {
                command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value });
            }

            batch.BatchCommands.Add(command);
        }
    }

    private static NpgsqlParameter Json(string text) => new() { Value = text, NpgsqlDbType = NpgsqlDbType.Jsonb };

    private static string[] Statements(string sql) => sql.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static NpgsqlCommand Create(NpgsqlConnection connection, string sql, params ReadOnlySpan<object> values)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }
}

/// <summary>The rows as the statements take them: the names of the columns.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<RoomMessage>))]
[JsonSerializable(typeof(IReadOnlyList<RoomEdit>))]
[JsonSerializable(typeof(IReadOnlyList<RoomReaction>))]
[JsonSerializable(typeof(IReadOnlyList<RoomCount>))]
[JsonSerializable(typeof(IReadOnlyList<RoomMention>))]
internal sealed partial class ProjectionJson : JsonSerializerContext;
