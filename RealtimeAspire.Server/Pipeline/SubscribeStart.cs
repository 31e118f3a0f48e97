using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Cursors;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Step 4 of <see cref="SubscribePath"/>: what a reader is given first, out of the feed's tail where that reaches, else out of the log.</summary>
internal sealed class SubscribeStart(Memberships memberships, CursorStore cursors, IOptions<RealtimeOptions> options)
{
    private readonly int _pageSize = options.Value.Limits.HistoryEvents;

    /// <summary>Where the reader starts: what was asked for, what became of it, and the first events.</summary>
    public async Task<ReadStart> ReadAsync(TopicFeed feed, SubscribeRequest request, TopicPolicy policy, Caller caller, CancellationToken cancellationToken)
    {
        // 4.
        var horizon = memberships.HorizonOf(caller, feed.Topic.Name);
        var cursor = request.From is null ? null : await cursors.FindAsync(caller, feed.Topic.Name, request.Consumer!, cancellationToken);
        if ((request.Position ?? cursor) is { } position)
        {
            return position.Offset < horizon
                ? new ReadStart(await feed.Reader.ReadTipAsync(cancellationToken), Recovery.Gap, [], More: false)
                : await StartAtAsync(feed, position, cancellationToken);
        }

        if (request.From is not null)
        {
            return await StartWithAsync(feed, new LogRange.After(horizon), _pageSize, cancellationToken);
        }

        var start = request.Rewind?.Since is { } since
            ? await StartWithAsync(feed, new LogRange.Since(since), policy.RewindEvents, cancellationToken)
            : await StartBackAsync(feed, Math.Min(request.Rewind?.Count ?? 0, Math.Min(policy.RewindEvents, _pageSize)), cancellationToken);
        // What was there before a member joined is not there for him.
        return start.Events.Count > 0 && start.Events[0].Position.Offset <= horizon
            ? await StartWithAsync(feed, new LogRange.After(horizon), policy.RewindEvents, cancellationToken)
            : start;
    }

    /// <summary>From a client's position: out of the tail if it reaches back there, and in any case up to what the log has now.</summary>
    private static async Task<ReadStart> StartAtAsync(TopicFeed feed, Position asked, CancellationToken cancellationToken)
    {
        List<EncodedEvent> events = [];
        var at = asked;
        var isFromTail = feed.Audience.TryCollect(ref at, events);
        FeedPage page;
        try
        {
            page = await ReadAfterAsync(feed, at, cancellationToken);
        }
        catch (RealtimeException) when (isFromTail)
        {
            // What the log has beyond it comes when it can be read again.
            return new ReadStart(at, Recovery.Recovered, events, More: false);
        }

        var recovery = RecoveryDecision.Decide(at, page.Log);
        if (recovery is not Recovery.Recovered)
        {
            return new ReadStart(page.Log.Tip, recovery, [], More: false);
        }

        var more = Take(page, ref at, events);
        return new ReadStart(at, recovery, events, more);
    }

    /// <summary>From so many events before what the log has now.</summary>
    private static async Task<ReadStart> StartBackAsync(TopicFeed feed, int count, CancellationToken cancellationToken)
    {
        List<EncodedEvent> events = [];
        if (feed.Audience.TryRewind(count, out var at, events))
        {
            var page = await ReadAfterAsync(feed, at, cancellationToken);
            if (RecoveryDecision.Decide(at, page.Log) is Recovery.Recovered && !Take(page, ref at, events))
            {
                events.RemoveRange(0, Math.Max(0, events.Count - count));
                return new ReadStart(at, Recovery.None, events, More: false);
            }
        }

        return await StartWithAsync(feed, new LogRange.Newest(count), Math.Max(1, count), cancellationToken);
    }

    private static async Task<ReadStart> StartWithAsync(TopicFeed feed, LogRange range, int count, CancellationToken cancellationToken)
    {
        var page = await feed.Reader.ReadAsync(count == 0 ? new LogRange.Newest(0) : range, Math.Max(1, count), cancellationToken);
        feed.Audience.Keep(page.Events);
        List<EncodedEvent> events = [];
        var at = page.Log.Tip;
        var more = page.Events.Count > 0 && Take(page, ref at, events);
        return new ReadStart(at, Recovery.None, events, more);
    }

    /// <summary>What the log has behind a position; its feed is told of what it does not know yet.</summary>
    public static async Task<FeedPage> ReadAfterAsync(TopicFeed feed, Position at, CancellationToken cancellationToken)
    {
        var asOf = feed.Audience.Last;
        // A reader who is where the feed is has nearly always seen all there is.
        if (at == asOf && await feed.Reader.ReadTipAsync(cancellationToken) == at)
        {
            return FeedPage.From(LogPage.Empty with { Tip = at });
        }

        var page = await feed.Reader.ReadAfterAsync(at.Offset, cancellationToken);
        if (page.Log.Tip != asOf)
        {
            feed.PostTip(page.Log.Tip, asOf.Offset);
        }

        feed.Audience.Keep(page.Events);
        return page;
    }

    /// <summary>Adds a page's events. True: there are more behind it.</summary>
    public static bool Take(FeedPage page, ref Position at, List<EncodedEvent> events)
    {
        events.AddRange(page.Events);
        at = page.Events.Count > 0 ? page.Events[^1].Position : at;
        return at.Offset < page.Log.Tip.Offset;
    }
}

/// <summary>Where a reader starts.</summary>
/// <param name="At">Where he is after the events.</param>
/// <param name="Recovery">What became of the position that he asked for.</param>
/// <param name="Events">The first events.</param>
/// <param name="More">Whether the log has more behind them.</param>
internal readonly record struct ReadStart(Position At, Recovery Recovery, List<EncodedEvent> Events, bool More);
