using System.Globalization;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>
/// Reads every topic of the run over one connection at a time, as docs/protocol.md tells a client to, but keeps everything
/// that comes, also what a client would drop. Of four, two use the hub, one server-sent events and one long polls. Some end
/// their connection by themselves now and then; one in eight does not come back.
/// </summary>
internal sealed class Subscriber
{
    public const string Hub = "hub";
    public const string Sse = "sse";
    public const string Poll = "poll";

    private readonly LoadOptions _options;
    private readonly Tally _tally;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ReadingLogs _logs;
    private readonly IReadingLine _line;
    private readonly bool _drops;
    private readonly bool _leaves;
    private bool _left;

    public Subscriber(int number, IReadOnlyList<string> topics, LoadOptions options, Tally tally, TimeProvider time)
    {
        var way = WayOf(number, options.Durability);
        Name = string.Create(CultureInfo.InvariantCulture, $"check-s{number}-{way}");
        (_options, _tally, _time, _random) = (options, tally, time, options.RandomOf($"s{number}"));
        _logs = new ReadingLogs(Name, topics, options.Durability, tally);
        Uri Address(int connection) => options.SubscribeAt(number, connection);
        _line = way switch
        {
            Sse => new StreamReadingLine(Name, _logs, Address, options, tally, time),
            Poll => new PollReadingLine(Name, _logs, Address, options, time),
            _ => new HubReadingLine(Name, _logs, Address, options, _random, tally, time),
        };
        (_drops, _leaves) = (number % 3 == 1, number % 8 == 7);
    }

    /// <summary>Ends with the way that it uses.</summary>
    public string Name { get; }

    /// <summary>Completes when it is live on every topic for the first time.</summary>
    public Task Joined => _logs.Joined;

    public IEnumerable<Reading> Readings => _logs.ToReadings(stayed: !_left);

    /// <summary>Whether it has everything up to these positions, or has left for good.</summary>
    public bool HasReached(IEnumerable<History> tips) => _left || _logs.HaveReached(tips);

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
            finally
            {
                _logs.Lose();
            }

            if (end.IsCancellationRequested || _left)
            {
                return;
            }

            _tally.Reconnect();
            await Pacing.BackOffAsync(_random, failures + 2, _time, end);
        }
    }

    /// <summary>Ephemeral events do not come over polls.</summary>
    private static string WayOf(int number, Durability durability) => (number % 4) switch
    {
        1 => Sse,
        3 when durability is not Durability.Ephemeral => Poll,
        _ => Hub,
    };

    /// <summary>One connection, until it is lost, is no longer wanted, or the run ends.</summary>
    private async Task StayAsync(int connection, CancellationToken stop, CancellationToken end)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(end);
        var reading = _line.ReadAsync(connection, over.Token);
        var leaving = LeaveAsync(stop, over.Token);
        await Task.WhenAny(reading, leaving);
        _left = _leaves && leaving.IsCompletedSuccessfully && await leaving;
        await over.CancelAsync();
        try
        {
            await reading;
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // As it was told.
        }
        finally
        {
            await leaving;
        }
    }

    /// <summary>True when the moment has come to drop the connection; only ends earlier with it.</summary>
    private async Task<bool> LeaveAsync(CancellationToken stop, CancellationToken over)
    {
        await Task.WhenAny(Joined, Pacing.WaitAsync(Timeout.InfiniteTimeSpan, _time, over));
        var after = _drops || _leaves ? _options.DropsAfter * (0.2 + (1.6 * _random.NextDouble())) : Timeout.InfiniteTimeSpan;
        await Pacing.WaitAsync(after, _time, over);
        if (!stop.IsCancellationRequested)
        {
            return true;
        }

        await Pacing.WaitAsync(Timeout.InfiniteTimeSpan, _time, over);
        return false;
    }
}
