using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Presence;

namespace RealtimeAspire.Tests.Server.Presence;

/// <summary>What holds for who is on a topic, whatever nodes do and however the network treats what they say of it.</summary>
public sealed class PresenceStateLaws
{
    private const int Nodes = 3;
    private const int Users = 4;

    private static readonly int Cases = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 10_000 : 300;

    [Fact]
    public void Merging_is_commutative_associative_and_idempotent() => Holds(numbers =>
    {
        var histories = Histories(numbers);
        var pick = new Queue<int>(numbers);
        var (a, b, c) = (StateOf(histories, pick), StateOf(histories, pick), StateOf(histories, pick));

        Assert.Equal(Said(a.Merge(b)), Said(b.Merge(a)));
        Assert.Equal(Said(a.Merge(b).Merge(c)), Said(a.Merge(b.Merge(c))));
        Assert.Equal(Said(a), Said(a.Merge(a)));
        Assert.Equal(Said(a.Merge(b)), Said(a.Merge(b).Merge(b)));
    });

    [Fact]
    public void Whatever_was_lost_doubled_or_late_all_agree_when_they_have_read_each_other() => Holds(numbers =>
    {
        var histories = Histories(numbers);
        var replicas = Enumerable.Range(0, Nodes).Select(_ => new PresenceMembers()).ToArray();
        var random = new Random(numbers.Sum());
        foreach (var replica in replicas)
        {
            // In any order, some twice and some never; what cannot be taken in is read, from before or after it.
            var said = histories.SelectMany(node => node.Value.Select(said => (Node: node.Key, said.Delta))).Where(_ => random.Next(4) > 0).ToList();
            said.AddRange(said.Where(_ => random.Next(4) == 0).ToArray());
            foreach (var (node, delta) in said.OrderBy(_ => random.Next()))
            {
                if (!replica.TryApply(node, delta))
                {
                    replica.Merge(node, histories[node][random.Next(histories[node].Count)].Section);
                }

                replica.Take();
            }
        }

        foreach (var replica in replicas)
        {
            foreach (var (node, history) in histories.OrderBy(_ => random.Next()))
            {
                replica.Merge(node, history[^1].Section);
            }

            replica.Take();
            Assert.Equal(Truth(histories), replica.All.Select(member => member.Json));
        }
    });

    [Fact]
    public void Members_are_kept_up_as_if_they_were_made_anew() => Holds(numbers =>
    {
        var histories = Histories(numbers);
        var members = new PresenceMembers();
        var told = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var random = new Random(numbers.Sum());
        for (var i = 0; i < 60; i++)
        {
            var (node, history) = histories.ElementAt(random.Next(histories.Count));
            var said = history[random.Next(history.Count)];
            switch (random.Next(5))
            {
                case 0:
                    members.Drop(node);
                    break;
                case 1:
                    members.Merge(node, said.Section);
                    break;
                default:
                    members.TryApply(node, said.Delta);
                    break;
            }

            if (random.Next(3) == 0)
            {
                // A subscriber who is told what changes has what there is.
                var changes = members.Take();
                Assert.All(changes.Joined, joined => Assert.True(told.TryAdd(joined.Member.User, joined.Json)));
                Assert.All(changes.Updated, updated => Assert.NotEqual(told[updated.Member.User], told[updated.Member.User] = updated.Json));
                Assert.All(changes.Left, left => Assert.True(told.Remove(left)));
                Assert.Equal(Fold(members.State), told.Values);
                Assert.Equal(told.Values, members.All.Select(member => member.Json));
                Assert.Equal(new Occupancy(members.All.Sum(member => member.Member.Connections.Count), told.Count), members.Occupancy);
            }
        }
    });

    [Fact]
    public void A_change_whose_predecessor_is_missing_is_not_taken_in()
    {
        var connection = Guid.NewGuid();
        var members = new PresenceMembers();
        Assert.True(members.TryApply(1, new PresenceDelta(0, 5, new Dictionary<Guid, PresenceEntry?> { [connection] = new("ada", "hub") })));

        Assert.False(members.TryApply(1, new PresenceDelta(6, 7, new Dictionary<Guid, PresenceEntry?> { [connection] = null })));
        Assert.True(members.TryApply(1, new PresenceDelta(3, 5, new Dictionary<Guid, PresenceEntry?> { [connection] = null })));

        Assert.Equal("ada", Assert.Single(members.Take().Joined).Member.User);
    }

    [Fact]
    public void What_a_user_has_chosen_counts_before_his_devices_and_who_lingers_is_there_only_alone()
    {
        PresentUser Of(params PresenceEntry[] entries) => FoldedMember.Of(entries.ToDictionary(_ => Guid.CreateVersion7(), entry => entry)).Member;
        var here = new PresenceEntry("ada", "hub");

        Assert.Equal(PresenceStatus.Online, Of(here, here with { Active = false }).Status);
        Assert.Equal(PresenceStatus.Away, Of(here with { Active = false }).Status);
        Assert.Equal(PresenceStatus.DoNotDisturb, Of(here with { ChosenAt = 1 }, here with { Chosen = PresenceStatus.DoNotDisturb, ChosenAt = 2 }).Status);
        Assert.Equal(PresenceStatus.Online, Of(here with { ChosenAt = 3 }, here with { Chosen = PresenceStatus.DoNotDisturb, ChosenAt = 2 }).Status);
        Assert.Single(Of(here, here with { Lingers = true }).Connections);
        Assert.Single(Of(here with { Lingers = true }).Connections);
    }

    private static void Holds(Action<int[]> law) =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue / 64).ArrayOf(24).ToArbitrary(), law).Check(Config.QuickThrowOnFailure.WithMaxTest(Cases));

    /// <summary>Of each node what it has said, one thing after the other, and its section after each.</summary>
    private static SortedDictionary<long, List<(PresenceDelta Delta, PresenceSection Section)>> Histories(int[] numbers)
    {
        var histories = new SortedDictionary<long, List<(PresenceDelta Delta, PresenceSection Section)>>();
        foreach (var number in numbers)
        {
            var node = (long)(number % Nodes) + 1;
            if (!histories.TryGetValue(node, out var history))
            {
                histories[node] = history = [];
            }

            var before = history.Count == 0 ? PresenceSection.Empty : history[^1].Section;
            // A user is on several nodes; a connection is on one.
            var connection = new Guid((int)node, (short)(number / 3 % 4), 0, new byte[8]);
            var entry = number / 12 % 3 == 0 ? null : new PresenceEntry($"user-{number / 36 % Users}", "hub", Active: number / 144 % 2 == 0, Lingers: number / 288 % 3 == 0);
            var entries = entry is null ? before.Entries.Remove(connection) : before.Entries.SetItem(connection, entry);
            var version = before.Version + 1 + (number % 2);
            var isWhole = before.Version == 0 || number / 864 % 5 == 0;
            var changes = isWhole
                ? entries.ToDictionary(one => one.Key, one => (PresenceEntry?)one.Value)
                : new Dictionary<Guid, PresenceEntry?> { [connection] = entry };
            history.Add((new PresenceDelta(isWhole ? 0 : before.Version, version, changes), new PresenceSection(version, entries)));
        }

        return histories;
    }

    private static PresenceState StateOf(SortedDictionary<long, List<(PresenceDelta Delta, PresenceSection Section)>> histories, Queue<int> pick)
    {
        var state = PresenceState.Empty;
        foreach (var (node, history) in histories)
        {
            if (pick.Dequeue() % (history.Count + 1) is > 0 and var at)
            {
                state = state.Merge(node, history[at - 1].Section);
            }
        }

        return state;
    }

    private static string Said(PresenceState state) => string.Join(' ', state.Nodes.Order().Select(node =>
        $"{node}@{state[node].Version}:{string.Join(',', state[node].Entries.OrderBy(one => one.Key).Select(one => $"{one.Key}={one.Value}"))}"));

    private static IEnumerable<string> Truth(SortedDictionary<long, List<(PresenceDelta Delta, PresenceSection Section)>> histories) =>
        Fold(histories.Aggregate(PresenceState.Empty, (state, node) => state.Merge(node.Key, node.Value[^1].Section)));

    private static IEnumerable<string> Fold(PresenceState state) => state.Nodes
        .SelectMany(node => state[node].Entries)
        .GroupBy(one => one.Value.User, StringComparer.Ordinal)
        .OrderBy(user => user.Key, StringComparer.Ordinal)
        .Select(user => FoldedMember.Of(user.ToImmutableDictionary()).Json);
}
