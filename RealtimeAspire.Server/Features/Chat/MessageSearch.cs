using System.Text;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>Finds messages by their words, in any language: words are compared as they are written, whatever their case.</summary>
internal sealed class MessageSearch(ChatDatabase database)
{
    // Characters that the text is freed of before: so no text can make them.
    private const char Start = '\u0002';
    private const char Stop = '\u0003';

    // Not as the reading role: @@ is not leakproof, so behind row-level security it would find no index. The tenant's rooms are named by their rows, and the
    // tenant again. The word of the room lets the index find a room's few messages with a frequent word as soon as a rare word in a large room.
    private const string Find = $"""
        select a.topic_id, {MessageRow.Columns},
               ts_headline('simple', translate(m.text, E'\u0002\u0003', ''), q.text, E'StartSel=\u0002,StopSel=\u0003,MaxWords=30,MinWords=12,HighlightAll=false')
          from websearch_to_tsquery('simple', $4) q(text), unnest($1::bigint[], $2::bigint[]) a(topic_id, horizon)
         cross join lateral (
            select * from realtime.chat_messages c
             where c.tenant = $3 and c.topic_id = a.topic_id and c.words @@ (q.text && array_to_tsvector(array['#' || a.topic_id::text])::text::tsquery)
               and c."offset" > a.horizon and c."offset" < $5 and c.deleted_at is null and numnode(q.text) > 0
             order by c."offset" desc limit $6) m
         order by m.at desc, m."offset" desc
         limit $6
        """;

    /// <param name="tenant">Whose rooms they are.</param>
    /// <param name="rooms">In which of them, and behind which offset.</param>
    /// <param name="query">Untrusted.</param>
    /// <param name="before">Before which offset.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<FoundMessage>> FindAsync(
        string tenant, IReadOnlyList<(TopicName Topic, long TopicId, long Horizon)> rooms, string query, long before, int limit, CancellationToken cancellationToken)
    {
        var names = rooms.ToDictionary(static room => room.TopicId, static room => room.Topic.Identifier);
        var found = await database.ReadAsync(
            Find,
            static reader => (TopicId: reader.GetInt64(0), Message: MessageRow.Read(reader, from: 1), Headline: reader.GetString(1 + MessageRow.Width)),
            cancellationToken,
            rooms.Select(static room => room.TopicId).ToArray(),
            rooms.Select(static room => room.Horizon).ToArray(),
            tenant,
            query,
            before,
            limit);
        return [.. found.Select(one =>
        {
            var (snippet, marks) = Mark(one.Headline);
            return new FoundMessage(names[one.TopicId], MessageEntry.Of(one.Message, []), snippet, marks);
        })];
    }

    /// <summary>Takes the marks out of a text, and says where they were.</summary>
    internal static (string Text, IReadOnlyList<int[]> Marks) Mark(string headline)
    {
        var text = new StringBuilder(headline.Length);
        List<int[]> marks = [];
        foreach (var character in headline)
        {
            switch (character)
            {
                case Start:
                    marks.Add([text.Length, 0]);
                    break;
                case Stop when marks.Count > 0:
                    marks[^1][1] = text.Length - marks[^1][0];
                    break;
                default:
                    text.Append(character);
                    break;
            }
        }

        return (text.ToString(), marks);
    }
}
