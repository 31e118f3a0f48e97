using System.Buffers;
using System.Data.Common;
using Microsoft.AspNetCore.Http;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Administration;

/// <summary>How far somebody has come: an event, or nowhere yet.</summary>
/// <param name="Topic">Its topic; null: from the beginning.</param>
/// <param name="Position">Where it is in it.</param>
internal readonly record struct ExportPosition(TopicName? Topic, Position Position)
{
    /// <param name="text">Untrusted: <c>topic/epoch:offset</c>.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public static ExportPosition Parse(string text)
    {
        var parts = text.Split('/');
        return parts.Length == 2 && TopicName.TryParse(parts[0], out var topic) && Position.TryParse(parts[1], out var position)
            ? new ExportPosition(topic, position)
            : throw new RealtimeException(ErrorCode.RequestInvalid, "After is the last event that was read, as topic/epoch:offset.");
    }
}

/// <summary>
/// All events of a tenant that Postgres has, as JSON lines: topic after topic by name, each in the order of its offsets, up to what
/// it had when its turn came. In pages, each read as the tenant sees it. Whoever is cut off goes on behind his last line.
/// </summary>
internal sealed class TenantExport(NpgsqlDataSource dataSource, PostgresTopicLog log, string tenant)
{
    public const string ContentType = "application/jsonl";

    private const int TopicsAtOnce = 500;
    private const int EventsAtOnce = 1_000;

    private const string FindTopics = """
        select topic from realtime.topics where tenant = $1 and topic >= $2 and last_offset > 0 order by topic limit $3
        """;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>, <c>overloaded</c>; nothing has been written.</exception>
    public async Task WriteAsync(ExportPosition after, HttpContext context)
    {
        var cancellationToken = context.RequestAborted;
        var topics = await ReadTopicsAsync(after.Topic?.Value ?? "", cancellationToken);
        context.Response.ContentType = ContentType;
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            while (topics.Count > 0)
            {
                foreach (var topic in topics)
                {
                    await WriteAsync(topic, topic == after.Topic ? after.Position : Position.Origin, context.Response, cancellationToken);
                }

                // The last one comes again, as the first.
                topics = topics.Count < TopicsAtOnce ? [] : [.. (await ReadTopicsAsync(topics[^1].Value, cancellationToken)).Skip(1)];
            }
        }
        catch (RealtimeException) when (context.Response.HasStarted)
        {
            // An answer that ends well is whole.
            context.Abort();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The reader is gone.
        }
    }

    private async Task WriteAsync(TopicName topic, Position at, HttpResponse response, CancellationToken cancellationToken)
    {
        var key = new TopicKey(tenant, topic);
        for (Position? end = null; end is null || at.Offset < end.Value.Offset;)
        {
            var page = await log.ReadAsync(key, new LogRange.After(at.Offset), EventsAtOnce, cancellationToken);
            if (at.Offset > 0 && page.Tip.Epoch != at.Epoch)
            {
                // What was read of it was another log: this one from its beginning.
                (at, end) = (Position.Origin, null);
                continue;
            }

            if (page.Events.Count == 0)
            {
                return;
            }

            end ??= page.Tip;
            at = Write(page, end.Value, response);
            await response.BodyWriter.FlushAsync(cancellationToken);
        }
    }

    private static Position Write(LogPage page, Position end, HttpResponse response)
    {
        foreach (var logged in page.Events.Where(logged => logged.Position.Offset <= end.Offset))
        {
            response.BodyWriter.Write(EncodedEvent.Encode(logged).Json.Span);
            response.BodyWriter.Write("\n"u8);
        }

        return page.Events[^1].Position;
    }

    private async Task<IReadOnlyList<TopicName>> ReadTopicsAsync(string from, CancellationToken cancellationToken)
    {
        try
        {
            await using var batch = dataSource.CreateReading(tenant);
            batch.BatchCommands.Add(new NpgsqlBatchCommand(FindTopics)
            {
                Parameters = { new() { Value = tenant }, new() { Value = from }, new() { Value = (long)TopicsAtOnce } },
            });
            await using var reader = await batch.ReadAsync(cancellationToken);
            List<TopicName> topics = [];
            while (await reader.ReadAsync(cancellationToken))
            {
                topics.Add(TopicName.Parse(reader.GetString(0)));
            }

            return topics;
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }
}
