using Npgsql;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A message as it stands in its table.</summary>
internal static class MessageRow
{
    /// <summary>Of the table as <c>m</c>; what <see cref="Read"/> takes.</summary>
    public const string Columns = """
        m."offset", m.author, m.at, m.text, m.thread, m.reply_to, m.mentions, m.attachments, m.edited_at, m.deleted_at, m.deleted_by, m.pinned_at, m.pinned_by, m.replies, m.last_reply
        """;

    /// <summary>How many they are.</summary>
    public const int Width = 15;

    public static RoomMessage Read(NpgsqlDataReader reader, int from = 0)
    {
        return new(reader.GetInt64(from), Text(1), reader.GetFieldValue<DateTimeOffset>(from + 2), reader.GetString(from + 3))
        {
            Thread = Number(4),
            ReplyTo = Number(5),
            Mentions = reader.GetFieldValue<string[]>(from + 6),
            Attachments = reader.GetFieldValue<string[]>(from + 7),
            EditedAt = Time(8),
            DeletedAt = Time(9),
            DeletedBy = Text(10),
            PinnedAt = Time(11),
            PinnedBy = Text(12),
            Replies = reader.GetInt32(from + 13),
            LastReply = Number(14),
        };

        string? Text(int at) => reader.IsDBNull(from + at) ? null : reader.GetString(from + at);
        long? Number(int at) => reader.IsDBNull(from + at) ? null : reader.GetInt64(from + at);
        DateTimeOffset? Time(int at) => reader.IsDBNull(from + at) ? null : reader.GetFieldValue<DateTimeOffset>(from + at);
    }
}
