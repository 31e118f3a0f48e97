using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Client;

/// <summary>Tells the server of some of the events that have arrived, so that it can say how long they take to its readers.</summary>
internal sealed class Receipts : IAsyncDisposable
{
    /// <summary>The server takes no more at once.</summary>
    private const int Most = 100;

    /// <summary>In which they are gathered.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly double _share;
    private readonly TimeProvider _time;
    private readonly Func<ILink?> _link;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // Under the lock.
    private List<(TopicEvent Event, long At)> _heard = [];

    public Receipts(RealtimeClientOptions options, Func<ILink?> link)
    {
        (_share, _time, _link) = (options.Receipts, options.Time, link);
        _timer = _time.CreateTimer(_ => Tell(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Arrived(TopicEvent[] events)
    {
        if (_share <= 0)
        {
            return;
        }

        lock (_lock)
        {
            var isFirst = _heard.Count == 0;
            foreach (var arrived in events)
            {
                if (_heard.Count < Most && Random.Shared.NextDouble() < _share)
                {
                    _heard.Add((arrived, _time.GetTimestamp()));
                }
            }

            if (isFirst && _heard.Count > 0)
            {
                _timer.Change(Interval, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void Tell()
    {
        List<(TopicEvent Event, long At)> heard;
        lock (_lock)
        {
            (heard, _heard) = (_heard, []);
        }

        if (_link() is { } link)
        {
            _ = TellAsync(link, [.. heard.Select(one => new Receipt
            {
                Topic = one.Event.Topic,
                Timestamp = one.Event.Data.Timestamp,
                DelayMs = (int)_time.GetElapsedTime(one.At).TotalMilliseconds,
                TraceId = one.Event.TraceId,
            })]);
        }
    }

    private static async Task TellAsync(ILink link, Receipt[] receipts)
    {
        try
        {
            await link.ReceiptsAsync(receipts, CancellationToken.None);
        }
        catch (RealtimeException)
        {
            // Some are as good as others.
        }
    }
}
