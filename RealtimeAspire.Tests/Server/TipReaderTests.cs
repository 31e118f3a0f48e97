using System.Threading.Channels;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Tests.Server;

/// <summary>Tips that many ask for are read together, and none is older than its question.</summary>
public sealed class TipReaderTests
{
    private readonly GatedLog _log = new();
    private readonly TipReader _tips;

    public TipReaderTests() => _tips = new TipReader(_log);

    [Fact]
    public async Task Who_asks_during_a_read_waits_for_the_next_and_all_of_them_share_it()
    {
        var first = ReadAsync(0);
        var read = await _log.NextAsync();
        var crowd = Enumerable.Range(0, 100).Select(ReadAsync).ToArray();

        read.Answer(tip: 1);
        Assert.Equal(1, (await first).Offset);
        var shared = await _log.NextAsync();
        Assert.Equal(100, shared.Topics.Count);
        Assert.All(crowd, one => Assert.False(one.IsCompleted));
        shared.Answer(tip: 2);

        Assert.All(await Task.WhenAll(crowd), tip => Assert.Equal(2, tip.Offset));
        Assert.Equal(2, _log.Reads);
    }

    [Fact]
    public async Task A_failure_is_told_to_those_who_waited_and_the_next_read_begins()
    {
        var failed = ReadAsync(0);
        var read = await _log.NextAsync();
        var after = ReadAsync(1);

        read.Fail();

        Assert.Equal("log_unavailable", (await Assert.ThrowsAsync<RealtimeException>(() => failed)).Code);
        (await _log.NextAsync()).Answer(tip: 5);
        Assert.Equal(5, (await after).Offset);
    }

    [Fact]
    public async Task A_read_asks_for_a_thousand_topics_at_most()
    {
        var first = ReadAsync(0);
        var read = await _log.NextAsync();
        var crowd = Enumerable.Range(0, 2_500).Select(ReadAsync).ToArray();
        read.Answer(tip: 1);

        var sizes = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            var next = await _log.NextAsync();
            sizes.Add(next.Topics.Count);
            next.Answer(tip: 2);
        }

        Assert.Equal([1_000, 1_000, 500], sizes);
        await Task.WhenAll([first, .. crowd]);
    }

    [Fact]
    public async Task Who_no_longer_waits_does_not_end_the_read_of_the_others()
    {
        using var left = new CancellationTokenSource();
        var leaver = _tips.ReadAsync(Topic(0), left.Token);
        var read = await _log.NextAsync();
        var stays = ReadAsync(0);

        await left.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver);
        read.Answer(tip: 1);
        (await _log.NextAsync()).Answer(tip: 2);

        Assert.Equal(2, (await stays).Offset);
    }

    private static TopicKey Topic(int i) => new("default", TopicName.Parse($"room:{i}"));

    private Task<Position> ReadAsync(int i) => _tips.ReadAsync(Topic(i), TestContext.Current.CancellationToken);

    /// <summary>A log whose reads the test answers.</summary>
    private sealed class GatedLog : ITopicLog
    {
        private readonly Channel<Read> _reads = Channel.CreateUnbounded<Read>();
        private int _count;

        public int Reads => Volatile.Read(ref _count);

        public bool AnnouncesAppends => false;

        public ValueTask<Read> NextAsync() => _reads.Reader.ReadAsync(TestContext.Current.CancellationToken);

        public Task<IReadOnlyDictionary<TopicKey, Position>> ReadTipsAsync(IReadOnlyCollection<TopicKey> topics, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            var read = new Read(topics);
            Assert.True(_reads.Writer.TryWrite(read));
            return read.Tips;
        }

        public Task<AppendOutcome> AppendAsync(Append append, Action<LoggedEvent> committed) => throw new NotSupportedException();

        public Task<LogPage> ReadAsync(TopicKey topic, LogRange range, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    private sealed class Read(IReadOnlyCollection<TopicKey> topics)
    {
        private readonly TaskCompletionSource<IReadOnlyDictionary<TopicKey, Position>> _tips = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyCollection<TopicKey> Topics => topics;

        public Task<IReadOnlyDictionary<TopicKey, Position>> Tips => _tips.Task;

        public void Answer(long tip) => _tips.SetResult(topics.ToDictionary(topic => topic, _ => new Position("x7Qa", tip)));

        public void Fail() => _tips.SetException(new RealtimeException(ErrorCode.LogUnavailable));
    }
}
