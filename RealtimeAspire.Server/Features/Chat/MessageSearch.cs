using System.Globalization;
using System.Text;
using Npgsql;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Finds messages by their words, in any language: words are compared as they are written, whatever their case.</summary>
internal sealed class MessageSearch(ChatDatabase database)
{
    private const int RecentMessages = 5_000;

    // Characters that the text is freed of before: so no text can make them.
    private const char Start = '\u0002';
    private const char Stop = '\u0003';

    private const string Headline = """ts_headline('simple', translate(m.text, E'\u0002\u0003', ''), websearch_to_tsquery('simple', $2), E'StartSel=\u0002,StopSel=\u0003,MaxWords=30,MinWords=12')""";

    // Not as the reading role: @@ is not leakproof, so behind row-level security it would find no index. So these statements name the tenant, and rooms by
    // their rows. The word that stands for the room lets the index find a room's few messages with a frequent word as soon as a rare word in a large room.
    // A frequent word is found among the newest messages, looked at one by one; then the index, whose answer is sorted, has only so many to tell. The planner
    // would guess which of the two it is, and is wrong for rare words by all messages of the room: so the order is none that an index has.
    private static readonly string FindRecent = FindInRoom("c.\"offset\"");
    private static readonly string FindAll = FindInRoom("c.\"offset\" + 0");

    private static string FindInRoom(string order) => $"""
        select m.topic_id, {MessageRow.Columns}, {Headline}
          from (select * from realtime.chat_messages c
                 where c.tenant = $1 and c.topic_id = $3 and c.words @@ (websearch_to_tsquery('simple', $2) && $4::text::tsquery) and c."offset" > $5 and c."offset" < $6
                   and c.deleted_at is null and numnode(websearch_to_tsquery('simple', $2)) > 0
                 order by {order} desc limit $7) m
         order by m."offset" desc
        """;

    private const string FindInRooms = $"""
        select m.topic_id, {MessageRow.Columns}, {Headline}
          from (select l.* from unnest($3::bigint[], $4::bigint[]) a(topic_id, horizon)
                 cross join lateral (
                   select * from realtime.chat_messages c
                    where c.tenant = $1 and c.topic_id = a.topic_id and c.words @@ (websearch_to_tsquery('simple', $2) && array_to_tsvector(array['#' || a.topic_id::text])::text::tsquery)
                      and c."offset" > a.horizon and c.deleted_at is null and numnode(websearch_to_tsquery('simple', $2)) > 0
                    order by c."offset" + 0 desc limit $5) l
                 order by l.at desc, l."offset" desc limit $5) m
         order by m.at desc, m."offset" desc
        """;

    /// <summary>In one room, the newest first.</summary>
    /// <param name="room">As who asks sees it.</param>
    /// <param name="query">Untrusted.</param>
    /// <param name="before">Before which offset.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<FoundMessage>> FindAsync(RoomView room, string query, long before, int limit, CancellationToken cancellationToken)
    {
        if (room.State is null)
        {
            return [];
        }

        var recent = Math.Max(room.Horizon, Math.Min(before, room.Tip + 1) - RecentMessages);
        var found = await ReadAsync(FindRecent, recent);
        return ToFound(found.Count == limit || recent == room.Horizon ? found : await ReadAsync(FindAll, room.Horizon), _ => room.Topic.Name);

        Task<IReadOnlyList<(long TopicId, RoomMessage Message, string Headline)>> ReadAsync(string sql, long after) => database.ReadAsync(
            sql, Read, cancellationToken, room.Topic.Tenant, query, room.TopicId, string.Create(CultureInfo.InvariantCulture, $"'#{room.TopicId}'"), after, before, limit);
    }

    /// <summary>In several, the newest first.</summary>
    /// <param name="tenant">Whose rooms they are.</param>
    /// <param name="rooms">In which of them, and behind which offset.</param>
    /// <param name="query">Untrusted.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<FoundMessage>> FindAsync(
        string tenant, IReadOnlyList<(TopicName Topic, long TopicId, long Horizon)> rooms, string query, int limit, CancellationToken cancellationToken)
    {
        var names = rooms.ToDictionary(static room => room.TopicId, static room => room.Topic);
        return ToFound(
            await database.ReadAsync(
                FindInRooms, Read, cancellationToken, tenant, query, rooms.Select(static room => room.TopicId).ToArray(), rooms.Select(static room => room.Horizon).ToArray(), limit),
            id => names[id]);
    }

    private static (long TopicId, RoomMessage Message, string Headline) Read(NpgsqlDataReader reader) =>
        (reader.GetInt64(0), MessageRow.Read(reader, from: 1), reader.GetString(1 + MessageRow.Width));

    private static IReadOnlyList<FoundMessage> ToFound(IReadOnlyList<(long TopicId, RoomMessage Message, string Headline)> rows, Func<long, TopicName> room) =>
    [
        .. rows.Select(row =>
        {
            var (snippet, marks) = Mark(row.Headline);
            return new FoundMessage(room(row.TopicId).Identifier, MessageEntry.Of(row.Message), snippet, marks);
        }),
    ];

    /// <summary>Takes the marks out of a text, and says where they were.</summary>
    internal static (string Text, IReadOnlyList<TextMark> Marks) Mark(string headline)
    {
        var text = new StringBuilder(headline.Length);
        List<TextMark> marks = [];
        foreach (var character in headline)
        {
            switch (character)
            {
                case Start:
                    marks.Add(new TextMark(text.Length, 0));
                    break;
                case Stop when marks.Count > 0:
                    marks[^1] = marks[^1] with { Length = text.Length - marks[^1].Begin };
                    break;
                default:
                    text.Append(character);
                    break;
            }
        }

        return (text.ToString(), marks);
    }
}
