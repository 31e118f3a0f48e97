using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;
using Record = RealtimeAspire.Checker.Proof.Record;

namespace RealtimeAspire.Tests.Checker;

/// <summary>Makes a record of an honest run one of a run that broke one promise once. Null where the run offers no occasion.</summary>
internal static class Mutation
{
    public static Record? Drop(Record record, Random random) => OnEvents(record, random, (events, i) => [.. events[..i], .. events[(i + 1)..]]);

    public static Record? Double(Record record, Random random) => OnEvents(record, random, (events, i) => [.. events[..(i + 1)], .. events[i..]]);

    public static Record? Swap(Record record, Random random) =>
        OnEvents(record, random, (events, i) => i + 1 < events.Count ? [.. events[..i], events[i + 1], events[i], .. events[(i + 2)..]] : null);

    public static Record? ForeignId(Record record, Random random) => OnEvent(record, random, seen => seen with { Id = "nobody-1" });

    public static Record? OtherId(Record record, Random random) =>
        OnEvent(record, random, seen => record.Publishes.FirstOrDefault(publish => publish.Id != seen.Id) is { } other ? seen with { Id = other.Id, Content = other.Content } : null);

    public static Record? OtherPayload(Record record, Random random) => OnEvent(record, random, seen => seen with { Content = "{}" });

    public static Record? OtherOffset(Record record, Random random) => OnEvent(record, random, seen => seen with { Position = new(seen.Position!.Value.Epoch, seen.Position.Value.Offset + 1) });

    public static Record? OtherTime(Record record, Random random) => OnEvent(record, random, seen => seen with { Timestamp = seen.Timestamp.AddMilliseconds(1) });

    public static Record? WithoutPosition(Record record, Random random) => OnEvent(record, random, seen => seen with { Position = null });

    /// <summary>From some event on, and never told.</summary>
    public static Record? SilentEpoch(Record record, Random random) => OnEvents(record, random, (events, i) =>
        [.. events[..i], .. events[i..].Select(seen => seen with { Position = new("silent", seen.Position!.Value.Offset) })]);

    /// <summary>The subscriber has stayed, and from some event on it has nothing.</summary>
    public static Record? Deafen(Record record, Random random) => OnEvents(record, random, (events, i) => events[..i]);

    /// <summary>The subscriber is told that events are gone, and they never were.</summary>
    public static Record? TellLost(Record record, Random random) => OnReading(record, random, reading =>
    {
        var told = Pick(Enumerable.Range(0, reading.Steps.Count).Where(i => reading.Steps[i] is Step.Told { Recovery: Recovery.Recovered, More: false, Events.Count: > 0 }), random);
        return told is { } i
            ? reading with { Steps = [.. reading.Steps.Take(i), ((Step.Told)reading.Steps[i]) with { Recovery = Recovery.Gap, Events = [] }, .. reading.Steps.Skip(i + 1)] }
            : null;
    });

    /// <summary>With the word that events are gone comes one all the same.</summary>
    public static Record? RecoverInPart(Record record, Random random) => OnReading(record, random, reading =>
    {
        var told = Pick(Enumerable.Range(0, reading.Steps.Count).Where(i => reading.Steps[i] is Step.Told { Recovery: Recovery.Gap or Recovery.NewEpoch }), random);
        var seen = record.Histories.Single(history => history.Topic == reading.Topic).Events;
        return told is { } i && seen.Count > 0
            ? reading with { Steps = [.. reading.Steps.Take(i), ((Step.Told)reading.Steps[i]) with { Events = [seen[^1]] }, .. reading.Steps.Skip(i + 1)] }
            : null;
    });

    /// <summary>The log has lost an event that was acknowledged.</summary>
    public static Record? Forget(Record record, Random random)
    {
        var acknowledged = Acknowledged(record).Select(publish => publish.Id).ToHashSet(StringComparer.Ordinal);
        return OnHistory(record, random, history => Pick(Enumerable.Range(0, history.Events.Count).Where(i => acknowledged.Contains(history.Events[i].Id)), random) is { } i
            ? history with { Events = [.. history.Events.Take(i), .. history.Events.Skip(i + 1)] }
            : null);
    }

    /// <summary>Time has gone back within the log, and everybody has seen it so.</summary>
    public static Record? FallInTime(Record record, Random random)
    {
        var history = record.Histories.FirstOrDefault(history => history.Events.Count > 1);
        if (history is null)
        {
            return null;
        }

        var last = history.Events[^1];
        var early = last with { Timestamp = history.Events[0].Timestamp.AddSeconds(-1) };
        Seen Replace(Seen seen) => seen == last ? early : seen;
        return record with
        {
            Publishes = [.. record.Publishes.Select(publish => publish with
            {
                Attempts = [.. publish.Attempts.Select(attempt => attempt.Answer is Answer.Acknowledged told && told.Position == last.Position ? attempt with { Answer = told with { Timestamp = early.Timestamp } } : attempt)],
            })],
            Readings = [.. record.Readings.Select(reading => reading with { Steps = [.. reading.Steps.Select(step => Change(step, Replace))] })],
            Histories = [.. record.Histories.Select(other => other with { Events = [.. other.Events.Select(Replace)] })],
        };
    }

    /// <summary>A publisher is told another position than that of its event.</summary>
    public static Record? AcknowledgeElsewhere(Record record, Random random) => OnAnswer(record, random, (answer, _) =>
        answer is Answer.Acknowledged told ? told with { Position = new(told.Position!.Value.Epoch, told.Position.Value.Offset + 1) } : null);

    /// <summary>A retry counts as new although the first try was in the log.</summary>
    public static Record? BeNewTwice(Record record, Random random) => OnAnswer(record, random, (answer, publish) =>
        answer is Answer.Acknowledged { Duplicate: true } told && publish.Attempts.Any(attempt => attempt.Answer is Answer.Acknowledged { Duplicate: false }) ? told with { Duplicate = false } : null);

    /// <summary>What was refused is in the log.</summary>
    public static Record? RefuseTheStored(Record record, Random random)
    {
        var received = record.Readings.SelectMany(reading => reading.Steps.SelectMany(EventsOf)).Select(seen => seen.Id).ToHashSet(StringComparer.Ordinal);
        return OnPublish(record, random, publish => received.Contains(publish.Id)
            ? publish with { Attempts = [.. publish.Attempts.Select(attempt => attempt with { Answer = new Answer.Refused("forbidden") })] }
            : null);
    }

    /// <summary>Two events of one connection were sent the other way round.</summary>
    public static Record? SendInOtherOrder(Record record, Random random)
    {
        var pairs = record.Publishes
            .Where(publish => publish.Attempts is [{ Answer: Answer.Acknowledged { Duplicate: false } }])
            .GroupBy(publish => (publish.Topic, publish.Attempts[0].Connection, ((Answer.Acknowledged)publish.Attempts[0].Answer).Position!.Value.Epoch))
            .Where(group => group.Count() > 1)
            .Select(group => group.ToList())
            .ToList();
        if (pairs.Count == 0)
        {
            return null;
        }

        var pair = pairs[random.Next(pairs.Count)];
        var (first, second) = (pair[0], pair[1]);
        return record with
        {
            Publishes = [.. record.Publishes.Select(publish => publish == first ? WithMoments(first, second) : publish == second ? WithMoments(second, first) : publish)],
        };

        static Publish WithMoments(Publish publish, Publish of) =>
            publish with { Attempts = [publish.Attempts[0] with { Sent = of.Attempts[0].Sent, Settled = of.Attempts[0].Settled }] };
    }

    /// <summary>Two ephemeral events of one connection, sent once each, arrive the other way round.</summary>
    public static Record? SwapOfOneConnection(Record record, Random random) => OnReading(record, random, reading =>
    {
        var lives = SentOnce(record, reading);
        var next = Pick(Enumerable.Range(0, lives.Count).Where(i => lives.FindIndex(i + 1, other => other.Connection == lives[i].Connection) >= 0), random);
        if (next is not { } i)
        {
            return null;
        }

        var (first, second) = (lives[i].At, lives[lives.FindIndex(i + 1, other => other.Connection == lives[i].Connection)].At);
        var steps = reading.Steps.ToList();
        (steps[first], steps[second]) = (steps[second], steps[first]);
        return reading with { Steps = steps };
    });

    /// <summary>An ephemeral event that was sent once arrives twice.</summary>
    public static Record? DoubleOfOneConnection(Record record, Random random) => OnReading(record, random, reading =>
        Pick(SentOnce(record, reading).Select(live => live.At), random) is { } i ? reading with { Steps = [.. reading.Steps.Take(i + 1), .. reading.Steps.Skip(i)] } : null);

    public static Record? WithPosition(Record record, Random random) => OnReading(record, random, reading =>
        Pick(SentOnce(record, reading).Select(live => live.At), random) is { } i
            ? reading with { Steps = [.. reading.Steps.Take(i), new Step.Live(((Step.Live)reading.Steps[i]).Event with { Position = new("e", 1) }), .. reading.Steps.Skip(i + 1)] }
            : null);

    /// <summary>The live events that were sent once, with the connection that sent them.</summary>
    private static List<(int At, string? Connection)> SentOnce(Record record, Reading reading)
    {
        var connections = record.Publishes.Where(publish => publish.Attempts.Count == 1).ToDictionary(publish => publish.Id, publish => publish.Attempts[0].Connection, StringComparer.Ordinal);
        return [.. Enumerable.Range(0, reading.Steps.Count)
            .Where(i => reading.Steps[i] is Step.Live live && connections.ContainsKey(live.Event.Id))
            .Select(i => (i, connections[((Step.Live)reading.Steps[i]).Event.Id]))];
    }

    private static IEnumerable<Publish> Acknowledged(Record record) => record.Publishes.Where(publish => publish.Attempts.Any(attempt => attempt.Answer is Answer.Acknowledged));

    private static Record? OnEvent(Record record, Random random, Func<Seen, Seen?> change) =>
        OnEvents(record, random, (events, i) => change(events[i]) is { } changed ? [.. events[..i], changed, .. events[(i + 1)..]] : null);

    /// <summary>Changes the events between two replies of a subscriber that has stayed, up to its last acknowledged one.</summary>
    private static Record? OnEvents(Record record, Random random, Func<List<Seen>, int, List<Seen>?> change) => OnReading(record, random, reading =>
    {
        // What was told lost, or never acknowledged, may be missing.
        var epoch = record.Histories.Single(history => history.Topic == reading.Topic).Position.Epoch;
        var due = Acknowledged(record).SelectMany(publish => publish.Attempts).Select(attempt => attempt.Answer).OfType<Answer.Acknowledged>()
            .Select(told => told.Position!.Value).Where(position => position.Epoch == epoch).Select(position => position.Offset).DefaultIfEmpty().Max();
        var runs = RunsOf(reading.Steps).Where(run => run.Count > 0).ToList();
        if (Pick(runs, random) is not { } run)
        {
            return null;
        }

        var events = run.Select(i => ((Step.Live)reading.Steps[i]).Event).ToList();
        var isDue = Enumerable.Range(0, events.Count).Where(i => events[i].Position is { } position && position.Epoch == epoch && position.Offset < due);
        if (!reading.Stayed || Pick(isDue, random) is not { } at || change(events, at) is not { } changed)
        {
            return null;
        }

        return reading with { Steps = [.. reading.Steps.Take(run[0]), .. changed.Select(seen => new Step.Live(seen)), .. reading.Steps.Skip(run[^1] + 1)] };
    });

    /// <summary>The indices of live events that follow each other behind a reply: what comes before one may be in it again.</summary>
    private static IEnumerable<List<int>> RunsOf(IReadOnlyList<Step> steps)
    {
        var (run, isJoining) = (new List<int>(), false);
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i] is Step.Live && !isJoining)
            {
                run.Add(i);
                continue;
            }

            isJoining = steps[i] is Step.Asked || (isJoining && steps[i] is Step.Live);
            yield return run;
            run = [];
        }

        yield return run;
    }

    private static Step Change(Step step, Func<Seen, Seen> change) => step switch
    {
        Step.Live live => new Step.Live(change(live.Event)),
        Step.Told told => told with { Events = [.. told.Events.Select(change)] },
        _ => step,
    };

    private static IEnumerable<Seen> EventsOf(Step step) => step switch
    {
        Step.Live live => [live.Event],
        Step.Told told => told.Events,
        _ => [],
    };

    private static Record? OnReading(Record record, Random random, Func<Reading, Reading?> change) =>
        OnOne(record.Readings, random, change) is { } readings ? record with { Readings = readings } : null;

    private static Record? OnHistory(Record record, Random random, Func<History, History?> change) =>
        OnOne(record.Histories, random, change) is { } histories ? record with { Histories = histories } : null;

    private static Record? OnPublish(Record record, Random random, Func<Publish, Publish?> change) =>
        OnOne(record.Publishes, random, change) is { } publishes ? record with { Publishes = publishes } : null;

    private static Record? OnAnswer(Record record, Random random, Func<Answer, Publish, Answer?> change) => OnPublish(record, random, publish =>
        OnOne(publish.Attempts, random, attempt => change(attempt.Answer, publish) is { } answer ? attempt with { Answer = answer } : null) is { } attempts
            ? publish with { Attempts = attempts }
            : null);

    /// <summary>Changes one that can be changed.</summary>
    private static List<T>? OnOne<T>(IReadOnlyList<T> items, Random random, Func<T, T?> change)
        where T : class
    {
        foreach (var i in Enumerable.Range(0, items.Count).OrderBy(_ => random.Next()).ToList())
        {
            if (change(items[i]) is { } changed)
            {
                return [.. items.Take(i), changed, .. items.Skip(i + 1)];
            }
        }

        return null;
    }

    private static int? Pick(IEnumerable<int> choices, Random random) => choices.ToList() is { Count: > 0 } list ? list[random.Next(list.Count)] : null;

    private static List<int>? Pick(List<List<int>> choices, Random random) => choices.Count > 0 ? choices[random.Next(choices.Count)] : null;
}
