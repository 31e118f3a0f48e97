using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Server;

public sealed class MemoryTopicLogTests : TopicLogSpecification
{
    private readonly FaultyTopicLog _log = new(TimeProvider.System, TypesOf(Durability.Recoverable));

    private protected override ITopicLog Log => _log;

    [Fact]
    public async Task A_topic_that_nobody_uses_any_more_is_forgotten_and_one_that_is_listened_to_is_not()
    {
        var time = new SetTime();
        var log = new MemoryTopicLog(CatalogOf(Durability.Recoverable), time);
        var (quiet, heard) = (NewTopic(), NewTopic());
        var before = await log.AppendAsync(NewAppend(quiet, "a", "hi"), _ => { });
        var kept = await log.AppendAsync(NewAppend(heard, "a", "hi"), _ => { });

        time.Now += TimeSpan.FromDays(6);
        Assert.Equal(kept.Position, (await log.ReadTipsAsync([heard], TestContext.Current.CancellationToken))[heard]);
        time.Now += TimeSpan.FromDays(2);
        await log.AppendAsync(NewAppend(NewTopic(), "a", "hi"), _ => { });

        var tips = await log.ReadTipsAsync([quiet, heard], TestContext.Current.CancellationToken);
        Assert.Equal((Position.Origin, kept.Position), (tips[quiet], tips[heard]));
        Assert.NotEqual(before.Position, (await log.AppendAsync(NewAppend(quiet, "a", "hi"), _ => { })).Position);
    }

    [Fact]
    public async Task Times_do_not_fall_when_the_clock_does()
    {
        var time = new SetTime();
        var log = new MemoryTopicLog(CatalogOf(Durability.Recoverable), time);
        var topic = NewTopic();
        var first = await log.AppendAsync(NewAppend(topic, "a", "hi"), _ => { });
        time.Now -= TimeSpan.FromMinutes(1);

        Assert.Equal(first.Timestamp, (await log.AppendAsync(NewAppend(topic, "b", "hi"), _ => { })).Timestamp);
    }

    private protected override Task<bool> ResetAsync(TopicKey topic)
    {
        _log.Forget(topic);
        return Task.FromResult(true);
    }

    private sealed class SetTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 11, 21, 0, 0, 0, TimeSpan.Zero);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => Now.Ticks;
    }
}
