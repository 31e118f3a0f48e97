using System.Threading.Channels;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>
/// Reads every topic of the run over one connection at a time, as docs/protocol.md tells a client to, but keeps everything
/// that comes, also what a client would drop. Some end their connection by themselves now and then; one in eight does not come back.
/// </summary>
internal sealed class Subscriber
{
    private static readonly TimeSpan ReplyTime = TimeSpan.FromSeconds(10);

    private readonly LoadOptions _options;
    private readonly Tally _tally;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly Dictionary<string, ReadingLog> _logs;
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _drops;
    private readonly bool _leaves;
    private bool _left;

    public Subscriber(int number, IReadOnlyList<string> topics, LoadOptions options, Tally tally, TimeProvider time)
    {
        Name = $"check-s{number}";
        (_options, _tally, _time, _random) = (options, tally, time, options.RandomOf($"s{number}"));
        _logs = topics.ToDictionary(topic => topic, topic => new ReadingLog(Name, topic, options.Durability, tally), StringComparer.Ordinal);
        (_drops, _leaves) = (number % 3 == 1, number % 8 == 7);
    }

    public string Name { get; }

    /// <summary>Completes when it is live on every topic for the first time.</summary>
    public Task Joined => _joined.Task;

    public IEnumerable<Reading> Readings => _logs.Values.Select(log => log.ToReading(stayed: !_left));

    /// <summary>Whether it has everything up to these positions, or has left for good.</summary>
    public bool HasReached(IEnumerable<History> tips) =>
        _left || tips.All(tip => _logs[tip.Topic].At is { } at && at.Epoch == tip.Position.Epoch && at.Offset >= tip.Position.Offset);

    /// <param name="stop">From then on it does not leave by itself.</param>
    /// <param name="end">It is no longer needed.</param>
    /// <exception cref="CannotRunException">The server refuses it.</exception>
    public async Task RunAsync(CancellationToken stop, CancellationToken end)
    {
        for (var (connection, failures) = (0, 0); ; connection++)
        {
            try
            {
                await StayAsync(connection, stop, end);
                failures = 0;
            }
            catch (RealtimeException exception) when (exception.Error.Retryable)
            {
                failures++;
            }
            catch (RealtimeException exception)
            {
                throw new CannotRunException($"{Name} is refused with {exception.Code}: {exception.Message}", exception);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                return;
            }
            finally
            {
                foreach (var log in _logs.Values)
                {
                    log.Lose();
                }
            }

            if (end.IsCancellationRequested || _left)
            {
                return;
            }

            _tally.Reconnect();
            await Pacing.BackOffAsync(_random, failures + 2, _time, end);
        }
    }

    /// <summary>One connection, until it is lost, is no longer wanted, or the run ends.</summary>
    private async Task StayAsync(int connection, CancellationToken stop, CancellationToken end)
    {
        var joins = Channel.CreateUnbounded<string>();
        var draining = new TaskCompletionSource<TimeSpan>(TaskCreationOptions.RunContinuationsAsynchronously);
        var token = await _options.Token(Name, end);
        await using var link = await HubLink.OpenAsync(_options.SubscribeAt(connection), token, $"{Name}/{connection}", Arrive, Obey, _time, end);
        foreach (var topic in _logs.Keys)
        {
            joins.Writer.TryWrite(topic);
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(end);
        var joining = JoinAsync(link, connection, joins, over.Token);
        var leaving = LeaveAsync(stop, over.Token);
        await Task.WhenAny(joining, link.Lost, leaving, draining.Task);
        if (draining.Task.IsCompletedSuccessfully)
        {
            await Pacing.WaitAsync(await draining.Task, _time, end);
        }

        _left = _leaves && leaving.IsCompletedSuccessfully && await leaving;
        await over.CancelAsync();
        await joining;

        void Arrive(TopicEvent[] events)
        {
            foreach (var arrived in events)
            {
                if (_logs.TryGetValue(arrived.Topic, out var log))
                {
                    log.Arrive(connection, arrived);
                }
            }
        }

        void Obey(Control control)
        {
            if (control.Type == Control.Draining)
            {
                draining.TrySetResult(TimeSpan.FromMilliseconds(control.RetryAfterMs ?? 0));
            }
            else if (control.Type is Control.Reset or Control.Unsubscribed && control.Topic is { } topic && _logs.TryGetValue(topic, out var log))
            {
                log.Reset(connection);
                joins.Writer.TryWrite(topic);
            }
        }
    }

    /// <summary>True when the moment has come to drop the connection; only ends earlier with it.</summary>
    private async Task<bool> LeaveAsync(CancellationToken stop, CancellationToken over)
    {
        await Task.WhenAny(_joined.Task, Pacing.WaitAsync(Timeout.InfiniteTimeSpan, _time, over));
        var after = _drops || _leaves ? _options.DropsAfter * (0.2 + (1.6 * _random.NextDouble())) : Timeout.InfiniteTimeSpan;
        await Pacing.WaitAsync(after, _time, over);
        if (!stop.IsCancellationRequested)
        {
            return true;
        }

        await Pacing.WaitAsync(Timeout.InfiniteTimeSpan, _time, over);
        return false;
    }

    /// <summary>Subscribes to one topic after another, again and again. Ends when the connection does not answer.</summary>
    private async Task JoinAsync(HubLink link, int connection, Channel<string> joins, CancellationToken over)
    {
        try
        {
            var failures = 0;
            await foreach (var topic in joins.Reader.ReadAllAsync(over))
            {
                try
                {
                    var log = _logs[topic];
                    bool more;
                    do
                    {
                        var reply = await link.SubscribeAsync(log.Ask(connection), ReplyTime, over);
                        log.Tell(connection, reply);
                        more = reply.More;
                    }
                    while (more);
                    failures = 0;
                    if (_logs.Values.All(joined => joined.IsLive))
                    {
                        _joined.TrySetResult();
                    }
                }
                catch (RealtimeException exception) when (exception.Error.Retryable && exception.Error != ErrorCode.Disconnected)
                {
                    await Pacing.BackOffAsync(_random, failures++, _time, over);
                    joins.Writer.TryWrite(topic);
                }
            }
        }
        catch (RealtimeException exception) when (exception.Error == ErrorCode.Disconnected)
        {
            // To be opened anew.
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The connection is no longer wanted.
        }
    }
}
