using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Feeds;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// Reads on in topics, and waits where there is nothing yet. All that a poll leaves behind is in the positions that it answers,
/// so the next one may come to any node.
/// </summary>
internal static class TopicPoll
{
    private const int MaxWait = 55;

    /// <param name="seconds">Untrusted. Proxies give up after 60.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>.</exception>
    public static TimeSpan ToWait(int? seconds) => seconds is null or (>= 0 and <= MaxWait)
        ? TimeSpan.FromSeconds(seconds ?? 0)
        : throw new RealtimeException(ErrorCode.RequestInvalid, $"A wait is 0 to {MaxWait} seconds.");

    /// <summary>One answer for each topic, at once when one of them has something to tell.</summary>
    /// <exception cref="RealtimeException">A topic was refused or failed.</exception>
    public static async Task<SubscribeAnswer[]> ReadAsync(
        HttpConnections connections, HttpContext context, IReadOnlyCollection<TopicStart> starts, TimeSpan wait)
    {
        var transport = new PollTransport();
        await using var connection = await connections.OpenAsync(context, transport);
        // Events that are in no log have no place in a poll, which knows nothing but positions.
        var answers = await TopicStart.SubscribeAllAsync(connections.Path, connection, starts, ephemeral: false, context.RequestAborted);
        if (wait == TimeSpan.Zero || answers.Any(HasSomething))
        {
            return answers;
        }

        var events = await transport.WaitAsync(wait, connections.Time, context.RequestAborted);
        return events is null ? answers : [.. answers.Select(answer => Append(answer, events))];
    }

    /// <summary>One outcome for each subscribe, at once when one of them has something to tell.</summary>
    /// <exception cref="RealtimeException"><c>batch_empty</c>, <c>batch_too_large</c>, <c>draining</c>.</exception>
    public static async Task<SubscribeResult[]> ReadEachAsync(
        HttpConnections connections, HttpContext context, IEnumerable<SubscribeRequest?> requests, TimeSpan wait)
    {
        var transport = new PollTransport();
        await using var connection = await connections.OpenAsync(context, transport);
        SubscribeRequest?[] logged = [.. requests.Select(request => request is null ? null : request with { Ephemeral = false })];
        var results = await connections.Path.SubscribeManyAsync(connection, logged, context.RequestAborted);
        if (wait == TimeSpan.Zero || results.Any(result => result.Reply is not { } answer || HasSomething(answer)))
        {
            return results;
        }

        var events = await transport.WaitAsync(wait, connections.Time, context.RequestAborted);
        return events is null ? results : [.. results.Select(result => result with { Reply = Append(result.Reply!, events) })];
    }

    private static bool HasSomething(SubscribeAnswer answer) =>
        answer.Events.Count > 0 || answer.More || answer.Recovery is Recovery.Gap or Recovery.NewEpoch;

    private static SubscribeAnswer Append(SubscribeAnswer answer, EventBatch events)
    {
        EncodedEvent[] own = [.. events.Events.Where(came => came.Topic.Name.Value == answer.Topic)];
        return own.Length == 0 ? answer : answer with { Events = own, Position = own[^1].Position };
    }
}
