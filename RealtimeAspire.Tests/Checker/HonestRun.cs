using System.Globalization;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;
using Record = RealtimeAspire.Checker.Proof.Record;

namespace RealtimeAspire.Tests.Checker;

/// <summary>
/// A run of a system that keeps its promises, made from a seed: publishes that are acknowledged, lost on the way there or on
/// the way back, sent twice, refused; a recoverable log that is flushed; subscribers that come, go, and are told.
/// </summary>
internal sealed class HonestRun
{
    private static readonly DateTimeOffset Start = new(2026, 11, 21, 5, 0, 0, TimeSpan.Zero);

    private readonly Random _random;
    private readonly Durability _durability;
    private readonly List<Publish> _publishes = [];
    private readonly Dictionary<string, List<Seen?>> _logs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Position> _tips = new(StringComparer.Ordinal);
    private int _epochs;
    private long _tick;

    private HonestRun(int seed, Durability durability) => (_random, _durability) = (new Random(seed), durability);

    public static Record Make(int seed, Durability durability = Durability.Durable) =>
        durability is Durability.Ephemeral ? WithoutLog(new HonestRun(seed, Durability.Durable).Make()) : new HonestRun(seed, durability).Make();

    /// <summary>The same run as it is where no log keeps anything: what was not received live is not received.</summary>
    private static Record WithoutLog(Record record) => new()
    {
        Durability = Durability.Ephemeral,
        Publishes = [.. record.Publishes.Select(publish => publish with
        {
            Attempts = [.. publish.Attempts.Select(attempt => attempt.Answer is Answer.Acknowledged told ? attempt with { Answer = told with { Position = null, Duplicate = false } } : attempt)],
        })],
        Readings = [.. record.Readings.Select(reading => reading with { Steps = [.. reading.Steps.Select(WithoutLog)] })],
        Histories = [],
    };

    private static Step WithoutLog(Step step) => step switch
    {
        Step.Live live => new Step.Live(live.Event with { Position = null }),
        Step.Told => new Step.Told(Recovery.None, Position.Origin, [], More: false),
        _ => step,
    };

    private Record Make()
    {
        var topics = Enumerable.Range(0, _random.Next(1, 3)).Select(i => $"room:{i}").ToList();
        topics.ForEach(Renew);
        var publishers = _random.Next(1, 4);
        for (var i = _random.Next(10, 40); i > 0; i--)
        {
            Publish(topics[_random.Next(topics.Count)], $"p{_random.Next(publishers)}");
            if (_durability is Durability.Recoverable && _random.Next(15) == 0)
            {
                Renew(topics[_random.Next(topics.Count)]);
            }
        }

        return new Record
        {
            Durability = _durability,
            Publishes = _publishes,
            Readings = [.. Enumerable.Range(0, _random.Next(1, 4)).SelectMany(s => topics.Select(topic => Read($"s{s}", topic)))],
            Histories = [.. topics.Select(ToHistory)],
        };
    }

    /// <summary>A new incarnation of a topic's log. A null in its entries stands for the loss of what was before.</summary>
    private void Renew(string topic)
    {
        if (_logs.TryGetValue(topic, out var log))
        {
            log.Add(null);
        }
        else
        {
            _logs[topic] = [];
        }

        _tips[topic] = Position.Origin;
    }

    private void Publish(string topic, string publisher)
    {
        var id = string.Create(CultureInfo.InvariantCulture, $"{publisher}-{_publishes.Count}");
        var (first, second) = ($"{publisher}a", $"{publisher}b");
        List<Attempt> attempts = _random.Next(10) switch
        {
            0 => [Make(first, Unknown), Make(second, () => Append(topic, id))],
            1 => [Make(first, () => Hide(Append(topic, id))), Make(first, () => Again(topic, id))],
            2 => [Make(first, () => Hide(Append(topic, id)))],
            3 => [Make(first, Unknown)],
            4 => [Make(first, () => new Answer.Refused("forbidden"))],
            5 => [Make(first, () => Append(topic, id)), Make(second, () => Again(topic, id))],
            6 => [.. Enumerable.Reverse([Make(second, () => Append(topic, id)), Make(first, () => Again(topic, id))])],
            _ => [Make(first, () => Append(topic, id))],
        };
        _publishes.Add(new Publish(publisher, topic, id, Content(id), attempts));
    }

    private static string Content(string id) => $"{{\"by\":\"{id}\"}}";

    private Attempt Make(string connection, Func<Answer> answer)
    {
        var sent = ++_tick;
        var told = answer();
        return new Attempt(connection, sent, ++_tick, told);
    }

    private static Answer.Unknown Unknown() => new("disconnected");

    private static Answer.Unknown Hide(Answer.Acknowledged acknowledged) => new($"not told of {acknowledged.Position}");

    private Answer.Acknowledged Append(string topic, string id)
    {
        var tip = _tips[topic];
        var position = new Position(tip.Offset == 0 ? $"e{++_epochs}" : tip.Epoch, tip.Offset + 1);
        // Two of one batch have the same time.
        var seen = new Seen(position, id, Content(id), Start.AddMilliseconds(_publishes.Count / 2));
        _logs[topic].Add(seen);
        _tips[topic] = position;
        return new Answer.Acknowledged(position, seen.Timestamp, Duplicate: false);
    }

    private Answer.Acknowledged Again(string topic, string id)
    {
        var seen = _logs[topic].Last(entry => entry?.Id == id)!;
        return new Answer.Acknowledged(seen.Position, seen.Timestamp, Duplicate: true);
    }

    private History ToHistory(string topic)
    {
        var log = _logs[topic];
        var kept = log.Skip(log.LastIndexOf(null) + 1).Select(entry => entry!).ToList();
        return new History(topic, _tips[topic], _durability is Durability.Durable ? kept : [.. kept.Skip(_random.Next(kept.Count + 1))]);
    }

    private Reading Read(string subscriber, string topic)
    {
        var log = _logs[topic];
        var steps = new List<Step>();
        var at = _random.Next(2) == 0 ? Position.Origin : (Position?)null;
        var stays = _random.Next(4) > 0;
        var reached = _random.Next(log.Count + 1);
        while (true)
        {
            reached = Join(log, reached, ref at, steps);
            var until = _random.Next(3) == 0 ? log.Count : _random.Next(reached, log.Count + 1);
            for (; reached < until; reached++)
            {
                if (log[reached] is { } seen)
                {
                    steps.Add(new Step.Live(seen));
                    at = seen.Position;
                }
                else
                {
                    steps.Add(new Step.Reset());
                    Join(log, reached + 1, ref at, steps, early: false);
                }
            }

            if (reached == log.Count || !stays)
            {
                return new Reading(subscriber, topic, steps, stays);
            }

            steps.Add(new Step.Lost());
            reached = _random.Next(reached, log.Count + 1);
        }
    }

    /// <summary>Subscribes when the log has so many entries. Returns how many the subscriber has then seen or been told of.</summary>
    private int Join(List<Seen?> log, int entries, ref Position? at, List<Step> steps, bool early = true)
    {
        var kept = log.Take(entries).Skip(entries == 0 ? 0 : log.LastIndexOf(null, entries - 1) + 1).Select(entry => entry!).ToList();
        var tip = kept.Count > 0 ? kept[^1].Position!.Value : Position.Origin;
        steps.Add(new Step.Asked(at));
        if (early && _random.Next(5) == 0)
        {
            steps.Add(new Step.Lost());
            steps.Add(new Step.Asked(at));
        }

        // Live before the reply: some of what it will hold, and some behind it.
        var overlap = kept.Skip(Math.Max(0, kept.Count - (early && _random.Next(3) == 0 ? 2 : 0))).ToList();
        var ahead = early && _random.Next(3) == 0 ? log.Skip(entries).TakeWhile(entry => entry is not null).Take(2).Select(entry => entry!).ToList() : [];
        var from = at is { } position && (position == Position.Origin || position.Epoch == tip.Epoch) ? position : (Position?)null;
        if (at is null)
        {
            AddEarly(ahead, steps);
            steps.Add(new Step.Told(Recovery.None, tip, [], More: false));
        }
        else if (from is not { } start)
        {
            AddEarly(ahead, steps);
            steps.Add(new Step.Told(Recovery.NewEpoch, tip, [], More: false));
        }
        else if (_durability is Durability.Recoverable && start.Offset < tip.Offset && _random.Next(4) == 0)
        {
            AddEarly(ahead, steps);
            steps.Add(new Step.Told(Recovery.Gap, tip, [], More: false));
        }
        else
        {
            var missed = kept.Where(seen => seen.Position!.Value.Offset > start.Offset).ToList();
            if (missed.Count > 2)
            {
                steps.Add(new Step.Told(Recovery.Recovered, missed[1].Position!.Value, missed[..2], More: true));
                steps.Add(new Step.Asked(missed[1].Position));
                missed = missed[2..];
            }

            AddEarly([.. overlap.Intersect(missed), .. ahead], steps);
            steps.Add(new Step.Told(Recovery.Recovered, tip, missed, More: false));
        }

        at = ahead.Count > 0 ? ahead[^1].Position : tip;
        return entries + ahead.Count;
    }

    private static void AddEarly(IEnumerable<Seen> early, List<Step> steps) => steps.AddRange(early.Select(seen => new Step.Live(seen)));
}
