using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>What is known of rights never becomes what it was before, in whatever order the answers of the database come.</summary>
public sealed class ReadOrderTests
{
    private readonly ReadOrder<string> _order = new();
    private readonly Dictionary<string, int> _known = [];

    [Fact]
    public async Task Of_reads_that_cross_the_one_that_began_last_counts()
    {
        var (old, current) = (new TaskCompletionSource<int>(), new TaskCompletionSource<int>());
        var (slow, quick) = (ReadAsync("a", old), ReadAsync("a", current));
        current.SetResult(2);
        await quick;

        old.SetResult(1);
        await slow;

        Assert.Equal(2, _known["a"]);
        Assert.Empty(_order.UnderWay);
    }

    [Fact]
    public async Task Reads_that_come_in_order_all_count_and_other_things_are_read_meanwhile()
    {
        var (first, second, other) = (new TaskCompletionSource<int>(), new TaskCompletionSource<int>(), new TaskCompletionSource<int>());
        Task[] reads = [ReadAsync("b", other), ReadAsync("a", first), ReadAsync("a", second)];
        first.SetResult(1);
        await reads[1];
        Assert.Equal((1, true), (_known["a"], _order.IsUnderWay("a")));

        second.SetResult(2);
        await reads[2];
        other.SetResult(3);
        await reads[0];

        Assert.Equal((2, 3, false), (_known["a"], _known["b"], _order.IsUnderWay("a")));
    }

    [Fact]
    public async Task What_was_read_since_a_read_of_everything_began_is_newer()
    {
        var (all, one) = (new TaskCompletionSource<Dictionary<string, int>>(), new TaskCompletionSource<int>());
        var (reading, single) = (ReadAllAsync(all), ReadAsync("a", one));
        one.SetResult(2);
        await single;

        all.SetResult(new() { ["a"] = 1, ["b"] = 1 });
        await reading;

        Assert.Equal((2, 1), (_known["a"], _known["b"]));
        await ReadAllAsync(Task.FromResult(new Dictionary<string, int> { ["a"] = 3 }));
        Assert.Equal(3, _known["a"]);
    }

    [Fact]
    public async Task What_began_before_a_read_of_everything_that_has_counted_does_not_count()
    {
        var one = new TaskCompletionSource<int>();
        var single = ReadAsync("a", one);
        await ReadAllAsync(Task.FromResult(new Dictionary<string, int> { ["a"] = 2 }));

        one.SetResult(1);
        await single;

        Assert.Equal(2, _known["a"]);
    }

    [Fact]
    public async Task A_read_that_fails_changes_nothing_and_is_over()
    {
        await Assert.ThrowsAsync<RealtimeException>(() => _order.ReadAsync("a", () => Task.FromException<int>(new RealtimeException(ErrorCode.LogUnavailable)), Keep("a")));
        await ReadAsync("a", Task.FromResult(1));

        Assert.Equal(1, _known["a"]);
        Assert.Empty(_order.UnderWay);
    }

    /// <summary>A request read that a topic was not private; another node made it so, which the watch heard and read; then the request went on.</summary>
    [Fact]
    public async Task A_slow_read_opens_no_topic_that_was_made_private_meanwhile()
    {
        var memberships = new Memberships(TimeProvider.System);
        var topic = new TopicKey("default", TopicName.Parse("room:a"));
        var stale = new TaskCompletionSource<PrivateTopic?>();
        var request = memberships.LearnPrivateAsync(topic, () => stale.Task);
        await memberships.LearnPrivateAsync(topic, static () => Task.FromResult<PrivateTopic?>(new PrivateTopic(ShowsPast: false)));

        stale.SetResult(null);
        await request;
        Assert.True(memberships.IsPrivate(topic.Tenant, topic.Name));

        await memberships.LearnPrivateAsync(topic, static () => Task.FromResult<PrivateTopic?>(null));
        Assert.False(memberships.IsPrivate(topic.Tenant, topic.Name));
    }

    [Fact]
    public async Task A_slow_read_of_all_topics_opens_none_that_was_made_private_meanwhile()
    {
        var memberships = new Memberships(TimeProvider.System) { IsLoading = true };
        var (topic, gone) = (new TopicKey("default", TopicName.Parse("room:a")), new TopicKey("default", TopicName.Parse("room:b")));
        await memberships.LearnPrivateAsync(gone, static () => Task.FromResult<PrivateTopic?>(new PrivateTopic(ShowsPast: false)));
        var stale = new TaskCompletionSource<Dictionary<TopicKey, PrivateTopic>>();
        var watch = memberships.LearnAllPrivateAsync(() => stale.Task);
        await memberships.LearnPrivateAsync(topic, static () => Task.FromResult<PrivateTopic?>(new PrivateTopic(ShowsPast: false)));

        stale.SetResult([]);
        await watch;

        Assert.True(memberships.IsPrivate(topic.Tenant, topic.Name));
        Assert.False(memberships.IsPrivate(gone.Tenant, gone.Name));
    }

    private Action<int> Keep(string key) => value => _known[key] = value;

    private Task ReadAsync(string key, TaskCompletionSource<int> answer) => ReadAsync(key, answer.Task);

    private Task ReadAsync(string key, Task<int> answer) => _order.ReadAsync(key, () => answer, Keep(key));

    private Task ReadAllAsync(TaskCompletionSource<Dictionary<string, int>> answer) => ReadAllAsync(answer.Task);

    private Task ReadAllAsync(Task<Dictionary<string, int>> answer) => _order.ReadAllAsync(() => answer, (all, isNew) =>
    {
        foreach (var (key, value) in all.Where(one => isNew(one.Key)))
        {
            _known[key] = value;
        }
    });
}
