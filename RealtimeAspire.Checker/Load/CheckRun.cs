using System.Globalization;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Subscribers and publishers on topics of their own, from the start of the load to the record of it.</summary>
internal sealed class CheckRun : IAsyncDisposable
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(20);

    private readonly LoadOptions _options;
    private readonly TimeProvider _time;
    private readonly IReadOnlyList<string> _topics;
    private readonly IReadOnlyList<Subscriber> _subscribers;
    private readonly IReadOnlyList<Publisher> _publishers;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abandon;
    private readonly CancellationTokenSource _end = new();
    private Task _subscribing = Task.CompletedTask;
    private Task _publishing = Task.CompletedTask;

    private CheckRun(LoadOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _abandon = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        // New topics: their logs begin with this run.
        var run = Guid.NewGuid().ToString("n")[..10];
        _topics = [.. Enumerable.Range(0, options.Topics).Select(i => string.Create(CultureInfo.InvariantCulture, $"{options.Type}:check-{run}-{i}"))];
        _subscribers = [.. Enumerable.Range(0, options.Subscribers).Select(i => new Subscriber(i, _topics, options, Tally, time))];
        _publishers = [.. Enumerable.Range(0, options.Publishers).Select(i => new Publisher(i, _topics, options, Tally, time))];
    }

    public Tally Tally { get; } = new();

    public IReadOnlyList<string> Topics => _topics;

    /// <summary>Ends early only when the server refuses what the run needs.</summary>
    public Task Load => Task.WhenAll(_publishing, _subscribing);

    /// <summary>Subscribers are live and publishers have begun.</summary>
    /// <exception cref="CannotRunException">The deployment does not answer, or refuses.</exception>
    public static async Task<CheckRun> StartAsync(LoadOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var run = new CheckRun(options, time);
        try
        {
            await run.JoinAsync(cancellationToken);
            run._publishing = WhenAllOrOneFails(run._publishers.Select(publisher => Task.Run(() => publisher.RunAsync(run._stop.Token, run._abandon.Token), CancellationToken.None)));
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the load, waits until everything has arrived, and tells what was seen.</summary>
    /// <exception cref="CannotRunException">The deployment does not answer any more, or has refused.</exception>
    public async Task<Record> FinishAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        _abandon.CancelAfter(_options.Patience);
        await _publishing.WaitAsync(cancellationToken);
        var histories = _options.Durability is Durability.Ephemeral ? [] : await ReadHistoriesAsync(cancellationToken);
        await WaitForSubscribersAsync(histories, cancellationToken);
        await _end.CancelAsync();
        await _subscribing;
        return new Record
        {
            Durability = _options.Durability,
            Publishes = [.. _publishers.SelectMany(publisher => publisher.Publishes)],
            Readings = [.. _subscribers.SelectMany(subscriber => subscriber.Readings)],
            Histories = histories,
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _end.CancelAsync();
        await Task.WhenAll(_publishing, _subscribing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var publisher in _publishers)
        {
            await publisher.DisposeAsync();
        }

        _stop.Dispose();
        _abandon.Dispose();
        _end.Dispose();
    }

    private async Task JoinAsync(CancellationToken cancellationToken)
    {
        _subscribing = WhenAllOrOneFails(_subscribers.Select(subscriber => Task.Run(() => subscriber.RunAsync(_stop.Token, _end.Token), CancellationToken.None)));
        var joined = Task.WhenAll(_subscribers.Select(subscriber => subscriber.Joined));
        try
        {
            var first = await Task.WhenAny(joined, _subscribing).WaitAsync(_options.Patience, _time, cancellationToken);
            await first;
        }
        catch (TimeoutException exception)
        {
            throw new CannotRunException($"Not every subscriber could subscribe within {_options.Patience.TotalSeconds:0} s.", exception);
        }
    }

    private async Task<IReadOnlyList<History>> ReadHistoriesAsync(CancellationToken cancellationToken)
    {
        using var api = new HttpApi("check-h", _options, _time);
        var random = _options.RandomOf("history");
        var started = _time.GetTimestamp();
        var histories = new List<History>();
        for (var failures = 0; histories.Count < _topics.Count;)
        {
            try
            {
                histories.Add(await api.ReadAsync(_topics[histories.Count], cancellationToken));
            }
            catch (RealtimeException exception) when (exception.Error.Retryable && _time.GetElapsedTime(started) < _options.Patience)
            {
                await Pacing.BackOffAsync(random, failures++, _time, cancellationToken);
            }
            catch (RealtimeException exception)
            {
                throw new CannotRunException($"The history of {_topics[histories.Count]} cannot be read: {exception.Code}: {exception.Message}", exception);
            }
        }

        return histories;
    }

    /// <summary>Until each has everything. One that does not get there in time is no error here: the verdict names it.</summary>
    private async Task WaitForSubscribersAsync(IReadOnlyList<History> histories, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        while (!_subscribers.All(subscriber => subscriber.HasReached(histories)) && !_subscribing.IsFaulted && _time.GetElapsedTime(started) < _options.Patience)
        {
            await Task.Delay(Glance, _time, cancellationToken);
        }
    }

    private static async Task WhenAllOrOneFails(IEnumerable<Task> tasks)
    {
        await foreach (var task in Task.WhenEach(tasks))
        {
            await task;
        }
    }
}
