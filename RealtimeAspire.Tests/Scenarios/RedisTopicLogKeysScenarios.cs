using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>What stays in Redis, and for how long.</summary>
public sealed class RedisTopicLogKeysScenarios : RedisTopicLogScenario
{
    [Fact]
    public async Task A_quiet_topic_keeps_its_epoch_while_somebody_asks_for_its_tip()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        var appended = await AppendAsync(node, "a");
        await redis.SendAsync($"PEXPIRE {Key("meta")} 100000");

        Assert.Equal(appended.Position, await TipAsync(node));

        Assert.InRange(await NumberAsync(redis, $"PTTL {Key("meta")}"), TimeSpan.FromDays(7).TotalMilliseconds, TimeSpan.FromDays(8).TotalMilliseconds);
        Assert.InRange(await NumberAsync(redis, $"PTTL {Key("stream")}"), 1, TimeSpan.FromHours(1).TotalMilliseconds);
        Assert.InRange(await NumberAsync(redis, $"PTTL {Key("id:3:ada:a")}"), 1, TimeSpan.FromMinutes(5).TotalMilliseconds);
    }

    [Fact]
    public async Task Two_tenants_with_a_topic_of_the_same_name_have_two_topics()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        var others = Topic with { Tenant = "acme" };
        await AppendAsync(node, "a", others);
        await AppendAsync(node, "b", others);

        var mine = await AppendAsync(node, "a");

        Assert.Equal((1, false), (mine.Position.Offset, mine.Duplicate));
        Assert.Single((await ReadAsync(node)).Events);
        Assert.Equal(2, (await node.Log.ReadTipsAsync([others], Topology.Cancelled))[others].Offset);
        Assert.Equal("1", await redis.SendAsync($"EXISTS {Key("meta", others)}"));
    }

    [Fact]
    public async Task A_topic_whose_events_have_all_expired_goes_on_where_it_was()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        var before = await AppendAsync(node, "a");
        await redis.SendAsync($"DEL {Key("stream")}");

        var page = await ReadAsync(node);
        Assert.Equal((before.Position, 2, 0), (page.Tip, page.Floor, page.Events.Count));
        Assert.Equal(new Position(before.Position.Epoch, 2), (await AppendAsync(node, "b")).Position);
    }

    [Fact]
    public async Task Memory_is_bounded_by_count_and_by_age()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await RedisLogNode.StartAsync(redis.ConnectionString, Types);
        var aged = new TopicKey("default", TopicName.Parse("aged:a"));
        var counted = new TopicKey("default", TopicName.Parse("counted:a"));
        await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => AppendAsync(node, $"{i}", counted)));

        Assert.InRange(await NumberAsync(redis, $"XLEN {Key("stream", counted)}"), 10, 200);

        // Never quiet for as long as an event lives, so that the stream does not expire as a whole.
        var appended = 0L;
        await Eventually.BecomesTrueAsync(
            async () =>
            {
                appended = (await Task.WhenAll(Enumerable.Range(0, 64).Select(i => AppendAsync(node, $"{appended + i}", aged))))[^1].Position.Offset;
                return await NumberAsync(redis, $"XLEN {Key("stream", aged)}") < appended / 2;
            },
            "No event that is past its age was removed.",
            TimeSpan.FromSeconds(8));
    }

    [Fact]
    public void All_keys_of_a_topic_are_in_one_slot_and_no_two_ids_share_one()
    {
        var topic = new TopicKey("default", TopicName.Parse("room:a"));
        string IdOf(string publisher, string id) => RedisTopic.KeysOf(TopicLogLaws.NewAppend(topic, id, "", publisher))[2].ToString();

        Assert.All(RedisTopic.KeysOf(TopicLogLaws.NewAppend(topic, "a", "", "}{")), key => Assert.StartsWith("realtime:{default/room:a}:", key, StringComparison.Ordinal));
        string[] ids = [IdOf("", "a"), IdOf("a", "a"), IdOf("a:1", "a"), IdOf("a", "1:a"), IdOf("1:a", "a"), IdOf("", "0:a"), IdOf("3:a:1", "a")];
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }
}
