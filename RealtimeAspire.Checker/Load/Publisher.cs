using System.Globalization;
using System.Text.Json;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>
/// Publishes a few events at a time to topics at random, and each of them until it is acknowledged, with the same id. Some go
/// out over two connections at once. One publisher in three uses HTTP.
/// </summary>
internal sealed class Publisher : IAsyncDisposable
{
    private const int LongestBurst = 4;

    private static readonly TimeSpan LongestTimeout = TimeSpan.FromSeconds(10);

    private readonly string _name;
    private readonly IReadOnlyList<string> _topics;
    private readonly LoadOptions _options;
    private readonly Tally _tally;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly IPublishLine _line;
    private readonly HubPublishLine _other;
    private readonly List<Publish> _publishes = [];
    private int _count;

    public Publisher(int number, IReadOnlyList<string> topics, LoadOptions options, Tally tally, TimeProvider time)
    {
        _name = $"check-p{number}";
        (_topics, _options, _tally, _time, _random) = (topics, options, tally, time, options.RandomOf($"p{number}"));
        _line = number % 3 == 2 ? new HttpPublishLine(_name, options, tally, time) : new HubPublishLine(_name, $"{_name}a", options, tally, time);
        _other = new HubPublishLine(_name, $"{_name}b", options, tally, time);
    }

    /// <summary>To be read when it has ended.</summary>
    public IReadOnlyList<Publish> Publishes => _publishes;

    /// <param name="stop">It begins nothing new.</param>
    /// <param name="abandon">It tries nothing again.</param>
    /// <exception cref="CannotRunException">The server refuses what it publishes.</exception>
    public async Task RunAsync(CancellationToken stop, CancellationToken abandon)
    {
        while (!stop.IsCancellationRequested)
        {
            await _line.OpenAsync(stop);
            await _other.OpenAsync(stop);
            if (stop.IsCancellationRequested)
            {
                return;
            }

            // Sent one after another without a wait in between: their order is the connection's.
            var burst = Enumerable.Range(0, 1 + _random.Next(LongestBurst)).Select(_ => PublishAsync(Next(), _random.Next(), abandon)).ToList();
            _publishes.AddRange(await Task.WhenAll(burst));
            await Pacing.WaitAsync(TimeSpan.FromSeconds(burst.Count / (double)_options.PublishesPerSecond), _time, stop);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _line.DisposeAsync();
        await _other.DisposeAsync();
    }

    private PublishRequest Next()
    {
        var number = _count++;
        var id = string.Create(CultureInfo.InvariantCulture, $"{_name}-{number}");
        return new PublishRequest
        {
            Topic = _topics[_random.Next(_topics.Count)],
            Event = LoadOptions.Event,
            Id = id,
            Payload = JsonSerializer.SerializeToElement(new { by = id, filling = new string('x', _options.Padding) }),
        };
    }

    private async Task<Publish> PublishAsync(PublishRequest request, int seed, CancellationToken abandon)
    {
        var random = new Random(seed);
        var first = _line.TryAsync(request, _options.AttemptTimeout, abandon);
        var twin = random.NextDouble() < _options.Twins ? _other.TryAsync(request, _options.AttemptTimeout, abandon) : null;
        List<Attempt> attempts = [await first];
        if (twin is not null)
        {
            attempts.Add(await twin);
        }

        for (var tries = 0; !attempts.Exists(attempt => attempt.Answer is Answer.Acknowledged) && !abandon.IsCancellationRequested; tries++)
        {
            RequireNotRefused(attempts[^1]);
            _tally.Retry();
            await Pacing.BackOffAsync(random, tries, _time, abandon);
            IPublishLine line = tries % 2 == 0 ? _line : _other;
            await line.OpenAsync(abandon);
            attempts.Add(await line.TryAsync(request, TimeoutOf(tries + 1), abandon));
        }

        if (attempts.Exists(attempt => attempt.Answer is Answer.Acknowledged))
        {
            _tally.Acknowledge();
        }

        return new Publish(_name, request.Topic!, request.Id!, request.Payload.GetRawText(), attempts);
    }

    /// <summary>Twice as long with each try, and never longer than a server answers.</summary>
    private TimeSpan TimeoutOf(int tries)
    {
        var timeout = _options.AttemptTimeout * Math.Pow(2, Math.Min(tries, 16));
        return timeout < LongestTimeout ? timeout : LongestTimeout;
    }

    private void RequireNotRefused(Attempt attempt)
    {
        if (attempt.Answer is Answer.Refused refused && refused.Code != ErrorCode.IdConflict.Code)
        {
            throw new CannotRunException($"{_name} is refused with {refused.Code}: {ErrorCode.Find(refused.Code).Sentence}");
        }
    }
}
