using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Features.Presence;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server.Presence;

/// <summary>What a node makes of another one's members, over a Redis of its own; see <c>PresenceScenarios</c> for whole nodes.</summary>
public sealed class PresenceTopicTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Members_of_a_node_that_has_yet_to_write_again_stay_for_the_time_of_a_lease_after_Redis_has_forgotten_them()
    {
        await using var server = await RedisServer.StartAsync();
        await using var here = await RedisNode.ConnectedAsync(server.ConnectionString);
        await using var there = await RedisNode.ConnectedAsync(server.ConnectionString);
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var name = new TopicKey("default", TopicName.Parse("room:a"));
        var ada = new PresenceDelta(0, 1, new Dictionary<Guid, PresenceEntry?> { [Guid.NewGuid()] = new PresenceEntry("ada", "hub") });
        Assert.True(await PresenceOf(there).WriteAsync(name, ada));
        var both = new HashSet<long> { here.Id.Value, there.Id.Value };
        (bool WasKnown, IReadOnlySet<long> Nodes)? answer = (true, both);
        var time = new StoppedTime();
        var leases = new PresenceLeases(() => Task.FromResult(answer), Lease, time);
        var redis = PresenceOf(here);
        var instruments = new PresenceInstruments(services.GetRequiredService<IMeterFactory>());
        var topic = new PresenceTopic(name, new PresenceContext(new PresenceOptions(), time, new PresenceUsers(time, redis), instruments, static _ => { }, leases, redis));
        await leases.BeatAsync();
        Assert.True(topic.TryAsk(out _));
        await topic.WorkAsync();
        Assert.Equal(1, topic.Page(null, 10).Occupancy.Users);

        // The other node is not back yet.
        answer = (false, new HashSet<long> { here.Id.Value });
        await leases.BeatAsync();
        Assert.Equal((1, 1, 1), (await CompareAsync(), await CompareAsync(), await CompareAsync()));

        // It is, and says nothing of the topic: nobody is left there.
        answer = (true, both);
        time.GoOn(Lease);
        await leases.BeatAsync();
        Assert.Equal((1, 0), (await CompareAsync(), await CompareAsync()));
        await topic.StopAsync();

        async Task<int> CompareAsync()
        {
            await topic.CheckAsync(redis, new Dictionary<long, long>());
            await topic.WorkAsync();
            return topic.Page(null, 10).Occupancy.Users;
        }
    }

    private static RedisPresence PresenceOf(RedisNode node) => new(node.Commands, node.Channels, node.Id, Options.Create(new PresenceOptions()), TimeProvider.System);
}
