using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Feeds;

/// <summary>A page of the log with its events as they are sent.</summary>
internal sealed record FeedPage(LogPage Log, IReadOnlyList<EncodedEvent> Events)
{
    public static FeedPage From(LogPage page) => new(page, [.. page.Events.Select(EncodedEvent.Encode)]);
}

/// <summary>
/// Reads a topic's log for all its joiners. Those that want the same page share a read: while one is under way, whoever asks
/// waits for the next one, which begins when that is done. So each has a page as of its question or later.
/// </summary>
internal sealed class FeedReader(ITopicLog log, TipReader tips, TopicKey topic, int limit)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Reads> _reads = [];

    /// <summary>How far the log is. Costs less than a page.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<Position> ReadTipAsync(CancellationToken cancellationToken) => tips.ReadAsync(topic, cancellationToken);

    /// <summary>The oldest events after an offset.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<FeedPage> ReadAfterAsync(long offset, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_reads.TryGetValue(offset, out var reads))
            {
                _reads[offset] = reads = new Reads();
                reads.Current = Background.Run(() => ReadNowAsync(offset, reads));
                return reads.Current.WaitAsync(cancellationToken);
            }

            reads.Next ??= ReadNextAsync(offset, reads, reads.Current);
            return reads.Next.WaitAsync(cancellationToken);
        }
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<FeedPage> ReadAsync(LogRange range, int count, CancellationToken cancellationToken) =>
        FeedPage.From(await log.ReadAsync(topic, range, Math.Min(count, limit), cancellationToken));

    private async Task<FeedPage> ReadNextAsync(long offset, Reads reads, Task current)
    {
        await current.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        lock (_lock)
        {
            (reads.Current, reads.Next) = (reads.Next!, null);
        }

        return await ReadNowAsync(offset, reads);
    }

    private async Task<FeedPage> ReadNowAsync(long offset, Reads reads)
    {
        try
        {
            return FeedPage.From(await log.ReadAsync(topic, new LogRange.After(offset), limit, CancellationToken.None));
        }
        finally
        {
            lock (_lock)
            {
                if (reads.Next is null)
                {
                    _reads.Remove(offset);
                }
            }
        }
    }

    private sealed class Reads
    {
        public Task<FeedPage> Current { get; set; } = null!;

        public Task<FeedPage>? Next { get; set; }
    }
}
