using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using RealtimeAspire.Server.Pipeline.Backplane;
using StackExchange.Redis;

namespace RealtimeAspire.Tests.Server;

/// <summary>The link over a client of Redis that misbehaves. What the real one does under real faults is in the scenarios.</summary>
public sealed class RedisLinkTests : IAsyncLifetime, IRedisProbe
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<FakeConnection> _made = new();
    private volatile Func<FakeConnection, Task> _answer = _ => Task.CompletedTask;
    private volatile Func<Task> _connecting = () => Task.CompletedTask;
    private int _restored;
    private RedisLink? _link;
    private Task? _running;

    string IRedisProbe.Purpose => "tests";

    private RedisLink Link => _link!;

    public ValueTask InitializeAsync()
    {
        _link = new RedisLink(ConnectAsync, this, new FastTime(), NullLogger<RedisLink>.Instance);
        _link.Restored += () => Interlocked.Increment(ref _restored);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running!;
        Assert.All(_made, connection => Assert.True(connection.IsClosed));
        _stopping.Dispose();
    }

    [Fact]
    public async Task It_is_connected_when_Redis_has_answered_and_says_so()
    {
        var answer = new TaskCompletionSource();
        _answer = _ => answer.Task;
        Start();
        await Until.TrueAsync(() => Link.Multiplexer is not null);
        Assert.False(Link.IsConnected);

        answer.SetResult();

        await Until.TrueAsync(() => _restored == 1);
        Assert.True(Link.IsConnected);
    }

    [Fact]
    public async Task It_starts_without_Redis_whatever_its_client_throws()
    {
        var attempts = 0;
        _connecting = () => ++attempts < 4 ? throw new InvalidCastException("None of its own.") : Task.CompletedTask;
        Start();

        await Until.TrueAsync(() => Link.IsConnected);

        Assert.Equal((4, 1), (attempts, _restored));
    }

    [Fact]
    public async Task A_silent_connection_that_counts_as_connected_is_replaced_and_closed()
    {
        Start();
        await Until.TrueAsync(() => Link.IsConnected);
        var first = _made.Single();

        _answer = asked => asked == first ? new TaskCompletionSource().Task : Task.CompletedTask;

        await Until.TrueAsync(() => _restored == 2);
        Assert.True(first.IsClosed);
        Assert.Same(_made.Last().Multiplexer, Link.Multiplexer);
        Assert.Equal(2, _made.Count);
    }

    [Fact]
    public async Task One_that_is_disconnected_is_left_to_restore_itself()
    {
        Start();
        await Until.TrueAsync(() => Link.IsConnected);
        var asked = 0;
        _made.Single().IsConnected = false;
        _answer = _ => ++asked == 5 ? Restore() : asked > 5 ? Task.CompletedTask : throw new InvalidCastException("None of its own.");

        await Until.TrueAsync(() => _restored == 2);

        Assert.Single(_made);

        Task Restore()
        {
            _made.Single().IsConnected = true;
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task One_that_does_not_restore_itself_is_replaced_after_a_while()
    {
        Start();
        await Until.TrueAsync(() => Link.IsConnected);
        var first = _made.Single();
        first.IsConnected = false;

        _answer = asked => asked == first ? throw new InvalidCastException("None of its own.") : Task.CompletedTask;

        await Until.TrueAsync(() => _restored == 2);
        Assert.Equal(2, _made.Count);
    }

    [Fact]
    public async Task An_interruption_too_short_to_be_noticed_is_told_all_the_same()
    {
        Start();
        await Until.TrueAsync(() => _restored == 1);

        _made.Single().Disturb();

        await Until.TrueAsync(() => _restored == 2);
        Assert.Single(_made);
    }

    [Fact]
    public async Task It_is_told_too_when_the_first_question_after_it_fails()
    {
        Start();
        await Until.TrueAsync(() => _restored == 1);
        var asked = 0;
        _answer = _ => ++asked == 1 ? throw new InvalidCastException("It was under way when the connection broke.") : Task.CompletedTask;

        _made.Single().Disturb();

        await Until.TrueAsync(() => _restored == 2);
        Assert.Single(_made);
    }

    [Fact]
    public async Task A_question_that_is_answered_late_is_no_reason_to_replace()
    {
        Start();
        await Until.TrueAsync(() => Link.IsConnected);
        var asked = 0;
        // Two of three are not answered in time, over and over.
        _answer = _ => ++asked % 3 == 0 ? Task.CompletedTask : new TaskCompletionSource().Task;

        await Until.TrueAsync(() => asked > 12);

        Assert.True(Link.IsConnected);
        Assert.Equal((1, 1), (_made.Count, _restored));
    }

    Task IRedisProbe.AskAsync(IConnectionMultiplexer multiplexer) => _answer(_made.Single(made => made.Multiplexer == multiplexer));

    private void Start() => _running = _link!.RunAsync(_stopping.Token);

    private async Task<IConnectionMultiplexer> ConnectAsync()
    {
        await _connecting();
        var made = new FakeConnection();
        _made.Enqueue(made);
        return made.Multiplexer;
    }

    private sealed class FakeConnection
    {
        private volatile bool _isConnected = true;
        private volatile bool _isClosed;
        private EventHandler<ConnectionFailedEventArgs>? _restored;

        public FakeConnection() => Multiplexer = FakeRedis.Fake.Of<IConnectionMultiplexer>((method, arguments) => method.Name switch
        {
            "get_IsConnected" => _isConnected,
            "add_ConnectionRestored" => _restored += (EventHandler<ConnectionFailedEventArgs>)arguments[0]!,
            nameof(IConnectionMultiplexer.Close) => _isClosed = true,
            _ => null,
        });

        public IConnectionMultiplexer Multiplexer { get; }

        public bool IsConnected
        {
            get => _isConnected;
            set => _isConnected = value;
        }

        public bool IsClosed => _isClosed;

        public void Disturb() => _restored?.Invoke(Multiplexer, null!);
    }
}
