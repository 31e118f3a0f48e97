using System.Net.Http.Json;
using System.Text.Json;
using RealtimeAspire.Protocol;
using RealtimeAspire.Tests.Server.Presence;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Who is on a topic, as two nodes know it when one of them, or Redis, is killed. They are beside the topology's own; their leases and graces are short.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class PresenceScenarios(Topology topology)
{
    private const int Present = 500;

    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(15);

    private static readonly (string, string)[] Settings =
    [
        ("Realtime:Presence:LeaseSeconds", "6"), ("Realtime:Presence:GraceSeconds", "3"), ("Realtime:Presence:WindowMs", "50"), ("Realtime:Presence:LargeTopic", "1000"),
        ("Realtime:Limits:UserConnections", "1000"), ("Realtime:TopicTypes:user:Publishers", "Servers"),
    ];

    [Fact]
    public async Task A_node_that_is_killed_takes_its_members_with_it_and_who_comes_back_in_time_has_not_been_away()
    {
        await using var one = await ProofNode.StartAsync(topology, Settings);
        await using var other = await ProofNode.StartAsync(topology, Settings);
        var topic = $"room:{Guid.NewGuid():n}";
        using var watcher = await JoinAsync(other, topic, "watcher", "members");
        var crowd = new RawHub[Present];
        var back = new RawHub[10];
        try
        {
            await Parallel.ForAsync(0, Present, Topology.Cancelled, async (i, _) => crowd[i] = await JoinAsync(one, topic, NameOf(i)));
            await PresenceTests.UntilAsync(watcher, () => CountOf(watcher, topic) == Present + 1);
            // With a connection there already: they have to be back before the dead node's lease ends.
            await Parallel.ForAsync(0, back.Length, Topology.Cancelled, async (i, _) => back[i] = await ConnectAsync(other, NameOf(i)));
            var before = watcher.Events.Count;

            await one.KillAsync();
            var began = TimeProvider.System.GetTimestamp();
            // Ten of them are back on the other node before anybody knows.
            await Task.WhenAll(back.Select(hub => hub.InvokeAsync("Subscribe", new { topic })));
            await PresenceTests.UntilAsync(watcher, () => CountOf(watcher, topic) == 11);

            Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, Gone);
            Assert.Equal(["watcher", .. Enumerable.Range(0, 10).Select(NameOf)], PresenceTests.ListOf(watcher.Events, topic).Replace("*2", "", StringComparison.Ordinal).Split(' ').OrderByDescending(name => name == "watcher").ThenBy(name => name, StringComparer.Ordinal));
            var returned = Enumerable.Range(0, 10).Select(NameOf).ToHashSet(StringComparer.Ordinal);
            Assert.DoesNotContain(watcher.Events.Skip(before), told => told.Event is "presence:leave" or "presence:join" && PresenceTests.Names(told).Any(returned.Contains));
            // Neither is there a ghost for who asks only now.
            Assert.Equal(11, (await ListAsync(other, topic)).Occupancy.Users);
        }
        finally
        {
            Array.ForEach(crowd, hub => hub?.Dispose());
            Array.ForEach(back, hub => hub?.Dispose());
        }
    }

    [Fact]
    public async Task A_Redis_that_has_forgotten_everything_makes_nobody_flicker_and_leaves_no_ghost()
    {
        await using var redis = await RedisServer.StartAsync();
        (string, string)[] settings = [.. Settings, ("ConnectionStrings:redis", redis.ConnectionString)];
        await using var one = await ProofNode.StartAsync(topology, settings);
        await using var other = await ProofNode.StartAsync(topology, settings);
        var topic = $"room:{Guid.NewGuid():n}";
        using var watcher = await JoinAsync(other, topic, "watcher", "members");
        using var ada = await JoinAsync(one, topic, "ada");
        var bob = await JoinAsync(one, topic, "bob");
        await PresenceTests.BecomesAsync(watcher, "ada bob watcher", topic);
        var before = watcher.Events.Count;

        redis.Kill();
        await redis.RestartAsync();
        bob.Dispose();
        await PresenceTests.BecomesAsync(watcher, "ada watcher", topic);

        // Who comes after all that is told of everybody, by Redis as by the node.
        using var eve = await JoinAsync(one, topic, "eve", "members");
        await PresenceTests.BecomesAsync(watcher, "ada eve watcher", topic);
        await PresenceTests.BecomesAsync(eve, "ada eve watcher", topic);
        Assert.All(watcher.Events.Skip(before), told => Assert.Contains(Assert.Single(PresenceTests.Names(told)), (string[])["bob", "eve"]));
        Assert.Equal(3, (await ListAsync(one, topic)).Occupancy.Users);
        Assert.Equal(3, (await ListAsync(other, topic)).Occupancy.Users);
    }

    [Fact]
    public async Task A_user_with_a_phone_elsewhere_is_one_member_and_says_how_he_is_once()
    {
        await using var one = await ProofNode.StartAsync(topology, Settings);
        await using var other = await ProofNode.StartAsync(topology, Settings);
        var topic = $"room:{Guid.NewGuid():n}";
        var user = $"ada-{Guid.NewGuid():n}";
        using var watcher = await JoinAsync(other, topic, "watcher", "members");
        using var tab = await JoinAsync(one, topic, user);
        using var phone = await JoinAsync(other, topic, user);
        await PresenceTests.BecomesAsync(watcher, $"{user}*2 watcher", topic);

        await tab.InvokeAsync("SetPresence", new { status = "dnd", text = "In a meeting" });
        await PresenceTests.HearAsync(watcher, told => told.Data.Payload.GetRawText().Contains("In a meeting", StringComparison.Ordinal));
        using var http = await topology.HttpAsync("watcher", other.Address);
        var found = await http.GetFromJsonAsync<UserPresence>($"/users/{user}/presence", JsonSerializerOptions.Web, Topology.Cancelled);
        Assert.Equal((PresenceStatus.DoNotDisturb, "In a meeting"), (found!.Status, found.Text));

        tab.Dispose();
        await PresenceTests.BecomesAsync(watcher, $"{user} watcher", topic);
        phone.Dispose();
        await PresenceTests.BecomesAsync(watcher, "watcher", topic);
        await Eventually.BecomesTrueAsync(
            async () => await http.GetFromJsonAsync<UserPresence>($"/users/{user}/presence", JsonSerializerOptions.Web, Topology.Cancelled) is { Status: PresenceStatus.Offline, LastSeen: not null },
            "He is still there.");
    }

    private static string NameOf(int i) => $"user-{i:000}";

    private static int CountOf(RawHub hub, string topic) => PresenceTests.ListOf(hub.Events, topic).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;

    private async Task<RawHub> JoinAsync(ProofNode node, string topic, string user, string presence = "none")
    {
        var hub = await ConnectAsync(node, user);
        await hub.InvokeAsync("Subscribe", new { topic, presence });
        return hub;
    }

    private async Task<RawHub> ConnectAsync(ProofNode node, string user) => await RawHub.ConnectAsync(node.Address, await topology.TokenAsync(user, node.Address));

    private async Task<PresencePage> ListAsync(ProofNode node, string topic)
    {
        using var http = await topology.HttpAsync("somebody", node.Address);
        return (await http.GetFromJsonAsync<PresencePage>($"/topics/{topic}/presence", JsonSerializerOptions.Web, Topology.Cancelled))!;
    }
}
