using System.Text;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Where is looked for words.</summary>
/// <param name="Topic">In which room.</param>
/// <param name="TopicId">Its topic's row.</param>
/// <param name="Horizon">Behind which offset.</param>
/// <param name="Before">Before which offset.</param>
internal sealed record SearchedRoom(TopicName Topic, long TopicId, long Horizon, long Before);

/// <summary>Finds messages by their words, in any language: words are compared as they are written, whatever their case.</summary>
internal sealed class MessageSearch(Database database)
{
    // Characters that the text is freed of before: so no text can make them.
    private const char Start = '\u0002';
    private const char Stop = '\u0003';

    private const string Headline = """ts_headline('simple', translate(m.text, E'\u0002\u0003', ''), websearch_to_tsquery('simple', $2), E'StartSel=\u0002,StopSel=\u0003,MaxWords=30,MinWords=12')""";

    // Not as the reading role: @@ is not leakproof, so behind row-level security it would find no index. So these statements name the tenant, and rooms by
    // their rows. Each block of 16,384 offsets of a room has a word that stands for it. From the newest block on, the index is asked for what is in it, until
    // that is enough: a frequent word is found in the first blocks, and in the others a rare one costs next to nothing. The planner knows neither, so the order
    // is none that another index has.
    private const string FindInRooms = $"""
        select m.topic_id, {MessageRow.Columns}, {Headline}
          from (select l.* from unnest($3::bigint[], $4::bigint[], $5::bigint[]) a(topic_id, horizon, before)
                 cross join lateral (
                   select i.* from generate_series((a.before - 1) >> 14, a.horizon >> 14, -1) b
                    cross join lateral (
                      select * from realtime.chat_messages c
                       where c.tenant = $1 and c.words @@ (websearch_to_tsquery('simple', $2) && format('''#%s/%s''', a.topic_id, b)::tsquery)
                         and c."offset" > a.horizon and c."offset" < a.before and c.deleted_at is null and numnode(websearch_to_tsquery('simple', $2)) > 0
                       order by c."offset" + 0 desc limit $6) i
                    limit $6) l
                 order by l.at desc, l."offset" desc limit $6) m
         order by m.at desc, m."offset" desc
        """;

    /// <summary>In one room, the newest first.</summary>
    /// <param name="room">As who asks sees it.</param>
    /// <param name="query">Untrusted.</param>
    /// <param name="before">Before which offset.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<FoundMessage>> FindAsync(RoomView room, string query, long before, int limit, CancellationToken cancellationToken) => room.State is null
        ? []
        : await FindAsync(room.Topic.Tenant, [new SearchedRoom(room.Topic.Name, room.TopicId, room.Horizon, Math.Min(before, room.Tip + 1))], query, limit, cancellationToken);

    /// <summary>In several, the newest first.</summary>
    /// <param name="tenant">Whose rooms they are.</param>
    /// <param name="rooms">In which of them.</param>
    /// <param name="query">Untrusted.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<FoundMessage>> FindAsync(
        string tenant, IReadOnlyList<SearchedRoom> rooms, string query, int limit, CancellationToken cancellationToken)
    {
        var names = rooms.ToDictionary(static room => room.TopicId, static room => room.Topic);
        return ToFound(
            await database.ReadAsync(
                FindInRooms,
                Read,
                cancellationToken,
                tenant,
                query,
                rooms.Select(static room => room.TopicId).ToArray(),
                rooms.Select(static room => room.Horizon).ToArray(),
                rooms.Select(static room => room.Before).ToArray(),
                limit),
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
