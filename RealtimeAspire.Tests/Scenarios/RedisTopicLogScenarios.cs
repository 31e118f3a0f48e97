using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The log in Redis while Redis restarts, fails over, forgets, pauses, is full or is away.</summary>
public sealed class RedisTopicLogScenarios : RedisTopicLogScenario
{
    private static readonly TopicKey New = Topic with { Name = TopicName.Parse("room:new") };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_Redis_that_has_restarted_is_another_epoch_even_if_it_has_all_its_data(bool keepsData)
    {
        await using var redis = await RedisServer.StartAsync(keepsData: keepsData);
        await using var node = await StartAsync(redis);
        var before = await AppendAsync(node, "a");
        redis.Kill();
        await redis.RestartAsync();
        await AnswersAsync(node);

        Assert.Equal(Position.Origin, await TipAsync(node));
        Assert.Equal(LogPage.Empty, await ReadAsync(node));
        Assert.Equal(keepsData, await redis.SendAsync($"EXISTS {Key("meta")}") == "1");
        var after = await AppendAsync(node, "b");
        Assert.Equal(1, after.Position.Offset);
        Assert.NotEqual(before.Position.Epoch, after.Position.Epoch);
        // Its event is gone with the epoch, so its retry is no duplicate.
        var retry = await AppendAsync(node, "a");
        Assert.Equal((new Position(after.Position.Epoch, 2), false), (retry.Position, retry.Duplicate));
        Assert.Equal(["b", "a"], (await ReadAsync(node)).Events.Select(logged => logged.Id));
    }

    [Fact]
    public async Task Each_failover_is_another_epoch_the_one_back_to_the_first_master_too()
    {
        await using var first = await RedisServer.StartAsync();
        await using var second = await RedisServer.StartAsync(replicaOf: first);
        await using var atFirst = await StartAsync(first);
        var epochs = new HashSet<string>(StringComparer.Ordinal);

        epochs.Add((await AppendAsync(atFirst, "a")).Position.Epoch);
        await HasCopiedAsync(second);
        await second.SendAsync("REPLICAOF NO ONE");
        await using var atSecond = await StartAsync(second);
        // The first does not know yet, and takes what will be lost.
        await AppendAsync(atFirst, "lost");

        Assert.Equal(Position.Origin, await TipAsync(atSecond));

        await first.SendAsync($"REPLICAOF 127.0.0.1 {second.Port}");
        await HasCopiedAsync(first);
        await first.SendAsync("REPLICAOF NO ONE");

        // The same process, the same scripts, and the epoch that it began itself: but not what it had told of last.
        Assert.Equal(Position.Origin, await TipAsync(atFirst));
        var after = await AppendAsync(atFirst, "b");
        Assert.True(epochs.Add(after.Position.Epoch));
        Assert.Equal(1, after.Position.Offset);
        Assert.True(epochs.Add((await AppendAsync(atSecond, "b")).Position.Epoch));
    }

    [Fact]
    public async Task A_flushed_Redis_is_another_epoch()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        var before = await AppendAsync(node, "a");
        await redis.SendAsync("FLUSHALL");

        Assert.Equal(Position.Origin, await TipAsync(node));
        Assert.NotEqual(before.Position.Epoch, (await AppendAsync(node, "a")).Position.Epoch);
    }

    [Fact]
    public async Task Flushed_scripts_are_loaded_again_and_no_publish_is_lost_or_overtaken()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        await using var other = await StartAsync(redis);
        var appends = new List<Task<AppendOutcome>>();
        for (var i = 0; i < 5_000; i++)
        {
            appends.Add(AppendAsync(node, $"{i}"));
            if (i % 500 == 0)
            {
                await redis.SendAsync("SCRIPT FLUSH");
                await AppendAsync(other, $"other {i}");
            }
        }

        var outcomes = await Task.WhenAll(appends);

        Assert.Single(outcomes.Select(outcome => outcome.Position.Epoch).Distinct());
        Assert.Equal(outcomes.Select(outcome => outcome.Position.Offset).Order(), outcomes.Select(outcome => outcome.Position.Offset));
        Assert.Equal(5_010, (await TipAsync(node)).Offset);
    }

    [Fact]
    public async Task While_Redis_is_away_everything_fails_at_once_and_then_goes_on()
    {
        await using var redis = await RedisServer.StartAsync(keepsData: true);
        var log = new Lines();
        await using var node = await StartAsync(redis, log);
        await AppendAsync(node, "a");
        redis.Kill();
        await Eventually.BecomesTrueAsync(() => !node.Link.IsConnected, "The link has not noticed.");

        List<Task<string?>> refused = [.. Enumerable.Range(0, 1_000).Select(i => AtOnceAsync(AppendAsync(node, $"{i}"))), AtOnceAsync(ReadAsync(node)), AtOnceAsync(TipAsync(node))];
        Assert.All(await Task.WhenAll(refused), code => Assert.Equal("log_unavailable", code));

        await redis.RestartAsync();
        await AnswersAsync(node);
        Assert.Equal(1, (await AppendAsync(node, "b")).Position.Offset);
        Assert.InRange(log.Count, 0, 2);

        // It is over when the call returns.
        static Task<string?> AtOnceAsync(Task call)
        {
            var refused = RefusedAsync(call);
            Assert.True(refused.IsCompleted, "It waits for something.");
            return refused;
        }
    }

    [Fact]
    public async Task A_publish_without_an_answer_fails_in_time_and_its_retry_finds_what_became_of_it()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await StartAsync(redis);
        await AppendAsync(node, "a");
        // Until the test ends it, which is no write and does not wait.
        await redis.SendAsync("CLIENT PAUSE 60000 WRITE");

        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal("log_unavailable", await RefusedAsync(AppendAsync(node, "b")));
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        await redis.SendAsync("CLIENT UNPAUSE");
        await AnswersAsync(node);

        // It may have been carried out after the pause, or have gone down with a connection that was replaced.
        var again = await AppendAsync(node, "b");
        Assert.Equal(2, again.Position.Offset);
        Assert.Equal(["a", "b"], (await ReadAsync(node)).Events.Select(logged => logged.Id));
    }

    [Fact]
    public async Task A_silent_Redis_piles_nothing_up()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = TcpProxy.Start(redis.Port);
        await using var node = await RedisLogNode.StartAsync($"127.0.0.1:{proxy.Port}", Types);
        await AppendAsync(node, "a");
        proxy.BeginBlackHole();

        var started = TimeProvider.System.GetTimestamp();
        var appends = new List<Task<string?>>();
        while (TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(4))
        {
            appends.AddRange(Enumerable.Range(0, 500).Select(i => RefusedAsync(AppendAsync(node, $"{appends.Count + i}"))));
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Topology.Cancelled);
        }

        var refused = await Task.WhenAll(appends).WaitAsync(TimeSpan.FromSeconds(10), Topology.Cancelled);
        Assert.All(refused, code => Assert.True(code is "log_unavailable" or "overloaded", $"It was answered with {code}."));

        proxy.EndBlackHole();
        await AnswersAsync(node);
        Assert.False((await AppendAsync(node, "b")).Duplicate);
    }

    [Fact]
    public async Task A_full_Redis_refuses_an_append_whole_and_is_still_read()
    {
        await using var redis = await RedisServer.StartAsync();
        var log = new Lines();
        await using var node = await StartAsync(redis, log);
        await AppendAsync(node, "a");
        await redis.SendAsync("CONFIG SET maxmemory 1");

        Assert.Equal("log_unavailable", await RefusedAsync(AppendAsync(node, "b")));
        Assert.Equal("log_unavailable", await RefusedAsync(AppendAsync(node, "b")));
        Assert.Equal("log_unavailable", await RefusedAsync(AppendAsync(node, "new", New)));
        Assert.Single((await ReadAsync(node)).Events);
        Assert.Equal(1, (await TipAsync(node)).Offset);

        await redis.SendAsync("CONFIG SET maxmemory 0");
        Assert.Equal(2, (await AppendAsync(node, "b")).Position.Offset);
        Assert.Equal(1, (await AppendAsync(node, "new", New)).Position.Offset);
        Assert.Contains(log, line => line.Contains("OOM", StringComparison.Ordinal));
    }
}
