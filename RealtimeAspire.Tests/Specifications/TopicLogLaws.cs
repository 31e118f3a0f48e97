using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Specifications;

/// <summary>
/// What holds for a topic log whatever is done with it, in any order and by two nodes at once. A law that fails names the
/// numbers that replay it.
/// </summary>
public abstract class TopicLogLaws
{
    /// <summary>A type that keeps <see cref="CountedEvents"/> events of each topic.</summary>
    private protected const string Counted = "counted";

    /// <summary>A type whose events live for a moment.</summary>
    private protected const string Aged = "aged";

    /// <summary>A type that knows an id for a moment.</summary>
    private protected const string Windowed = "windowed";

    private protected const int CountedEvents = 10;

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);
    private static readonly int Cases = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 300 : 20;

    private protected abstract ITopicLog Log { get; }

    /// <summary>The log of another node, over the same store.</summary>
    private protected virtual ITopicLog Other => Log;

    /// <summary>Makes the store forget a topic, as a crash would. False: this one cannot be made to.</summary>
    private protected virtual Task<bool> ResetAsync(TopicKey topic) => Task.FromResult(false);

    [Fact]
    public Task Offsets_have_no_hole_and_an_id_that_is_known_changes_nothing() => HoldsAsync(async numbers =>
    {
        var (topic, known) = (NewTopic(), new Dictionary<string, (string Text, AppendOutcome Outcome)>(StringComparer.Ordinal));
        foreach (var number in numbers)
        {
            var (log, id, text) = (number % 2 == 0 ? Log : Other, $"{number / 2 % 7}", $"{number / 14 % 2}");
            if (!known.TryGetValue(id, out var first))
            {
                known[id] = (text, await AppendAsync(log, topic, id, text));
                Assert.Equal((known.Count, false), (known[id].Outcome.Position.Offset, known[id].Outcome.Duplicate));
            }
            else if (first.Text == text)
            {
                Assert.Equal(first.Outcome with { Duplicate = true }, await AppendAsync(log, topic, id, text));
            }
            else
            {
                Assert.Equal("id_conflict", (await Assert.ThrowsAsync<RealtimeException>(() => AppendAsync(log, topic, id, text))).Code);
            }
        }

        var page = await ReadAsync(Log, topic, 0, limit: 100);
        Assert.Equal(known.Count, page.Tip.Offset);
        Assert.Equal(known.Values.Select(first => (first.Outcome.Position, first.Text)), page.Events.Select(logged => (logged.Position, TextOf(logged))));
        Assert.Equal(page.Events.OrderBy(logged => logged.Timestamp), page.Events);
    });

    [Fact]
    public Task Appends_of_two_nodes_at_once_are_in_one_order_and_each_node_s_in_its_own() => HoldsAsync(async numbers =>
    {
        var topic = NewTopic();
        var committed = (Log: new ConcurrentQueue<long>(), Other: new ConcurrentQueue<long>());
        var (here, there) = (Split(numbers, 0), Split(numbers, 1));
        var outcomes = await Task.WhenAll(
            Task.Run(() => AppendAllAsync(Log, topic, "here", here, committed.Log)),
            Task.Run(() => AppendAllAsync(Other, topic, "there", there, committed.Other)));

        Assert.All(outcomes, own => Assert.Equal(own.Order(), own));
        Assert.Equal(outcomes[0], committed.Log);
        Assert.Equal(outcomes[1], committed.Other);
        Assert.Equal(Enumerable.Range(1, here.Length + there.Length).Select(i => (long)i), outcomes.SelectMany(own => own).Order());
        var page = await ReadAsync(Other, topic, 0, limit: 1_000);
        Assert.Equal(here, page.Events.Where(logged => logged.UserId == "here").Select(logged => logged.Id));
        Assert.Equal(there, page.Events.Where(logged => logged.UserId == "there").Select(logged => logged.Id));
    });

    [Fact]
    public Task A_read_that_overlaps_appends_never_skips() => HoldsAsync(async numbers =>
    {
        var topic = NewTopic();
        var appends = Task.WhenAll(
            Task.Run(() => AppendAllAsync(Log, topic, "here", Split(numbers, 0), new())),
            Task.Run(() => AppendAllAsync(Other, topic, "there", Split(numbers, 1), new())));
        var last = 0L;
        while (last < numbers.Length)
        {
            var isOver = appends.IsCompleted;
            var page = await ReadAsync(Other, topic, last, limit: 7);
            Assert.Equal(Enumerable.Range(1, page.Events.Count).Select(i => last + i), page.Events.Select(logged => logged.Position.Offset));
            Assert.InRange(page.Tip.Offset, last + page.Events.Count, numbers.Length);
            Assert.True(page.Events.Count > 0 || !isOver, $"After {last} there is nothing, though all {numbers.Length} are appended.");
            last += page.Events.Count;
        }

        await appends;
    });

    [Fact]
    public Task A_change_of_epoch_is_always_seen() => HoldsAsync(async numbers =>
    {
        var (topic, epochs) = (NewTopic(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var number in numbers.Take(5))
        {
            var tip = Position.Origin;
            for (var i = 0; i <= number % 3; i++)
            {
                tip = (await AppendAsync(Log, topic, $"{i}", "same")).Position;
            }

            Assert.True(epochs.Add(tip.Epoch), "An epoch was given twice.");
            Assert.Equal((number % 3) + 1, tip.Offset);
            Assert.SkipUnless(await ResetAsync(topic), "This store is not made to forget here.");
            Assert.DoesNotContain((await ReadAsync(Log, topic, tip.Offset, limit: 1)).Tip.Epoch, epochs);
            Assert.DoesNotContain((await Other.ReadTipsAsync([topic], TestContext.Current.CancellationToken))[topic].Epoch, epochs);
        }
    });

    /// <summary>The topic types of the laws and the specification, for a log that keeps events in this way.</summary>
    internal static RealtimeOptions TypesOf(Durability durability) => new()
    {
        TopicTypes =
        {
            [TopicCatalog.Room] = new TopicTypeOptions { Durability = durability },
            [Counted] = new TopicTypeOptions { Durability = durability, Retention = { Events = CountedEvents } },
            [Aged] = new TopicTypeOptions { Durability = durability, Retention = { Age = Moment } },
            [Windowed] = new TopicTypeOptions { Durability = durability, IdempotencyWindow = Moment },
        },
    };

    private protected static TopicCatalog CatalogOf(Durability durability) => new(Microsoft.Extensions.Options.Options.Create(TypesOf(durability)));

    private protected static TopicKey NewTopic(string type = TopicCatalog.Room) => new("default", TopicName.Parse($"{type}:{Guid.NewGuid():N}"));

    internal static Append NewAppend(TopicKey topic, string id, string text, string publisher = "ada") => new()
    {
        Topic = topic,
        Started = TimeProvider.System.GetTimestamp(),
        Publisher = publisher,
        Id = id,
        Event = "app:x",
        Version = 1,
        Payload = Encoding.UTF8.GetBytes($"\"{text}\""),
        ContentHash = SHA256.HashData(Encoding.UTF8.GetBytes(text))[..16],
    };

    private static Task<AppendOutcome> AppendAsync(ITopicLog log, TopicKey topic, string id, string text) =>
        log.AppendAsync(NewAppend(topic, id, text), _ => { });

    /// <summary>None is awaited before the next.</summary>
    private static async Task<long[]> AppendAllAsync(ITopicLog log, TopicKey topic, string publisher, string[] ids, ConcurrentQueue<long> committed)
    {
        var appends = Array.ConvertAll(ids, id => log.AppendAsync(NewAppend(topic, id, "hi", publisher), logged => committed.Enqueue(logged.Position.Offset)));
        return [.. (await Task.WhenAll(appends)).Select(outcome => outcome.Position.Offset)];
    }

    private static Task<LogPage> ReadAsync(ITopicLog log, TopicKey topic, long after, int limit) =>
        log.ReadAsync(topic, new LogRange.After(after), limit, TestContext.Current.CancellationToken);

    private static string TextOf(LoggedEvent logged) => Encoding.UTF8.GetString(logged.Payload).Trim('"');

    /// <summary>An id for each of the numbers that fall to this node.</summary>
    private static string[] Split(int[] numbers, int node) => [.. numbers.Index().Where(number => number.Item % 2 == node).Select(number => $"{number.Index}")];

    private static async Task HoldsAsync(Func<int[], Task> law) => await Task.Run(() => Prop
        .ForAll(Gen.Choose(0, 1_000).ArrayOf().ToArbitrary(), numbers => law(numbers))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(Cases)));
}
