using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class AppendBatchTests
{
    private readonly List<LoggedEvent> _committed = [];
    private readonly ByteBudget _budget = new(1024 * 1024);
    private readonly TopicPolicy _policy = new() { Type = "room", Durability = Durability.Durable, PayloadBytes = 1024, RewindEvents = 100 };

    [Fact]
    public void One_publish_per_topic_publisher_and_id_goes_to_the_database()
    {
        var batch = new AppendBatch([Pending("a"), Pending("a"), Pending("b"), Pending("a", publisher: "bob"), Pending("a", topic: "room:z")]);

        Assert.Equal(4, batch.Leaders.Count);
    }

    [Fact]
    public void Topics_lie_together_and_each_keeps_the_order_of_arrival()
    {
        var batch = new AppendBatch([Pending("1", topic: "room:b"), Pending("2", topic: "room:a"), Pending("3", topic: "room:b"), Pending("4", topic: "room:a")]);

        Assert.Equal(["2", "4", "1", "3"], batch.Leaders.Select(leader => leader.Append.Id));
    }

    [Fact]
    public async Task A_follower_shares_the_outcome_as_a_duplicate_and_fans_out_nothing()
    {
        PendingAppend[] waiting = [Pending("a"), Pending("a")];
        var batch = new AppendBatch(waiting);

        batch.Complete(batch.Leaders[0], Outcome(7));

        Assert.Equal(Outcome(7), await waiting[0].Outcome);
        Assert.Equal(Outcome(7) with { Duplicate = true }, await waiting[1].Outcome);
        Assert.Single(_committed);
    }

    [Fact]
    public async Task A_follower_with_another_content_is_a_conflict()
    {
        PendingAppend[] waiting = [Pending("a", "one"), Pending("a", "two")];
        var batch = new AppendBatch(waiting);

        batch.Complete(batch.Leaders[0], Outcome(7));

        Assert.Equal("id_conflict", (await Assert.ThrowsAsync<RealtimeException>(() => waiting[1].Outcome)).Code);
    }

    [Fact]
    public void Followers_of_a_publish_that_is_at_fault_itself_are_tried_again()
    {
        PendingAppend[] waiting = [Pending("a", "one"), Pending("a", "two")];
        var batch = new AppendBatch(waiting);

        Assert.Equal([waiting[1]], batch.Fail(batch.Leaders[0], new RealtimeException(ErrorCode.IdConflict)));
        Assert.False(waiting[1].Outcome.IsCompleted);
    }

    [Fact]
    public void A_duplicate_of_a_try_whose_answer_was_lost_is_fanned_out()
    {
        var pending = Pending("a");
        pending.Complete(Outcome(7) with { Duplicate = true });
        Assert.Empty(_committed);

        var resent = Pending("a");
        resent.Resent = true;
        resent.Complete(Outcome(7) with { Duplicate = true });
        Assert.Single(_committed);
    }

    [Fact]
    public void What_a_publish_takes_of_the_budget_is_given_back_once_with_its_answer()
    {
        var pending = new[] { Pending("a"), Pending("b"), Pending("c") };
        Assert.All(pending, waiting => Assert.True(waiting.TryEnter()));
        Assert.Equal(3 * pending[0].Bytes, _budget.Taken);

        pending[0].Complete(Outcome(1));
        pending[0].Complete(Outcome(1));
        pending[0].Fail(new RealtimeException(ErrorCode.LogUnavailable));
        Assert.Equal(2 * pending[0].Bytes, _budget.Taken);

        pending[1].Follow(Outcome(1));
        pending[2].Fail(new RealtimeException(ErrorCode.LogUnavailable));
        Assert.Equal(0, _budget.Taken);
    }

    private static AppendOutcome Outcome(long offset) => new(new Position("e", offset), DateTimeOffset.UnixEpoch, Duplicate: false);

    private PendingAppend Pending(string id, string content = "x", string publisher = "ada", string topic = "room:a") => new(
        new Append
        {
            Topic = new TopicKey("default", TopicName.Parse(topic)),
            Started = 0,
            Publisher = publisher,
            Id = id,
            Event = "app:x",
            Version = 1,
            Payload = "1"u8.ToArray(),
            ContentHash = System.Text.Encoding.UTF8.GetBytes(content),
        },
        _policy,
        _committed.Add,
        deadline: long.MaxValue,
        _budget);
}
